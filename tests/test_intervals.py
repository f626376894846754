"""Bootstrap intervals."""

import numpy as np

from helpers import intervals


def test_the_interval_of_an_accuracy_is_the_usual_one():
    right = np.random.default_rng(0).random(2000) < 0.75
    low, high = intervals.bootstrap_interval(right)
    half = 1.96 * np.sqrt(0.75 * 0.25 / 2000)
    assert low < right.mean() < high
    assert abs((high - low) / 2 - half) < 0.003


def test_a_paired_difference_is_surer_than_two_intervals():
    rng = np.random.default_rng(0)
    first = rng.random((3, 2000)) < 0.7
    second = first | (rng.random((3, 2000)) < 0.1)  # correct wherever the first is
    points, low, high = intervals.paired_difference(second, first)
    assert 0 < low < points < high < low + 2
    assert intervals.paired_difference(first, first) == (0, 0, 0)


def test_an_interval_covers_draws_of_labels_as_well_as_sentences():
    rng = np.random.default_rng(0)
    accuracies = rng.uniform(0.5, 0.9, 10)
    right = rng.random((10, 2000)) < accuracies[:, None]
    low, high = intervals.bootstrap_interval(right)
    of_draws = 1.96 * accuracies.std() / np.sqrt(10)
    of_sentences = 1.96 * np.sqrt(0.7 * 0.3 / 2000)
    assert of_draws > 3 * of_sentences
    assert 0.8 * of_draws < (high - low) / 2 < 1.3 * of_draws
