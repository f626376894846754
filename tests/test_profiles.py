"""The settings of a run."""

import math

import numpy as np
import pytest

from helpers import profiles


@pytest.mark.parametrize(
    ("name", "overrides", "message"),
    [
        ("smaple", {}, "no `smaple`.*sample, evening, guide, full.*mean `sample`"),
        ("sample", {"batchsize": 8}, "no `batchsize`.*mean `batch_size`"),
        ("sample", {"word_vectors": 1}, "`word_vectors` is 1: give bool"),
        ("sample", {"batch_size": 0}, "`batch_size` is 0: give a number from 1"),
        ("sample", {"learning_rate": -0.1}, "`learning_rate` is -0.1.*from 0"),
        ("sample", {"learning_rate": math.inf}, "`learning_rate` is inf: give a finite"),
        ("sample", {"encoder": "bert"}, "`encoder` is 'bert'.*rotary.*classic"),
        ("sample", {"seed": 2**32}, "`seed` is 4294967296: give a number up to 4000000000"),
        ("sample", {"mask_rate": 1.5}, "`mask_rate` is 1.5: give a share"),
        ("sample", {"dropout": 1.0}, "`dropout` is 1.0: give a share below 1"),
        ("sample", {"sequence_length": 1}, "`sequence_length` is 1: give a number from 8"),
        ("sample", {"num_heads": 3}, "multiple of twice `num_heads`"),
        ("sample", {"sentence_lengths": [48, 24]}, "`sentence_lengths` .* rising"),
        ("sample", {"columns": ["text"]}, "`columns` is .*: give the names of two"),
    ],
)
def test_a_mistake_gets_one_sentence(name, overrides, message):
    with pytest.raises(ValueError, match=message) as caught:
        profiles.load_profile(name, **overrides)
    assert "\n" not in str(caught.value)


def test_guide_has_the_hyperparameters_of_the_guide():
    guide = profiles.load_profile("guide")
    assert (guide.vocabulary_size, guide.sequence_length) == (30522, 128)
    assert (guide.encoder, guide.optimizer, guide.mask_rate) == ("classic", "adamw", 0.25)
    assert (guide.num_layers, guide.num_heads, guide.hidden_dim) == (3, 4, 256)
    assert (guide.intermediate_dim, guide.dropout, guide.batch_size) == (512, 0.1, 128)
    assert (guide.learning_rate, guide.finetuning_rate) == (5e-4, 5e-5)


def test_profiles_are_valid_and_each_setting_is_read_by_a_notebook():
    for name in profiles.PROFILES:
        # The command line passes lists.
        profile = profiles.load_profile(name, columns=["text", "label"])
        assert profile == profiles.load_profile(name)
        assert profiles.is_sample(profile) == (name == "sample")
    # tests/test_series.py compares the lists with what the notebooks read.
    read = set()
    for names in *profiles.DEPENDS.values(), *profiles.SHOWS.values():
        read.update(names.split())
    assert read == profiles.SETTINGS.keys()


def test_draws_for_different_purposes_have_nothing_in_common():
    streams = [np.random.default_rng(0)]
    for seed, purpose in (0, "swaps"), (0, "order"), (1, "swaps"):
        streams.append(profiles.random_stream(seed, purpose))
    assert len({stream.integers(1 << 60) for stream in streams}) == 4
