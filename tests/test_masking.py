"""Batches for masked language modelling."""

import dataclasses

import numpy as np

from helpers import masking
from helpers.masking import MaskedBatches
from helpers.normalization import MASK, UNK


def test_masks_hold_to_the_rate_and_are_restored_from_labels(rows, profile):
    known = {row.tobytes() for row in rows.astype("int32")}
    shown = []
    hidden = []
    for step in range(6):
        features, labels, weights = MaskedBatches(rows, profile, 6)[step]
        token_ids = features["token_ids"]
        # 8 of 32; one fewer in a row with a [SEP] or two
        assert set(weights.sum(axis=1)) <= {6, 7, 8}
        row, column = np.nonzero(weights)
        position = features["mask_positions"][row, column]
        shown.append(token_ids[row, position])
        hidden.append(labels[row, column])
        token_ids[row, position] = hidden[-1]
        assert all(row.tobytes() in known for row in token_ids)
    # 80 % become [MASK], 10 % another word, and 10 % stay, within four standard errors.
    shown = np.concatenate(shown)
    error = 4 * np.sqrt(0.16 / len(shown))
    assert abs((shown == MASK).mean() - 0.8) < error
    assert abs((shown == np.concatenate(hidden)).mean() - 0.1) < error


def test_special_tokens_and_padding_are_never_masked(profile):
    small = dataclasses.replace(profile, vocabulary_size=8)
    rows = np.random.default_rng(0).integers(0, 8, (64, 32))
    rows[::2] = [7] * 4 + [0] * 28  # short texts
    features, labels, weights = MaskedBatches(rows, small, 1)[0]
    row, column = np.nonzero(weights)
    assert set(labels[row, column]) == {UNK, 5, 6, 7}  # [UNK] is a word
    # Replacing words are never [PAD], which would hide them from attention.
    shown = features["token_ids"][row, features["mask_positions"][row, column]]
    assert set(shown) <= {UNK, MASK, 5, 6, 7}
    # One of four tokens is masked; what is left of a row's places has no weight.
    is_short = (features["token_ids"] == 0).sum(axis=1) == 28
    assert (weights[is_short].sum(axis=1) == 1).all()
    is_empty = weights == 0
    assert not labels[is_empty].any()
    assert not features["mask_positions"][is_empty].any()


def test_batches_depend_on_seed_salt_and_number_alone(rows, profile):
    whole = MaskedBatches(rows, profile, 90)
    later = MaskedBatches(rows, profile, 4, first=85)
    for step in 3, 0, 1:
        np.testing.assert_equal(whole[step + 85], later[step])
    salted = MaskedBatches(rows, profile, 1, salt=1)
    seeded = MaskedBatches(rows, dataclasses.replace(profile, seed=1), 1)
    for different in salted, seeded:
        assert (different[0][0]["token_ids"] != whole[0][0]["token_ids"]).any()


def test_every_pass_has_all_rows_in_an_order_of_its_own(profile):
    rows = np.repeat(np.arange(5, 69)[:, None], 32, axis=1)  # row n contains n + 5
    seen = []
    for step in range(8):
        features, _, _ = MaskedBatches(rows, profile, 8)[step]
        # Most tokens of a row are not masked.
        seen.append(np.median(features["token_ids"], axis=1))
    first, second = np.concatenate(seen).reshape(2, 64)
    assert sorted(first) == sorted(second) == list(range(5, 69))
    assert (first != second).any()


def test_words_in_focus_are_masked_more_often_but_not_more_words_in_all(rows, profile):
    vocabulary = [f"word{number}" for number in range(profile.vocabulary_size)]
    asked = dataclasses.replace(profile, focus=("word7", "word9", "unknown"))
    focus = masking.focus_ids(vocabulary, asked)
    assert focus.tolist() == [7, 9]
    ids = np.random.default_rng(0).integers(5, 15, (500, 32), "int32")
    shares = {}
    for name, words in (("none", ()), ("two", focus)):
        _, labels, weights = masking.hide(ids, profile, np.random.default_rng(0), words)
        assert weights.all()
        shares[name] = np.isin(labels, focus).mean()
    assert abs(shares["none"] - 0.2) < 0.02
    assert shares["two"] > 0.5
