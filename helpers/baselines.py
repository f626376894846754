"""Classifiers of sentences that know words, or counts of words, and no context.

Notebook 1 builds the bag of words, with the same numbers.
"""

import numpy as np
import tensorflow as tf
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from helpers import normalization

# Of the bag of words: with all labels, and with few; chosen on validation sentences.
BATCH_SIZE = 32
LEARNING_RATE = 3e-3
EPOCHS = 5
FEW_EPOCHS = 30
# Of the regression on counted vectors: the larger, the weaker the penalty on weights.
STRENGTHS = 0.1, 1, 10, 100
FOLDS = 3  # of its cross-validation


def spaced(sentences, profile):
    """Normalised sentences with a space between all words: a string tensor."""
    split = normalization.words(list(sentences), profile)
    return tf.constant([" ".join(words) for words in split])


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
    _, class_sizes = np.unique(labels, return_counts=True)
    if class_sizes.min() < FOLDS:
        return model.fit(vectors, labels)
    search = GridSearchCV(model, {"C": strengths}, cv=FOLDS)
    return search.fit(vectors, labels).best_estimator_
