"""Batches for masked language modelling. Notebook 2 compares them with KerasHub's."""

import keras
import numpy as np

from helpers.normalization import MASK, NEVER_HIDDEN, SPECIAL_TOKENS

# As in BERT (Devlin et al., 2019, section 3.1), and by default in KerasHub: a chosen token
# becomes [MASK] in 80 % of cases and a random token in 10 %, and stays in the other 10 %.
# Unlike there, the random token is never a special one: [PAD] would hide it from attention.
MASK_TOKEN_RATE = 0.8
RANDOM_TOKEN_RATE = 0.1

# By this the random scores of the words in `focus` are divided, so that they are chosen
# three to four times as often as others.
FOCUS = 4


def focus_ids(vocabulary, profile):
    """The token ids of the words in `focus` that the vocabulary has: int `(words,)`."""
    return np.flatnonzero(np.isin(vocabulary, profile.focus))


class MaskedBatches(keras.utils.PyDataset):
    """Shuffled batches of rows, in which other tokens are masked in every epoch.

    Like `keras_hub.layers.MaskedLMMaskGenerator`, but batch n depends only on the seed and
    on n, so that training can resume anywhere.

    Args:
        rows: int array, `(rows, sequence)`, possibly memory-mapped.
        steps: int, the number of batches.
        first: int, the number of the first batch, where a training resumes.
        salt: int, selects another sequence of batches for the same seed.
        focus: int array, tokens that are masked more often; see `focus_ids`.

    An item is what `fit` takes: features, a dict of `token_ids`, int32 `(batch, sequence)`,
    and `mask_positions`, int32 `(batch, predictions)`; labels, the masked ids, int32
    `(batch, predictions)`; and float32 weights of that shape, 0 after the last masked token
    of a row.
    """

    def __init__(self, rows, profile, steps, first=0, salt=0, focus=()):
        super().__init__()
        self.rows = rows
        self.profile = profile
        self.steps = steps
        self.first = first
        self.salt = salt
        self.focus = focus
        self.pass_number = None  # of the order that is kept
        self.order = None

    def __len__(self):
        return self.steps

    def __getitem__(self, step):
        number = self.first + step
        rows = self.rows[self.rows_of_batch(number)].astype("int32")
        rng = np.random.default_rng((self.profile.seed, self.salt, 1, number))
        return hide(rows, self.profile, rng, self.focus)

    def rows_of_batch(self, number):
        """The numbers of the rows in a batch: int `(batch,)`."""
        size = self.profile.batch_size
        pass_number, place = divmod(number, len(self.rows) // size)
        if self.pass_number != pass_number:
            rng = np.random.default_rng((self.profile.seed, self.salt, 0, pass_number))
            self.order = rng.permutation(len(self.rows))
            self.pass_number = pass_number
        return self.order[place * size : (place + 1) * size]


def hide(token_ids, profile, rng, focus=()):
    """Masks tokens in rows, int32 `(batch, sequence)`, with one sort for the whole batch,
    those in `focus` more often than others: features, labels and weights, as in
    `MaskedBatches`."""
    length = token_ids.shape[1]
    predictions = profile.predictions_per_sequence
    candidate = ~np.isin(token_ids, NEVER_HIDDEN)
    wanted = np.ceil(profile.mask_rate * candidate.sum(axis=1, keepdims=True))
    # A random score for each token, lower in the focus, higher for special tokens: the
    # lowest are chosen.
    scores = rng.random(token_ids.shape, dtype="float32")
    scores = np.where(np.isin(token_ids, focus), scores / FOCUS, scores) + ~candidate
    drawn = scores.argsort(axis=1)[:, :predictions].astype("int32")
    # In text order; surplus positions are moved past the end.
    positions = np.sort(np.where(np.arange(predictions) < wanted, drawn, length), axis=1)
    chosen = positions < length
    positions[~chosen] = 0
    labels = np.take_along_axis(token_ids, positions, axis=1) * chosen
    dice = rng.random(labels.shape, dtype="float32")
    others = rng.integers(
        len(SPECIAL_TOKENS), profile.vocabulary_size, size=labels.shape, dtype="int32"
    )
    shown = np.where(dice < MASK_TOKEN_RATE + RANDOM_TOKEN_RATE, others, labels)
    shown = np.where(dice < MASK_TOKEN_RATE, MASK, shown)
    row, column = np.nonzero(chosen)
    hidden = token_ids.copy()
    hidden[row, positions[row, column]] = shown[row, column]
    weights = chosen.astype("float32")
    return {"token_ids": hidden, "mask_positions": positions}, labels, weights
