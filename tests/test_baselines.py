"""Classifiers that know no context."""

import numpy as np

from helpers import baselines


def test_the_penalty_is_chosen_within_the_labels():
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    vectors = rng.normal(size=(60, 20))
    vectors[:, 0] += 2 * labels  # the rest is noise, which a weak penalty fits
    model = baselines.regression(vectors, labels, strengths=(0.01, 1e4))
    assert model.C == 0.01
    # Of a class with two sentences there are too few to divide.
    assert baselines.regression(vectors[:4], labels[:4]).C == 10
