"""Batches for masked language modelling. Notebook 2 compares them with KerasHub's."""

import keras
import numpy as np

from helpers.normalization import MASK, SPECIAL_TOKENS
from helpers.preprocessing import NEVER_HIDDEN

# As in BERT (Devlin et al., 2019, section 3.1), and by default in KerasHub: a chosen token
# becomes [MASK] in 80 % of cases and a random token in 10 %, and stays in the other 10 %.
# Unlike there, the random token is never a special one: [PAD] would hide it from attention.
MASK_TOKEN_RATE, RANDOM_TOKEN_RATE = 0.8, 0.1


class MaskedBatches(keras.utils.PyDataset):
    """Shuffled batches of rows, in which other tokens are masked in every epoch.

    Like `keras_hub.layers.MaskedLMMaskGenerator`, but batch n depends only on the seed and
    on n, so that training can resume anywhere. With a `neighbour_weight`, rows 2i and
    2i + 1 of a batch follow each other in the text.

    Args:
        rows: int array, `(rows, sequence)`, possibly memory-mapped.
        steps: int, the number of batches.
        first: int, the number of the first batch, where a training resumes.
        salt: int, selects another sequence of batches for the same seed.

    An item is what `fit` takes: features, a dict of `token_ids`, int32 `(batch, sequence)`,
    and `mask_positions`, int32 `(batch, predictions)`; labels, a dict of `masked_words`,
    the masked ids, int32 `(batch, predictions)`, and possibly `neighbours`, `(batch / 2,)`;
    and float32 weights like the labels, 0 after the last masked token of a row.
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
    """Masks tokens in rows, int32 `(batch, sequence)`, with one sort for the whole batch:
    features, labels and weights of the masked words, as in `MaskedBatches`."""
    length, predictions = token_ids.shape[1], profile.predictions_per_sequence
    candidate = ~np.isin(token_ids, NEVER_HIDDEN)
    wanted = np.ceil(profile.mask_rate * candidate.sum(axis=1, keepdims=True))
    # A random score for each token, higher for special ones: the lowest are chosen.
    scores = rng.random(token_ids.shape, dtype="float32") + ~candidate
    drawn = scores.argsort(axis=1)[:, :predictions].astype("int32")
    # In text order; surplus positions are moved past the end.
    positions = np.sort(np.where(np.arange(predictions) < wanted, drawn, length), axis=1)
    chosen = positions < length
    positions[~chosen] = 0
    labels = np.take_along_axis(token_ids, positions, axis=1) * chosen
    dice = rng.random(labels.shape, dtype="float32")
    words = len(SPECIAL_TOKENS), profile.vocabulary_size
    others = rng.integers(*words, size=labels.shape, dtype="int32")
    shown = np.where(dice < MASK_TOKEN_RATE + RANDOM_TOKEN_RATE, others, labels)
    shown = np.where(dice < MASK_TOKEN_RATE, MASK, shown)
    row, column = np.nonzero(chosen)
    hidden = token_ids.copy()
    hidden[row, positions[row, column]] = shown[row, column]
    weights = chosen.astype("float32")
    return {"token_ids": hidden, "mask_positions": positions}, labels, weights
