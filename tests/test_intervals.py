"""Bootstrap intervals."""

import numpy as np
import pytest

from helpers import intervals


@pytest.mark.parametrize("draws", [1, 10])
def test_an_interval_covers_draws_of_labels_as_well_as_sentences(draws):
    """Of one draw it is the usual one of an accuracy."""
    rng = np.random.default_rng(0)
    accuracies = np.linspace(0.5, 0.9, draws)
    right = rng.random((draws, 1000)) < accuracies[:, None]
    low, high = intervals.bootstrap_interval(right, resamples=2000)
    assert low < right.mean() < high
    of_sentences = right.mean() * (1 - right.mean()) / right.size
    of_draws = accuracies.var() / draws
    half = 1.96 * np.sqrt(of_sentences + of_draws)
    assert (high - low) / 2 == pytest.approx(half, rel=0.1)


def test_a_paired_difference_is_surer_than_two_intervals():
    rng = np.random.default_rng(0)
    first = rng.random((3, 2000)) < 0.7
    second = first | (rng.random((3, 2000)) < 0.1)  # correct wherever the first is
    points, low, high = intervals.paired_difference(second, first)
    assert 0 < low < points < high < low + 2
    assert intervals.paired_difference(first, first) == (0, 0, 0)
