"""Rows of tokens: packed, stored, and set aside for validation."""

import concurrent.futures
import dataclasses
import weakref

import numpy as np
import pytest

from helpers import packing, wordpieces
from helpers.normalization import SEP, UNK


def test_padding_cuts_and_fills_and_packing_joins():
    ids = [np.array([5, 6]), np.array([], int), np.array([7, 8, 9]), np.array([5])]
    assert packing.pad(ids, 2).tolist() == [[5, 6], [0, 0], [7, 8], [5, 0]]
    assert packing.pack(ids, 4).tolist() == [[5, 6, SEP, 7], [8, 9, SEP, 5]]
    assert packing.pack([], 4).shape == (0, 4)


class Executor(concurrent.futures.ThreadPoolExecutor):
    """Counts how many chunks of text, or of their tokens, are in memory at most."""

    def __init__(self):
        super().__init__(3)
        self.in_memory = weakref.WeakSet()
        self.most = 0

    def submit(self, *arguments):
        future = super().submit(*arguments)
        self.in_memory.add(future)
        self.most = max(self.most, len(self.in_memory))
        return future


@pytest.mark.parametrize("on_a_cluster", [False, True])
def test_stored_texts_are_those_tokenised_in_memory(
    profile, texts, vocabulary, tmp_path, monkeypatch, on_a_cluster
):
    monkeypatch.setattr(packing, "CHUNK", 75)
    monkeypatch.setattr(packing, "WAITING", 1)
    path = tmp_path / "rows.bin"
    with Executor() as executor:
        chosen = executor if on_a_cluster else None
        packing.store_rows(iter(texts), vocabulary, profile, path, chosen)
    assert (executor.most > 0) == on_a_cluster
    assert executor.most < 4  # of four
    small = dataclasses.replace(profile, batch_size=4)
    rows, validation_rows, held_out = packing.open_rows(small, path)
    # Two bytes per token are enough, and the rows are memory-mapped.
    assert isinstance(rows, np.memmap)
    assert rows.itemsize == 2
    for_training = [text for text in texts if not packing.is_held_out(text)]
    for_validation = [text for text in texts if packing.is_held_out(text)]
    assert 0 < len(for_validation) < len(texts) / 8
    for side, stored in ((for_training, rows), (for_validation, held_out)):
        by_hand = packing.pack(wordpieces.tokenize(side, vocabulary, profile), 1).ravel()
        assert np.array_equal(stored.ravel(), by_hand[: stored.size])
        assert by_hand.size - stored.size < 32
    assert np.array_equal(validation_rows[0], held_out[:32])


def test_what_is_broken_off_leaves_what_was_there(profile, texts, vocabulary, tmp_path):
    path = tmp_path / "rows.bin"
    packing.store_rows(texts[:9], vocabulary, profile, path)
    before = path.read_bytes()

    def broken():
        yield from texts
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        packing.store_rows(broken(), vocabulary, profile, path)
    assert set(tmp_path.iterdir()) == {path, packing.held_out_path(path)}
    assert path.read_bytes() == before


def test_a_text_that_occurs_twice_is_on_one_side(profile, vocabulary, tmp_path):
    texts = [f"film number {number % 200} is good" for number in range(400)]
    path = tmp_path / "rows.bin"
    packing.store_rows(texts, vocabulary, profile, path)
    small = dataclasses.replace(profile, batch_size=1, sequence_length=8)
    _, _, held_out = packing.open_rows(small, path)
    half = len(held_out) // 2
    assert half
    assert np.array_equal(held_out[:half], held_out[half:])


def store(path, tokens, held_out):
    """Stores so many tokens on either side, numbered within it."""
    (np.arange(tokens) % 500 + 5).astype("uint16").tofile(path)
    of_validation = (np.arange(held_out) % 500 + 600).astype("uint16")
    of_validation.tofile(packing.held_out_path(path))


def test_validation_rows_are_spread_over_the_held_out_texts_if_they_are_enough(
    profile, tmp_path
):
    path = tmp_path / "rows.bin"
    store(path, 32 * 9000, 32 * 5000)
    rows, validation_rows, held_out = packing.open_rows(profile, path)
    assert (len(rows), len(validation_rows)) == (9000, packing.VALIDATION_ROWS)
    assert np.array_equal(validation_rows[-1], held_out[-32:])
    large = dataclasses.replace(profile, batch_size=2000)
    assert len(packing.open_rows(large, path)[1]) == 2000
    # Else they are the last of the others.
    store(path, 32 * 3000, 32)
    rows, validation_rows, _ = packing.open_rows(profile, path)
    assert (len(rows), len(validation_rows)) == (2700, 300)
    assert validation_rows.max() < 600
    store(path, 32 * 3000, 0)
    with pytest.raises(ValueError, match=r"3000 rows .* of 2000: lower `batch_size`"):
        packing.open_rows(large, path)


def test_frequencies_count_what_may_be_predicted():
    """[UNK] is, other special tokens are not; one is added to each."""
    rows = np.array([[UNK, UNK, 5, SEP]])
    counts = np.exp(packing.log_frequencies(rows, 8)) * 11
    np.testing.assert_allclose(counts, [1, 3, 1, 1, 1, 2, 1, 1], rtol=1e-5)
