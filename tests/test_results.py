import dataclasses

import numpy as np
import pytest

from helpers import intervals, packing, records, storage, wordpieces


@pytest.fixture
def recorded(artifacts, profile):
    """The folder with records of notebooks 2 and 3, and a file of each."""
    for notebook, name in (2, "rows.bin"), (3, "encoder.keras"):
        records.path(profile, name).write_bytes(b"content")
        records.write_record(profile, notebook, {"seconds": 1.5}, files=[name])
    with pytest.raises(TypeError):  # not JSON-serialisable: the old record is kept
        records.write_record(profile, 3, {"array": np.zeros(3)})
    return artifacts / profile.name


def test_a_record_is_read_back_whatever_comes_later(recorded, profile):
    assert records.read_record(profile, 3) == {"seconds": 1.5}
    names = {path.name for path in recorded.iterdir()}
    assert names == {
        "rows.bin",
        "encoder.keras",
        "02_mlm_preprocessing.json",
        "03_encoder_pretraining.json",
    }


def test_a_notebook_run_too_early_says_which_to_run_and_how(recorded, profile):
    other = dataclasses.replace(profile, name="full")
    for asked, notebook in (profile, "01_setup"), (other, "02_mlm"):
        with pytest.raises(RuntimeError, match=f"run notebooks/{notebook}.*top to bottom"):
            records.read_record(asked, int(notebook[:2]))


@pytest.mark.parametrize(
    "changes",
    [
        {"repeats": 3},
        {"few_labels": 20},
        {"task": "sst-2"},
        {"finetuning_rate": 1e-3},
        {"sentence_lengths": (9,)},
    ],
)
def test_settings_that_pretraining_does_not_depend_on_cost_none(recorded, profile, changes):
    assert records.read_record(dataclasses.replace(profile, **changes), 3)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"learning_rate": 1e-3}, "learning_rate"),
        ({"seed": 1}, "seed"),
        # Notebook 2 depends on these, and notebook 3 on notebook 2.
        ({"lowercase": False}, "lowercase"),
        ({"vocabulary": "bert"}, "vocabulary"),
    ],
)
def test_other_settings_are_refused_and_named(recorded, profile, changes, name):
    with pytest.raises(RuntimeError, match=rf"settings.*`{name}` was"):
        records.read_record(dataclasses.replace(profile, **changes), 3)


def test_a_classic_encoder_depends_on_the_length_of_sentences(recorded, profile):
    classic = dataclasses.replace(profile, encoder="classic")
    records.write_record(classic, 3, {})
    longer = dataclasses.replace(classic, sentence_lengths=(99,))
    with pytest.raises(RuntimeError, match="`sentence_lengths` was"):
        records.read_record(longer, 3)


def test_results_of_an_earlier_run_are_not_mixed_with_those_of_a_later_one(
    recorded, profile
):
    # The same files again: nothing later has become invalid.
    records.write_record(profile, 2, {"seconds": 2.5}, files=["rows.bin"])
    assert records.read_record(profile, 3)
    # Under the same settings, as after an edit of notebook 2.
    (recorded / "rows.bin").write_bytes(b"other content")
    records.write_record(profile, 2, {"seconds": 2.5}, files=["rows.bin"])
    with pytest.raises(RuntimeError, match=r"earlier results \(`02_mlm_preprocessing` was"):
        records.read_record(profile, 3)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"settings": 3}', "null"])
def test_a_damaged_record_is_refused(recorded, profile, content):
    (recorded / "02_mlm_preprocessing.json").write_text(content)
    with pytest.raises(RuntimeError, match="has no complete record"):
        records.read_record(profile, 2)


def test_a_changed_or_missing_file_is_refused(recorded, profile):
    for change in lambda path: path.write_bytes(b"rocks"), lambda path: path.unlink():
        change(recorded / "rows.bin")
        with pytest.raises(RuntimeError, match=r"rows.bin that is missing or has changed"):
            records.read_record(profile, 2)


def test_a_table_of_ones_own_may_move_but_not_change(artifacts, profile, tmp_path):
    before, after = tmp_path / "before.csv", tmp_path / "after.csv"
    before.write_text("text,label\n")
    records.write_record(dataclasses.replace(profile, task=str(before)), 1, {})
    moved = dataclasses.replace(profile, task=str(before.rename(after)))
    assert records.read_record(moved, 1) == {}
    after.write_text("text,label\na,b\n")
    with pytest.raises(RuntimeError, match=r"other settings, .* \(`task` was"):
        records.read_record(moved, 1)


@pytest.mark.parametrize("on_drive", [False, True])
def test_what_notebook_2_leaves_is_read(
    artifacts, profile, texts, vocabulary, rows, monkeypatch, on_drive
):
    monkeypatch.setattr(storage, "ON_DRIVE", str(artifacts if on_drive else "/nowhere"))
    path, vectors = records.path(profile, "rows.bin"), np.ones((1500, 16), "float32")
    packing.store_rows(texts, vocabulary, profile, path)
    wordpieces.save_vocabulary(vocabulary, path.with_name("vocabulary.txt"))
    np.save(path.with_name("word_vectors.npy"), vectors)
    records.write_record(profile, 2, {}, [file.name for file in path.parent.iterdir()])
    found = records.read_preprocessing(profile)
    assert found[0] == vocabulary
    assert (found[1] == vectors).all()
    assert len(found[2]) + len(found[3]) == len(rows) // 2 * 2
    # Rows are not read from Drive, where random access is slow.
    assert (found[2].rows.filename == path) != on_drive


def test_drive_is_for_colab_only():
    records.keep_on_drive(False)
    with pytest.raises(RuntimeError, match="set DRIVE to False"):
        records.keep_on_drive(True)


def test_the_interval_of_an_accuracy_is_the_usual_one():
    right = np.random.default_rng(0).random(2000) < 0.75
    low, high = intervals.bootstrap_interval(right)
    half = 1.96 * np.sqrt(0.75 * 0.25 / 2000)
    assert low < right.mean() < high
    assert abs((high - low) / 2 - half) < 0.003


def test_an_interval_covers_the_draws_of_labels():
    """With the same sentences, runs that differ more give a wider interval."""
    rng = np.random.default_rng(0)
    shares = np.array([0.65, 0.7, 0.75, 0.8])[:, None]
    alike, different = rng.random((4, 2000)) < 0.725, rng.random((4, 2000)) < shares
    widths = [np.diff(intervals.bootstrap_interval(runs))[0] for runs in (alike, different)]
    assert widths[0] < 0.03
    assert widths[1] > 0.08  # the standard error of a mean of four such runs is 0.03


def test_a_paired_difference_is_surer_than_two_intervals():
    rng = np.random.default_rng(0)
    first = rng.random((3, 2000)) < 0.7
    second = first | (rng.random((3, 2000)) < 0.1)  # correct wherever the first is
    points, low, high = intervals.paired_difference(second, first)
    assert 0 < low < points < high
    assert high - low < 2
    assert intervals.paired_difference(first, first) == (0, 0, 0)
