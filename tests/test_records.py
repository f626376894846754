"""Records of what each notebook hands on."""

import dataclasses

import numpy as np
import pytest

from helpers import checkpoints, models, packing, presets, profiles, records, storage
from helpers.wordpieces import save_vocabulary


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
    with pytest.raises(RuntimeError, match=r"run notebooks/02_mlm.*profile `full`"):
        records.read_record(dataclasses.replace(profile, name="full"), 3)


def test_other_settings_are_named_if_results_depend_on_them(recorded, profile):
    others = {"repeats": 3, "task": "sst-2", "sentence_lengths": (9,)}
    assert records.read_record(dataclasses.replace(profile, **others), 3)
    # Notebook 2 depends on the second, and notebook 3 on notebook 2.
    for name, value in ("learning_rate", 1e-3), ("lowercase", False):
        changed = dataclasses.replace(profile, **{name: value})
        with pytest.raises(RuntimeError, match=rf"settings.*`{name}` was"):
            records.read_record(changed, 3)
    # A classic encoder has a vector for each position.
    classic = dataclasses.replace(profile, encoder="classic")
    records.write_record(classic, 3, {})
    changed = dataclasses.replace(classic, sentence_lengths=(9,))
    with pytest.raises(RuntimeError, match="`sentence_lengths` was"):
        records.read_record(changed, 3)


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
    table.unlink()
    with pytest.raises(ValueError, match=r"There is no file .*: put it back"):
        records.read_record(profile, 1)


def test_what_notebook_2_leaves_is_read(artifacts, profile, texts, vocabulary, monkeypatch):
    path = records.path(profile, "rows.bin")
    packing.store_rows(texts, vocabulary, profile, path)
    save_vocabulary(vocabulary, path.with_name("vocabulary.txt"))
    np.save(path.with_name("word_vectors.npy"), np.ones((1500, 16), "float32"))
    records.write_record(profile, 2, {}, [file.name for file in path.parent.iterdir()])
    monkeypatch.setattr(storage, "ON_DRIVE", str(artifacts))
    pieces, vectors, rows, measured = records.read_preprocessing(profile)
    assert pieces == vocabulary
    assert vectors.all()
    assert len(rows) > len(measured) > 0
    # Not from Google Drive, where random access is slow
    assert not str(rows.filename).startswith(str(artifacts))


def test_an_encoder_that_comes_along_is_taken_once(artifacts, monkeypatch):
    evening = profiles.load_profile("evening")
    shared, vocabulary = presets.load(presets.ENCODERS / "evening-5000")
    monkeypatch.setattr(presets, "load", lambda folder: (shared, vocabulary))
    encoder = models.build_encoder(evening)
    model = models.build_pretraining_model(encoder, np.zeros(len(vocabulary)))
    model.compile("adam")
    saved = checkpoints.Checkpoint(model, artifacts / "pretraining.npz", {})
    assert not presets.take_encoder(evening, [*vocabulary[:-1], "another"], saved)
    other_seed = dataclasses.replace(evening, seed=1)
    assert not presets.take_encoder(other_seed, vocabulary, saved)
    assert not saved.path.exists()
    assert presets.take_encoder(evening, vocabulary, saved)
    assert saved.restore() == 100
    np.testing.assert_equal(model.get_weights(), shared.get_weights())
    # The reader's own checkpoint, from now on.
    assert not presets.take_encoder(evening, vocabulary, saved)
