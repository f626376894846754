"""Bootstrap intervals, to compare models."""

import numpy as np


def bootstrap_interval(values, seed=0, resamples=5000):
    """The 95 % bootstrap interval of a mean over draws and sentences: a pair of floats.

    Each resample draws both with replacement: runs (of labels and of initial weights), and
    test sentences. With a single run, only sentences vary.

    Args:
        values: `([draws,] sentences)`, whether each sentence is correct, or a difference.
        seed: int.
        resamples: int.
    """
    values = np.atleast_2d(np.asarray(values, dtype=float))
    draws, sentences = values.shape
    rng = np.random.default_rng(seed)
    # How often each draw and each sentence occurs in a resample.
    of_draws = rng.multinomial(draws, np.full(draws, 1 / draws), resamples)
    means = np.empty(resamples)
    for number, of_draw in enumerate(of_draws):
        of_sentences = np.bincount(
            rng.integers(sentences, size=sentences), minlength=sentences
        )
        means[number] = of_draw @ (values @ of_sentences)
    low, high = np.quantile(means / values.size, [0.025, 0.975])
    return float(low), float(high)


def paired_difference(first, second):
    """The difference in accuracy of two models on the same sentences, in points, and the
    ends of its 95 % interval: three floats.

    Args:
        first, second: bool, `([draws,] sentences)`, which predictions are correct. Draws
            with the same number had the same labels; a model with a single one, which needs
            no seed, is compared with each draw of the other.
    """
    first = np.atleast_2d(np.asarray(first, dtype=float))
    second = np.atleast_2d(np.asarray(second, dtype=float))
    difference = 100 * (first - second)  # points
    low, high = bootstrap_interval(difference)
    return float(difference.mean()), low, high
