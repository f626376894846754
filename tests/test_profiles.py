import dataclasses

import pytest

from helpers import profiles


def test_every_profile_loads_under_its_name():
    for name in ("sample", "guide", "full"):
        assert profiles.load_profile(name).name == name


def test_overrides_replace():
    assert profiles.load_profile("sample", seed=7).seed == 7


def test_profile_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        profiles.load_profile().seed = 1


@pytest.mark.parametrize(
    ("name", "overrides", "message"),
    [
        ("smaple", {}, "no profile `smaple`.*sample, guide, full.*mean `sample`"),
        ("sample", {"batchsize": 8}, "no setting `batchsize`.*mean `batch_size`"),
        ("sample", {"batch_size": "8"}, "`batch_size` of the profile is '8'.*give a int"),
        ("sample", {"batch_size": 0}, "`batch_size`.*positive"),
        ("sample", {"batch_size": True}, "`batch_size`.*give a int"),
        ("sample", {"mask_rate": -0.1}, "`mask_rate`.*non-negative"),
        ("sample", {"encoder": "bert"}, "`encoder`.*rotary, classic"),
        ("sample", {"num_heads": 3}, "multiple of twice `num_heads`"),
        ("sample", {"predictions_per_sequence": 999}, "at most `sequence_length`"),
        ("sample", {"batch_size": 33}, "`neighbour_weight`.*in pairs.*an even number"),
        ("sample", {"packed": False}, "`neighbour_weight`.*in pairs.*set `packed`"),
    ],
)
def test_a_mistake_gets_one_sentence(name, overrides, message):
    with pytest.raises(profiles.ProfileError, match=message) as caught:
        profiles.load_profile(name, **overrides)
    assert "\n" not in str(caught.value)


def test_guide_has_the_hyperparameters_of_the_guide():
    guide = profiles.load_profile("guide")
    assert (guide.sequence_length, guide.mask_rate) == (128, 0.25)
    assert (guide.predictions_per_sequence, guide.vocabulary_size) == (32, 30522)
    assert (guide.num_layers, guide.hidden_dim, guide.intermediate_dim) == (3, 256, 512)
    assert (guide.num_heads, guide.dropout, guide.layer_norm_epsilon) == (4, 0.1, 1e-5)
    assert (guide.batch_size, guide.learning_rate) == (128, 5e-4)
    assert guide.pretraining_steps == 8 * 5857
    assert (guide.finetuning_batch_size, guide.finetuning_rate) == (32, 5e-5)
    assert (guide.finetuning_epochs, guide.optimizer) == (3, "adamw")
    assert not guide.word_vectors


def test_a_notebook_depends_on_its_settings_and_those_before_it():
    profile = profiles.load_profile()
    first, last = (profiles.settings(profile, through=number) for number in (1, 4))
    assert "seed" in first
    assert "finetuning_rate" not in first
    assert {"seed", "finetuning_rate"} <= last.keys()


def test_tables_show_each_setting_once_and_whole():
    profile = profiles.load_profile()
    everything = profiles.describe(profile)
    assert set(everything.index) == profiles.settings(profile).keys()
    parts = [profiles.describe(profile, notebook) for notebook in (1, 2, 3, 4)]
    assert sum(map(len, parts)) == len(everything) <= 60  # pandas shows 60 rows
    assert everything.meaning.str.len().max() < 50  # and 50 characters
