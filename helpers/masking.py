"""Batches with hidden tokens. Notebook 2 compares them with those of KerasHub's layer."""

import keras
import numpy as np

from helpers.preprocessing import MASK, NEVER_HIDDEN

# BERT's way with a chosen token (Devlin et al., 2019, section 3.1), and KerasHub's
# default: hidden in 80 % of cases, replaced by another in 10 %, left alone in 10 %.
MASK_TOKEN_RATE, RANDOM_TOKEN_RATE = 0.8, 0.1


class MaskedBatches(keras.utils.PyDataset):
    """Batches drawn from rows, with other tokens hidden in every pass.

    As `keras_hub.layers.MaskedLMMaskGenerator`, but batch number n depends on the seed and
    on n alone, so that a training can go on anywhere. With a `neighbour_weight`, rows 2i
    and 2i + 1 of a batch follow each other in the text.

    Args:
        rows: int array, `(rows, sequence)`, perhaps mapped into memory.
        steps: int, batches.
        first: int, the number of the first batch: those before it were trained on already.
        salt: int, makes another series of batches from the same seed.

    An item is what `fit` takes: features, a dict of `token_ids`, int32 `(batch, sequence)`,
    and `mask_positions`, int32 `(batch, predictions)`; labels, a dict of `masked_words`,
    the hidden ids, int32 `(batch, predictions)`, and perhaps `neighbours`, `(batch / 2,)`;
    and float32 weights like the labels, 0 after the last hidden token of a row.
    """

    def __init__(self, rows, profile, steps, first=0, salt=0):
        super().__init__()
        self.rows, self.profile, self.steps, self.first = rows, profile, steps, first
        self.seed, self.order = (profile.seed, salt), (None, None)

    def __len__(self):
        return self.steps

    def __getitem__(self, step):
        # Rows are drawn one by one, or in pairs of neighbours.
        together = 2 if self.profile.neighbour_weight else 1
        draws, units = self.profile.batch_size // together, len(self.rows) // together
        number, place = divmod(self.first + step, units // draws)
        if self.order[0] != number:
            rng = np.random.default_rng((*self.seed, 0, number))
            self.order = number, rng.permutation(units)
        drawn = self.order[1][place * draws : (place + 1) * draws, None]
        rows = self.rows[(together * drawn + np.arange(together)).ravel()]
        rng = np.random.default_rng((*self.seed, 1, self.first + step))
        features, words, weights = hide(rows.astype("int32"), self.profile, rng)
        labels, weights = {"masked_words": words}, {"masked_words": weights}
        if self.profile.neighbour_weight:
            labels["neighbours"] = np.arange(draws, dtype="int32")
            weights["neighbours"] = np.ones(draws, dtype="float32")
        return features, labels, weights


def hide(token_ids, profile, rng):
    """Hides tokens in rows, int32 `(batch, sequence)`, with one sort for all of them:
    features, labels and weights of the masked words, as in `MaskedBatches`."""
    length, predictions = token_ids.shape[1], profile.predictions_per_sequence
    candidate = ~np.isin(token_ids, NEVER_HIDDEN)
    wanted = np.ceil(profile.mask_rate * candidate.sum(axis=1, keepdims=True))
    # A random number for each token, special ones last: the first few win.
    scores = rng.random(token_ids.shape, dtype="float32") + ~candidate
    drawn = scores.argsort(axis=1)[:, :predictions].astype("int32")
    # In the order of the text; what is not wanted goes behind its end.
    positions = np.sort(np.where(np.arange(predictions) < wanted, drawn, length), axis=1)
    chosen = positions < length
    positions[~chosen] = 0
    labels = np.take_along_axis(token_ids, positions, axis=1) * chosen
    dice = rng.random(labels.shape, dtype="float32")
    others = rng.integers(profile.vocabulary_size, size=labels.shape, dtype="int32")
    shown = np.where(dice < MASK_TOKEN_RATE + RANDOM_TOKEN_RATE, others, labels)
    shown = np.where(dice < MASK_TOKEN_RATE, MASK, shown)
    row, column = np.nonzero(chosen)
    hidden = token_ids.copy()
    hidden[row, positions[row, column]] = shown[row, column]
    weights = chosen.astype("float32")
    return {"token_ids": hidden, "mask_positions": positions}, labels, weights
