import math
import pickle
import re

import nbformat
import numpy as np
import pytest

from conftest import NOTEBOOKS, SOLUTIONS
from helpers import profiles


@pytest.mark.parametrize(
    ("name", "overrides", "message"),
    [
        ("smaple", {}, "no `smaple`.*sample, evening, guide, full.*mean `sample`"),
        ("sample", {"batchsize": 8}, "no `batchsize`.*mean `batch_size`"),
        ("sample", {"batch_size": "8"}, "`batch_size` is '8': give int"),
        ("sample", {"word_vectors": 1}, "`word_vectors` is 1: give bool"),
        ("sample", {"batch_size": 0}, "`batch_size` is 0: give a number from 1"),
        ("sample", {"learning_rate": -0.1}, "`learning_rate` is -0.1.*from 0"),
        ("sample", {"mask_rate": 1.5}, "`mask_rate` is 1.5: give a share"),
        ("sample", {"encoder": "bert"}, "`encoder` is 'bert'.*rotary.*classic"),
        ("sample", {"num_heads": 3}, "multiple of twice `num_heads`"),
        ("sample", {"batch_size": 33}, "even number, or `neighbour_weight` 0"),
        ("sample", {"sentence_lengths": [48, 24]}, "`sentence_lengths` .* rising"),
        ("sample", {"columns": ["text"]}, "`columns` is .*: give the names of two"),
        ("sample", {"lowercase": "no"}, "`lowercase` is 'no': give bool"),
        ("sample", {"seed": 2**32}, "`seed` is 4294967296: give a number up to 4000000000"),
        ("sample", {"learning_rate": math.inf}, "`learning_rate` is inf: give a finite"),
        ("sample", {"dropout": 1.0}, "`dropout` is 1.0: give a share below 1"),
        ("sample", {"sequence_length": 1}, "`sequence_length` is 1: give a number from 8"),
    ],
)
def test_a_mistake_gets_one_sentence(name, overrides, message):
    with pytest.raises(ValueError, match=message) as caught:
        profiles.load_profile(name, **overrides)
    assert "\n" not in str(caught.value)


def test_guide_has_the_hyperparameters_of_the_guide():
    guide = profiles.load_profile("guide")
    assert (guide.corpus, guide.task, guide.vocabulary) == ("wikitext-103", "sst-2", "bert")
    assert (guide.vocabulary_size, guide.sequence_length) == (30522, 128)
    assert (guide.mask_rate, guide.predictions_per_sequence) == (0.25, 32)
    assert (guide.num_layers, guide.num_heads, guide.hidden_dim) == (3, 4, 256)
    assert (guide.encoder, guide.intermediate_dim, guide.dropout) == ("classic", 512, 0.1)
    assert (guide.optimizer, guide.learning_rate) == ("adamw", 5e-4)
    assert (guide.batch_size, guide.finetuning_rate) == (128, 5e-5)
    assert (guide.finetuning_epochs, guide.sentence_lengths) == (3, (128,))
    assert (guide.word_vectors, guide.neighbour_weight) == (False, 0.0)


@pytest.mark.parametrize("name", profiles.PROFILES)
def test_a_profile_says_what_it_changes_and_can_be_given_to_other_processes(name):
    profile, sample = profiles.load_profile(name), profiles.load_profile()
    changes = profiles.PROFILES[name].items()
    assert all(value != getattr(sample, setting) for setting, value in changes)
    # The command line passes lists.
    assert profile == profiles.load_profile(name, columns=["text", "label"])
    assert pickle.loads(pickle.dumps(profile)) == profile


def test_a_table_describes_settings():
    profile = profiles.load_profile()
    table = profiles.describe(profile, "seed", "columns")
    assert dict(table.value) == {"seed": 0, "columns": ("text", "label")}


def test_each_setting_is_read_by_a_notebook():
    """tests/test_series.py compares the lists with what the notebooks read."""
    lists = [*profiles.DEPENDS.values(), *profiles.SHOWS.values()]
    assert {*" ".join(lists).split()} == profiles.settings(profiles.load_profile()).keys()


def test_draws_for_different_purposes_have_nothing_in_common():
    first, again, other, seeded = (
        profiles.random_stream(seed, purpose).integers(1 << 60)
        for seed, purpose in ((0, "swaps"), (0, "swaps"), (0, "order"), (1, "swaps"))
    )
    assert first == again
    assert len({first, other, seeded, np.random.default_rng(0).integers(1 << 60)}) == 4


def test_the_sample_is_the_sample_with_any_seed():
    assert profiles.is_sample(profiles.load_profile(seed=3))
    assert not profiles.is_sample(profiles.load_profile(repeats=3))
    assert not profiles.is_sample(profiles.load_profile("evening"))


def test_every_setting_is_there_for_a_reason():
    """A profile changes it, or an exercise asks readers to."""
    first, *others = (
        profiles.settings(profiles.load_profile(one)) for one in profiles.PROFILES
    )
    assert len(first) <= 32
    same = {name for name in first if all(first[name] == one[name] for one in others)}
    exercises = [nbformat.read(path, as_version=4).cells[-1] for path in NOTEBOOKS]
    cells = [cell for path in SOLUTIONS for cell in nbformat.read(path, 4).cells]
    solutions = [cell for cell in cells if cell.cell_type == "code"]
    seen = " ".join(cell.source for cell in (*exercises, *solutions))
    assert same <= set(re.findall(r"\w+", seen))
