"""Batches for masked language modelling."""

import dataclasses

import numpy as np

from helpers import masking
from helpers.masking import MaskedBatches
from helpers.normalization import CLS, MASK, NEVER_HIDDEN, PAD, SEP, UNK


def test_masks_hold_to_the_rate_and_spare_special_tokens(profile):
    rows = np.random.default_rng(0).integers(5, 1500, (1000, 32))
    rows[:, 3:8] = range(5)  # one of each
    rows[::2, 12:] = PAD  # short texts
    profile = dataclasses.replace(profile, batch_size=1000, vocabulary_size=10)
    features, labels, weights = MaskedBatches(rows, profile, 1)[0]
    positions = features["mask_positions"]
    row, column = np.nonzero(weights)
    hidden = labels[row, column]
    shown = features["token_ids"][row, positions[row, column]]
    restored = features["token_ids"].copy()
    restored[row, positions[row, column]] = hidden
    assert sorted(restored.tolist()) == sorted(rows.tolist())
    # One of four words is masked, [UNK] among them; the rest of the places has no weight.
    is_word = ~np.isin(restored, NEVER_HIDDEN)
    assert (weights.sum(axis=1) == np.ceil(is_word.sum(axis=1) / 4)).all()
    assert is_word[row, positions[row, column]].all()
    assert UNK in hidden
    assert not labels[weights == 0].any()
    assert not positions[weights == 0].any()
    # 80 % become [MASK], 10 % another word, and 10 % stay, within four standard errors.
    error = 4 * np.sqrt(0.16 / len(shown))
    assert abs((shown == MASK).mean() - 0.8) < error
    assert abs((shown == hidden).mean() - 0.1) < error
    # A replacement is never [PAD], which would hide it from attention.
    assert set(shown).isdisjoint([PAD, CLS, SEP])


def test_batches_depend_on_seed_salt_and_number_alone(profile):
    rows = np.random.default_rng(0).integers(5, 1500, (300, 32))
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


def test_words_in_focus_are_masked_more_often_but_not_more_words_in_all(profile):
    vocabulary = [f"word{number}" for number in range(profile.vocabulary_size)]
    asked = dataclasses.replace(profile, focus=("word7", "word9", "unknown"))
    focus = masking.focus_ids(vocabulary, asked)
    assert focus.tolist() == [7, 9]
    ids = np.random.default_rng(0).integers(5, 15, (500, 32), "int32")
    _, labels, weights = masking.hide(ids, profile, np.random.default_rng(0), focus)
    assert weights.all()
    # Otherwise it would be two tenths.
    assert np.isin(labels, focus).mean() > 0.5
