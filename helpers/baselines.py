"""Classifiers of sentences that know words, or counts of words, and no context.

Notebooks 1 and 5 build the same models, and check that these functions agree.
"""

import keras
import numpy as np
import tensorflow as tf
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import MultinomialNB

from helpers import models, normalization

# Of the bag of words: with all labels, and with few; chosen on validation sentences.
BATCH_SIZE = 32
LEARNING_RATE = 3e-3
EPOCHS = 5
FEW_EPOCHS = 30
# Of the regression on counted vectors: the larger, the weaker the penalty on weights.
STRENGTHS = 0.1, 1, 10, 100
FOLDS = 3  # of its cross-validation
# Where words are longer than this on average, there are no spaces between them.
LONGEST_MEAN = 12


def spaced(sentences, profile):
    """Normalised sentences with a space between all words: a string tensor."""
    split = normalization.words(list(sentences), profile)
    return tf.constant([" ".join(words) for words in split])


def has_spaces(sentences, profile):
    """Whether the script of these sentences separates words, by their mean length."""
    words = b" ".join(spaced(sentences, profile).numpy()).decode().split()
    return np.mean([len(word) for word in words]) <= LONGEST_MEAN


class BagOfWords:
    """A logistic regression on which of the most frequent words occur, trained with Adam.

    Args:
        sentences: strings to learn from.
        labels: int array, `(sentences,)`.
        profile: a `Profile`; its `baseline_words` is the number of words.
        seed: int, determines initial weights and order.
        epochs: int.
        has_spaces: bool; without spaces, runs of one to three characters are counted.
    """

    def __init__(self, sentences, labels, profile, seed, epochs, has_spaces=True):
        units = {} if has_spaces else {"split": "character", "ngrams": (1, 2, 3)}
        self.profile = profile
        self.multi_hot = keras.layers.TextVectorization(
            max_tokens=profile.baseline_words,
            standardize="strip_punctuation",
            output_mode="multi_hot",
            **units,
        )
        self.multi_hot.adapt(spaced(sentences, profile))
        inputs = self.rows(sentences)
        keras.utils.set_random_seed(seed)
        dense = keras.layers.Dense(int(labels.max()) + 1)
        self.model = keras.Sequential([keras.Input((inputs.shape[1],)), dense])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        self.model.compile(keras.optimizers.Adam(LEARNING_RATE), loss)
        self.model.fit(inputs, labels, BATCH_SIZE, epochs, verbose=0)

    def rows(self, sentences):
        """Which of the words occur, 0 or 1: uint8 `(sentences, words)`."""
        multi_hot = self.multi_hot(spaced(sentences, self.profile))
        return keras.ops.convert_to_numpy(multi_hot).astype("uint8")

    def logits(self, sentences):
        """Float32 `(sentences, classes)`."""
        return models.predict(self.model, self.rows(sentences))


def naive_bayes(train, others, profile, has_spaces=True):
    """Multinomial naive Bayes on words and pairs of them (Wang and Manning, 2012,
    https://aclanthology.org/P12-2018/).

    Args:
        train: a DataFrame of sentences, with columns `text` and `label`.
        others: a list of such DataFrames.
        profile: a `Profile`.
        has_spaces: bool; without spaces, runs of one to three characters are counted.

    Returns:
        For each of the others, log-probabilities, float `(sentences, classes)`.
    """
    units = {"token_pattern": r"\S+", "ngram_range": (1, 2)}
    if not has_spaces:
        units = {"analyzer": "char", "ngram_range": (1, 3)}
    counter = CountVectorizer(lowercase=False, binary=True, **units)
    counts = counter.fit_transform(spaced(train.text, profile).numpy())
    model = MultinomialNB().fit(counts, train.label)
    log_probabilities = []
    for sentences in others:
        counts = counter.transform(spaced(sentences.text, profile).numpy())
        log_probabilities.append(model.predict_log_proba(counts))
    return log_probabilities


def regression(vectors, labels, strengths=STRENGTHS):
    """A logistic regression, whose penalty is chosen by cross-validation within these
    sentences (if each class has enough of them, else the middle one).

    Args:
        vectors: float array, `(sentences, hidden)`.
        labels: int array, `(sentences,)`.
        strengths: inverse penalties to choose among.

    Returns:
        A fitted `sklearn.linear_model.LogisticRegression`.
    """
    model = LogisticRegression(C=strengths[len(strengths) // 2], max_iter=3000)
    if np.unique(labels, return_counts=True)[1].min() >= FOLDS:
        model = GridSearchCV(model, {"C": strengths}, cv=FOLDS)
    model.fit(vectors, labels)
    return getattr(model, "best_estimator_", model)
