"""What an encoder knows, on rows by hand."""

import numpy as np
import scipy.sparse

from helpers import probes, profiles
from helpers.normalization import PAD, SPECIAL_TOKENS

VOCABULARY = [*SPECIAL_TOKENS, "a", "good", "long", "film", "##s", "!"]
A, GOOD, LONG, FILM, S, MARK = range(5, 11)


def test_exactly_two_whole_words_are_swapped():
    rows = np.array(
        [
            [A, GOOD, FILM, S, MARK],  # `films` is no single piece
            [A, GOOD, FILM, MARK, PAD],
            [A, GOOD, GOOD, MARK, PAD],  # the same word
            [A, MARK, FILM, S, PAD],
        ]
    )
    original, swapped, position = probes.swap_neighbours(
        rows, VOCABULARY, np.random.default_rng(0)
    )
    assert original.tolist() == [[A, GOOD, FILM, MARK, PAD]]
    assert swapped.tolist() == [[A, FILM, GOOD, MARK, PAD]]
    assert position.tolist() == [1]


def test_counts_find_the_swap():
    evidence = scipy.sparse.lil_matrix((11, 11))
    evidence[A, GOOD] = evidence[GOOD, FILM] = 2.0
    evidence[FILM, MARK] = 1.0
    evidence = evidence.tocsr()
    right = np.array([[A, GOOD, FILM, MARK]])
    wrong = np.array([[A, FILM, GOOD, MARK]])
    assert probes.pair_score(evidence, right, np.array([1])).tolist() == [5]
    assert probes.pair_score(evidence, wrong, np.array([1])).tolist() == [0]
    assert probes.best_swap(wrong, evidence, VOCABULARY).tolist() == [[5]]
    assert probes.best_swap(right, evidence, VOCABULARY).tolist() == [[0]]
    # Without sentences
    assert probes.pair_score(evidence, right[:0], np.array([], int)).shape == (0,)
    assert probes.best_swap(right[:0], evidence, VOCABULARY).shape == (0, 1)


def test_a_tie_is_half_a_preference():
    assert probes.share_preferred(np.array([2, 1, 0, 3]), np.array([1, 1, 1, 1])) == 62.5
    assert probes.share_preferred(np.array([]), np.array([])) == 50


def test_a_bigram_shift_swaps_words_in_half_of_the_sentences():
    profile = profiles.load_profile(sentence_lengths=(6,))
    sentences = ["a good film !"] * 100 + ["good !", "", "film film"]
    rows, labels = probes.bigram_shift(sentences, VOCABULARY, profile)
    assert rows.shape == (100, 6)
    assert 30 < labels.sum() < 70
    original = np.array([A, GOOD, FILM, MARK, PAD, PAD])
    assert ((rows != original).sum(axis=1) == 2 * labels).all()
    rows, labels = probes.bigram_shift(["!"], VOCABULARY, profile)
    assert (rows.shape, labels.shape) == ((0, 6), (0,))
