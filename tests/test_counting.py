"""Counts of neighbouring tokens. (Check cells of notebooks 2 and 3 compare the rest.)"""

import numpy as np

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


def test_a_mean_has_no_padding():
    vectors = np.array([[9.0, 9], [1, 0], [3, 4]])
    means = counting.mean_vectors(np.array([[1, 2, 0], [2, 0, 0]]), vectors)
    assert means.tolist() == [[2, 2], [3, 4]]
