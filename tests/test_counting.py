"""Counts of neighbouring tokens, by hand."""

import numpy as np
import scipy.sparse

from helpers import counting
from helpers.normalization import SEP, UNK


def test_tokens_follow_each_other_within_a_text():
    rows = np.array([[5, 6, 5], [6, SEP, 5], [UNK, SEP, 6]])
    expected = np.zeros((8, 8))
    expected[5, 6] = 2  # also from one row to the next
    expected[6, 5] = expected[5, UNK] = 1
    assert np.array_equal(counting.followers(rows, 1, 8).toarray(), expected)
    two_apart = counting.followers(rows, 2, 8).toarray()
    assert np.array_equal(two_apart, np.diag([0, 0, 0, 0, 0, 1, 1, 0]))


def test_positive_pmi_of_three_tokens():
    counts = np.array([[9.0, 0, 0], [0, 2, 2], [1, 0, 4]])
    second = np.array([10.0, 2, 6]) ** 0.75
    expected = np.outer([9, 4, 5], second / second.sum())
    by_hand = np.log(np.maximum(counts / expected, 1))
    pmi = counting.positive_pmi(scipy.sparse.csr_matrix(counts)).toarray()
    np.testing.assert_allclose(pmi, by_hand)


def test_a_mean_has_no_padding():
    vectors = np.array([[9.0, 9], [1, 0], [3, 4]])
    means = counting.mean_vectors(np.array([[1, 2, 0], [2, 0, 0]]), vectors)
    assert means.tolist() == [[2, 2], [3, 4]]


def test_neighbours_prefer_the_pair_that_was_seen():
    rows = np.array([[5, 6, SEP, 7, 8, SEP]])
    frequencies = np.full(9, 1 / 9)
    evidence = counting.pair_evidence(counting.followers(rows, 1, 9), frequencies)
    # The ratio of a pair is 0.5 / (1 / 9) ** 2 = 40.5.
    np.testing.assert_allclose(evidence[5, 6], np.log(1 + 4 * 40.5))
    token_ids = np.array([[5, 4, 0], [4, 8, 0]])
    at = np.array([1, 0])
    scores = counting.neighbour_scores(token_ids, at, evidence, np.log(frequencies))
    assert scores.argmax(axis=1).tolist() == [6, 7]
