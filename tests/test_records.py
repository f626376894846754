"""Records of what each notebook hands on."""

import dataclasses

import numpy as np
import pytest

from helpers import (
    checkpoints,
    packing,
    presets,
    pretraining,
    profiles,
    records,
    storage,
    wordpieces,
)


@pytest.fixture
def recorded(artifacts, profile):
    """The folder with records of notebooks 2 and 3, and a file of each."""
    for notebook, name in (2, "rows.bin"), (3, "encoder.keras"):
        records.path(profile, name).write_bytes(b"content")
        records.write_record(profile, notebook, {"seconds": 1.5}, files=[name])
    return artifacts / profile.name


def test_a_record_is_read_back_unless_a_notebook_was_run_too_early(recorded, profile):
    with pytest.raises(TypeError):  # not JSON-serialisable: the old record is kept
        records.write_record(profile, 3, {"array": np.zeros(3)})
    assert records.read_record(profile, 3) == {"seconds": 1.5}
    assert len(list(recorded.iterdir())) == 4
    with pytest.raises(
        RuntimeError, match=r"run notebooks/02_mlm.* top to .*profile `full`"
    ):
        records.read_record(dataclasses.replace(profile, name="full"), 3)


@pytest.mark.parametrize(
    ("changes", "depends"),
    [
        ({"repeats": 3, "task": "sst-2", "sentence_lengths": (9,)}, False),
        ({"learning_rate": 1e-3}, True),
        # Notebook 2 depends on these, and notebook 3 on notebook 2.
        ({"lowercase": False}, True),
        ({"vocabulary": "bert"}, True),
    ],
)
def test_other_settings_are_named_if_results_depend_on_them(
    recorded, profile, changes, depends
):
    changed = dataclasses.replace(profile, **changes)
    if depends:
        with pytest.raises(RuntimeError, match=rf"settings.*`{next(iter(changes))}` was"):
            records.read_record(changed, 3)
    else:
        assert records.read_record(changed, 3)


def test_results_of_an_earlier_run_are_not_mixed_with_later_ones(recorded, profile):
    # The same files again: nothing later has become invalid.
    records.write_record(profile, 2, {"seconds": 2.5}, files=["rows.bin"])
    assert records.read_record(profile, 3)
    # Under the same settings, as after an edit of notebook 2.
    (recorded / "rows.bin").write_bytes(b"other content")
    with pytest.raises(RuntimeError, match=r"rows.bin that is missing or has changed"):
        records.read_record(profile, 2)
    records.write_record(profile, 2, {"seconds": 2.5}, files=["rows.bin"])
    with pytest.raises(RuntimeError, match=r"earlier results \(`02_mlm_preprocessing` was"):
        records.read_record(profile, 3)
    for damaged in "", "[]", '{"settings": 3}':
        (recorded / "02_mlm_preprocessing.json").write_text(damaged)
        with pytest.raises(RuntimeError, match="has no complete record"):
            records.read_record(profile, 3)


def test_a_table_of_ones_own_may_move_but_not_change(artifacts, profile, tmp_path):
    table = tmp_path / "before.csv"
    table.write_text("text,label\n")
    records.write_record(dataclasses.replace(profile, task=str(table)), 1, {})
    table = table.rename(tmp_path / "after.csv")
    profile = dataclasses.replace(profile, task=str(table))
    assert records.read_record(profile, 1) == {}
    table.write_text("text,label\na,b\n")
    with pytest.raises(RuntimeError, match=r"other settings, .* \(`task` was"):
        records.read_record(profile, 1)


@pytest.mark.parametrize("on_drive", [False, True])
def test_what_notebook_2_leaves_is_read(
    artifacts, profile, texts, vocabulary, monkeypatch, on_drive
):
    monkeypatch.setattr(storage, "ON_DRIVE", str(artifacts if on_drive else "/nowhere"))
    path = records.path(profile, "rows.bin")
    packing.store_rows(texts, vocabulary, profile, path)
    wordpieces.save_vocabulary(vocabulary, path.with_name("vocabulary.txt"))
    np.save(path.with_name("word_vectors.npy"), np.ones((1500, 16), "float32"))
    records.write_record(profile, 2, {}, [file.name for file in path.parent.iterdir()])
    pieces, vectors, rows, measured = records.read_preprocessing(profile)
    assert pieces == vocabulary
    assert vectors.all()
    assert len(rows) > len(measured) > 0
    # Rows are not read from Drive, where random access is slow.
    assert (rows.filename == path) != on_drive


def test_an_encoder_that_comes_along_is_taken_once(artifacts):
    evening = profiles.load_profile("evening")
    preset = presets.ENCODERS / "evening-5000"
    vocabulary = wordpieces.read_vocabulary(
        preset / "assets" / "tokenizer" / "vocabulary.txt"
    )
    model = pretraining.pretraining_model(evening, 5000, np.zeros(len(vocabulary)))
    saved = checkpoints.Checkpoint(model, artifacts / "pretraining.npz", {})
    other_text = [*vocabulary[:-1], "another"]
    assert not presets.take_encoder(evening, other_text, saved)
    other_seed = dataclasses.replace(evening, seed=1)
    assert not presets.take_encoder(other_seed, vocabulary, saved)
    assert not saved.path.exists()
    assert presets.take_encoder(evening, vocabulary, saved)
    taken = model.get_weights()
    assert saved.restore() == 100
    for before, after in zip(taken, model.get_weights(), strict=True):
        assert np.array_equal(before, after)
    # The reader's own checkpoint, from now on.
    assert not presets.take_encoder(evening, vocabulary, saved)
