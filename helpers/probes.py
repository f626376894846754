"""What an encoder knows: tests of its vectors, and of word order.

Notebooks 3 and 5 build the same tests, and check that these functions agree.
"""

import itertools

import keras
import numpy as np
import scipy.special
from keras import layers, ops
from sklearn.linear_model import LogisticRegression

from helpers import finetuning, models, normalization, packing, profiles
from helpers.normalization import MASK, PAD


def frozen_accuracy(encoder, token_ids, labels, test_ids, test_labels):
    """The accuracy, from 0 to 1, of a logistic regression on the mean vectors that an
    encoder gives to sentences; the encoder isn't trained.

    Args:
        encoder: a `keras.Model` from token ids to vectors.
        token_ids, test_ids: int arrays, `(sentences, length)`, padded.
        labels, test_labels: int arrays, `(sentences,)`.
    """
    is_token = ops.not_equal(encoder.input, PAD)
    mean = layers.GlobalAveragePooling1D(dtype="float32")(encoder.output, mask=is_token)
    to_vectors = keras.Model(encoder.input, mean)
    regression = LogisticRegression(C=finetuning.HEAD_STRENGTH, max_iter=1000)
    regression.fit(models.predict(to_vectors, token_ids), labels)
    return regression.score(models.predict(to_vectors, test_ids), test_labels)


def is_word(vocabulary):
    """Which pieces consist of letters and begin a word: bool `(vocabulary,)`."""
    return np.array([piece.isalpha() for piece in vocabulary])


def begins_word(vocabulary):
    """Which pieces begin a word, punctuation included: bool `(vocabulary,)`."""
    return np.array([not piece.startswith("##") for piece in vocabulary])


def swap_neighbours(rows, vocabulary, rng):
    """Swaps two neighbouring whole words in each sentence that has such.

    Args:
        rows: int array, `(sentences, length)`, padded.
        vocabulary: list of strings.
        rng: a NumPy random generator.

    Returns:
        The original rows, those with two words swapped, both int `(pairs, length)`, and
        the position of the first of the two words, int `(pairs,)`.
    """
    whole = is_word(vocabulary)
    begins = begins_word(vocabulary)
    rows = packing.pad(rows, max(4, rows.shape[1]))
    first, second, after = rows[:, 1:-2], rows[:, 2:-1], rows[:, 3:]
    # With a token before them; what follows begins a new word, or is padding.
    fits = whole[first] & whole[second] & begins[after] & (first != second)
    position = 1 + (fits * rng.random(fits.shape)).argmax(axis=1)
    has_one = fits.any(axis=1)
    original = rows[has_one]
    position = position[has_one]
    row = np.arange(len(original))
    swapped = original.copy()
    swapped[row, position] = original[row, position + 1]
    swapped[row, position + 1] = original[row, position]
    return original, swapped, position


def log_probability(encoder, head, rows, position):
    """The sum of the log-probabilities of the words at `position` and after it, each masked
    in turn: float `(rows,)`.

    Args:
        encoder: a `keras.Model` from token ids to vectors.
        head: the `MaskedLMHead` that was trained with it.
        rows: int array, `(rows, length)`.
        position: int array, `(rows,)`.
    """
    places = keras.Input((1,), dtype="int32")
    word_model = keras.Model([encoder.input, places], head(encoder.output, places))
    row = np.arange(len(rows))
    total = 0
    for place in (position, position + 1):
        masked = rows.copy()
        masked[row, place] = MASK
        logits = models.predict(word_model, [masked, place[:, None]])[:, 0]
        total = total + scipy.special.log_softmax(logits, axis=1)[row, rows[row, place]]
    return total


def pair_score(evidence, rows, position):
    """What counts say about the three pairs of neighbours around two words: the sum of
    their `counting.pair_evidence`, float `(rows,)`."""
    if not len(rows):
        return np.zeros(0)
    row = np.arange(len(rows))
    total = 0
    for offset in (-1, 0, 1):
        first = rows[row, position + offset]
        second = rows[row, position + offset + 1]
        total = total + evidence[first, second].A1
    return total


def share_preferred(original, other):
    """The share, in percent, of scores of originals that are above those of the others; a
    tie counts as a half, and so do no scores at all."""
    if not len(original):
        return 50.0
    return 100 * float((original > other).mean() + (original == other).mean() / 2)


def bigram_shift(sentences, vocabulary, profile):
    """Sentences, half of them with two words swapped (Conneau et al., 2018,
    https://aclanthology.org/P18-1198/).

    Args:
        sentences: a list of strings. Those without two different words side by side are
            left out.
        vocabulary: list of strings.
        profile: a `Profile`.

    Returns:
        Token ids, int32 `(sentences, length)`, and labels, 1 where words were swapped.
    """
    texts = []
    labels = []
    rng = profiles.random_stream(profile.seed, "bigram shift")
    for words in normalization.words(list(sentences), profile):
        places = []
        for place, (first, second) in enumerate(itertools.pairwise(words)):
            if first != second and first.isalpha() and second.isalpha():
                places.append(place)
        if not places:
            continue
        label = int(rng.integers(2))
        place = rng.choice(places)
        if label:
            words[place], words[place + 1] = words[place + 1], words[place]
        texts.append(" ".join(words))
        labels.append(label)
    return packing.sentence_rows(texts, vocabulary, profile), np.array(labels, int)


def best_swap(rows, evidence, vocabulary):
    """By how much the evidence of neighbouring pairs can grow if two words of a sentence
    are swapped: float `(sentences, 1)`, 0 at least.

    Args:
        rows: int array, `(sentences, length)`, padded.
        evidence: what `counting.pair_evidence` returns.
        vocabulary: list of strings.
    """
    if not len(rows):
        return np.zeros((0, 1))
    rows = np.pad(rows, ((0, 0), (1, 1)))
    before, first, second, after = (rows[:, n : n + rows.shape[1] - 3] for n in range(4))
    gain = np.zeros(first.shape)
    for sign, four in (
        (1, (before, second, first, after)),
        (-1, (before, first, second, after)),
    ):
        for left, right in itertools.pairwise(four):
            pairs = evidence[left.ravel(), right.ravel()].A1
            gain += sign * pairs.reshape(first.shape)
    whole = is_word(vocabulary)
    gain *= whole[first] & whole[second] & begins_word(vocabulary)[after]
    return gain.max(axis=1, keepdims=True)


class AttentionPooling(layers.Layer):
    """The mean of the tokens' vectors, weighted by a softmax of their products with a
    learnt query: from float `(batch, sequence, hidden)` and a bool mask `(batch, sequence)`
    to float `(batch, hidden)`."""

    def build(self, shape):
        self.query = self.add_weight((shape[-1], 1), name="query")

    def call(self, x, mask):
        scores = ops.where(mask[:, :, None], ops.matmul(x, self.query), -1e9)
        return ops.sum(ops.softmax(scores, axis=1) * x, axis=1)

    def compute_mask(self, x, mask=None):
        """A sentence's vector needs no mask."""
