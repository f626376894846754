import dataclasses

import numpy as np
import pytest

from helpers.masking import MaskedBatches
from helpers.normalization import MASK, UNK


def batches(rows, profile):
    """Features, labels and weights of the masked words, batch by batch."""
    made = MaskedBatches(rows, profile, 6)
    for number in range(6):
        x, y, weights = made[number]
        yield x, y["masked_words"], weights["masked_words"]


def test_masks_hold_to_the_rate_and_are_restored_from_labels(rows, profile):
    known = {row.tobytes() for row in rows.astype("int32")}
    for features, labels, weights in batches(rows, profile):
        assert features["token_ids"].shape == (16, 32)
        assert features["mask_positions"].shape == labels.shape == weights.shape == (16, 8)
        # 8 of 32; one fewer in a row with a [SEP] or two
        assert weights.sum(axis=1).min() >= 6
        assert weights.sum(axis=1).max() == 8
        restored = features["token_ids"].copy()
        row, column = np.nonzero(weights)
        restored[row, features["mask_positions"][row, column]] = labels[row, column]
        assert all(one.tobytes() in known for one in restored)


def test_special_tokens_are_never_masked(profile):
    rng = np.random.default_rng(0)
    rows = rng.integers(5, profile.vocabulary_size, (64, 32))
    rows[:, ::3] = rng.integers(0, 5, rows[:, ::3].shape)
    for _, labels, weights in batches(rows, profile):
        hidden = labels[weights == 1]
        assert ((hidden >= 5) | (hidden == UNK)).all()
        assert UNK in hidden  # it stands for a word


def test_what_replaces_a_token_is_a_word(profile):
    """Never [PAD], which would hide it from attention, nor another special token."""
    small = dataclasses.replace(profile, vocabulary_size=8)
    rows = np.full((64, 32), 7)
    for features, _, _ in batches(rows, small):
        shown = {*np.unique(features["token_ids"])}
        assert shown == {MASK, 5, 6, 7}


def test_weights_are_zero_where_nothing_is_left_to_mask(profile):
    rows = np.zeros((64, 32), dtype="int32")
    rows[::2, :4] = 7
    for features, labels, weights in batches(rows, profile):
        # One of four tokens, and none in a row of padding
        words = (features["token_ids"] > 0).any(axis=1)
        assert (weights.sum(axis=1) == words).all()
        assert not labels[weights == 0].any()
        assert not features["mask_positions"][weights == 0].any()


def test_batches_depend_on_seed_salt_and_number_alone(rows, profile):
    whole, later = MaskedBatches(rows, profile, 90), MaskedBatches(rows, profile, 4, 85)
    assert len(later) == 4
    for step in 3, 0, 1:
        np.testing.assert_equal(whole[step + 85], later[step])
    salted = MaskedBatches(rows, profile, 1, salt=1)
    seeded = MaskedBatches(rows, dataclasses.replace(profile, seed=1), 1)
    for other in salted, seeded:
        assert (other[0][0]["token_ids"] != whole[0][0]["token_ids"]).any()


@pytest.mark.parametrize("together", [1, 2])
def test_every_pass_has_all_rows_in_an_order_of_its_own(profile, together):
    """Rows are drawn one by one, or in pairs of neighbours."""
    profile = dataclasses.replace(profile, neighbour_weight=float(together - 1))
    rows = np.repeat(np.arange(5, 69)[:, None], 32, axis=1)  # row n contains n + 5
    made, seen = MaskedBatches(rows, profile, 8), []
    for number in range(8):
        features, labels, weights = made[number]
        # Most tokens of a row are not masked.
        drawn = np.median(features["token_ids"], axis=1)
        seen.append(drawn)
        if together == 2:
            assert (drawn[1::2] == drawn[::2] + 1).all()
            assert labels["neighbours"].tolist() == list(range(8))
            assert weights["neighbours"].tolist() == [1.0] * 8
        else:
            assert [*labels] == [*weights] == ["masked_words"]
    first, second = np.concatenate(seen).reshape(2, 64)
    assert sorted(first) == sorted(second) == list(range(5, 69))
    assert (first != second).any()
