"""Classifiers that know no context."""

import numpy as np
import pandas as pd

from helpers import baselines, profiles

PROFILE = profiles.load_profile(baseline_words=50)
TRAIN = pd.DataFrame(
    {
        "text": ["Good, good film", "a GOOD one", "bad film", "a bad one"],
        "label": [1, 1, 0, 0],
    }
)
OTHERS = pd.DataFrame({"text": ["really good", "bad !", ""], "label": [1, 0, 0]})


def test_words_are_separated_where_their_script_does():
    assert baselines.spaced(["Good,good"], PROFILE).numpy()[0] == b"good , good"
    assert baselines.has_spaces(TRAIN.text, PROFILE)
    assert not baselines.has_spaces(["ภาษาไทยเป็นภาษาที่มีวรรณยุกต์"], PROFILE)


def test_a_bag_of_words_learns():
    bag = baselines.BagOfWords(TRAIN.text, TRAIN.label.to_numpy(), PROFILE, 0, 40)
    assert bag.rows(OTHERS.text).shape[0] == 3
    logits = bag.logits(OTHERS.text)
    assert logits.shape == (3, 2)
    assert logits[:2].argmax(axis=1).tolist() == [1, 0]


def test_naive_bayes_counts_words_or_characters():
    for has_spaces in True, False:
        scores, of_train = baselines.naive_bayes(
            TRAIN, [OTHERS, TRAIN], PROFILE, has_spaces
        )
        assert scores.shape == (3, 2)
        np.testing.assert_allclose(np.exp(scores).sum(axis=1), 1)
        assert scores[:2].argmax(axis=1).tolist() == [1, 0]
        assert (of_train.argmax(axis=1) == TRAIN.label).all()


def test_the_penalty_is_chosen_within_the_labels():
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    vectors = rng.normal(size=(60, 20))
    vectors[:, 0] += 2 * labels  # the rest is noise, which a weak penalty fits
    model = baselines.regression(vectors, labels, strengths=(0.01, 1e4))
    assert model.C == 0.01
    # Of a class with two sentences there are too few to divide.
    assert baselines.regression(vectors[:4], labels[:4]).C == 10
