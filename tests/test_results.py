import dataclasses
import json

import keras
import numpy as np
import pytest

from helpers import models, profiles, results


@pytest.fixture
def recorded(artifacts, profile):
    """A record of notebook 2 with one file."""
    results.path(profile, "rows.npy").write_bytes(b"rows")
    results.write_record(profile, 2, {"seconds": 1.5}, files=["rows.npy"])
    return artifacts / profile.name


def test_a_record_is_read_back(recorded, profile):
    assert results.read_record(profile, 2) == {"seconds": 1.5}
    assert not list(recorded.glob("*.partial"))


def test_a_notebook_run_too_early_says_which_to_run_and_how(artifacts, profile):
    with pytest.raises(results.MissingArtifactError) as caught:
        results.read_record(profile, 3)
    message = str(caught.value)
    assert "03_encoder_pretraining" in message
    assert "run notebooks/03_encoder_pretraining.ipynb from top to bottom" in message
    assert "\n" not in message


def test_other_settings_are_refused_and_named(recorded):
    for overrides in {"seed": 1}, {"window": 7}:
        with pytest.raises(results.OtherSettingsError, match="was run with other settings"):
            results.read_record(profiles.load_profile(**overrides), 2)


def test_settings_of_later_notebooks_do_not_matter(artifacts):
    results.write_record(profiles.load_profile(), 2, {"a": 1})
    later = profiles.load_profile(finetuning_epochs=9)
    assert results.read_record(later, 2) == {"a": 1}


def test_another_profile_has_its_own_artifacts(recorded):
    with pytest.raises(results.MissingArtifactError):
        results.read_record(profiles.load_profile("guide"), 2)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"settings": 3}', "null"])
def test_a_damaged_record_is_refused(recorded, profile, content):
    (recorded / "02_mlm_preprocessing.json").write_text(content)
    with pytest.raises(results.ArtifactError, match="damaged"):
        results.read_record(profile, 2)


ARTIFACTS = (
    "rows/training/00000.npy",
    "encoder.keras",
    "vocabulary.txt",
    "03_encoder_pretraining.json",
)


def leave(profile):
    """Leaves what notebooks leave; returns the content of each of `ARTIFACTS`."""
    rng = np.random.default_rng(profile.seed)
    results.path(profile, "rows/training").mkdir(parents=True, exist_ok=True)
    np.save(results.path(profile, ARTIFACTS[0]), rng.integers(0, 99, (20, 5)))
    keras.utils.set_random_seed(profile.seed)
    models.build_encoder(profile).save(results.path(profile, "encoder.keras"))
    words = f"[PAD]\n[UNK]\nword{profile.seed}"
    results.path(profile, "vocabulary.txt").write_text(words, "utf-8")
    files = ["rows", "encoder.keras", "vocabulary.txt"]
    results.write_record(profile, 3, {"loss": 4.81, "right": [1, 0, 1]}, files)
    return [results.path(profile, name).read_bytes() for name in ARTIFACTS]


def damaged(content, other, rng):
    """The content, damaged in one of five ways; one is that of other settings."""
    kind = rng.integers(5)
    place = int(rng.integers(len(content)))
    if kind == 0:
        return content[:place]
    if kind == 1:
        flipped = content[place] ^ (1 << int(rng.integers(8)))
        return content[:place] + bytes([flipped]) + content[place + 1 :]
    if kind == 2:
        return content[:place] + rng.bytes(100) + content[place + 100 :]
    if kind == 3:
        return [b"[]", b"{}", b"null", b"PK\x03\x04", b"\x93NUMPY\x01\x00"][place % 5]
    return other


def test_every_damage_to_what_a_notebook_left_is_noticed(artifacts, profile):
    rng = np.random.default_rng(0)
    others = leave(dataclasses.replace(profile, seed=1))
    contents = leave(profile)
    for number in range(200):
        which = number % len(ARTIFACTS)
        file = results.path(profile, ARTIFACTS[which])
        file.write_bytes(damaged(contents[which], others[which], rng))
        with pytest.raises(results.ArtifactError, match=r"run notebooks/03_.*ipynb"):
            results.read_record(profile, 3)
        file.write_bytes(contents[which])
    assert results.read_record(profile, 3)["loss"] == 4.81


def test_a_file_too_many_or_too_few_in_a_folder_is_noticed(artifacts, profile):
    leave(profile)
    shard = results.path(profile, ARTIFACTS[0])
    shard.with_name("00001.npy").write_bytes(shard.read_bytes())
    with pytest.raises(results.ArtifactError, match="rows isn't as notebook"):
        results.read_record(profile, 3)
    shard.rename(shard.with_name("00001.npy"))
    with pytest.raises(results.ArtifactError, match="rows isn't as notebook"):
        results.read_record(profile, 3)


def test_a_changed_or_missing_file_is_refused(recorded, profile):
    (recorded / "rows.npy").write_bytes(b"rocks")
    with pytest.raises(results.ArtifactError, match="isn't as notebook"):
        results.read_record(profile, 2)
    (recorded / "rows.npy").unlink()
    with pytest.raises(results.MissingArtifactError, match="is gone"):
        results.read_record(profile, 2)


def test_a_record_that_json_cannot_hold_leaves_the_old_one(recorded, profile):
    with pytest.raises(TypeError):
        results.write_record(profile, 2, {"array": np.zeros(3)})
    assert results.read_record(profile, 2) == {"seconds": 1.5}
    json.loads((recorded / "02_mlm_preprocessing.json").read_text())


def test_the_interval_of_an_accuracy_is_the_usual_one():
    correct = np.random.default_rng(0).random((1, 2000)) < 0.75
    table = results.accuracy_table({"model": correct})
    row = table.loc["model"]
    half = 196 * np.sqrt(0.75 * 0.25 / 2000)
    assert row.low < row.accuracy < row.high
    assert abs((row.high - row.low) / 2 - half) < 0.3
    assert row.seeds == 1


def test_a_pair_of_equal_models_does_not_differ():
    correct = np.random.default_rng(0).random((3, 500)) < 0.75
    assert results.paired_difference(correct, correct) == (0, 0, 0)


def test_a_paired_difference_is_surer_than_two_intervals():
    rng = np.random.default_rng(0)
    first = rng.random((1, 2000)) < 0.7
    second = first | (rng.random((1, 2000)) < 0.1)  # right wherever the first is
    points, low, high = results.paired_difference(second, first)
    assert 0 < low < points < high
    assert high - low < 2
