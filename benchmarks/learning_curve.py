"""Loss against seconds of training: the recipe of the series and the Keras guide's.

    python benchmarks/learning_curve.py

Both train an encoder of the same width and depth on the same reviews, with the same
vocabulary, in turns of half a minute, so that whatever else the machine does meets both.
The clock of a recipe runs while its batches are made and its steps are taken. Ours starts
with the seconds that its tokens and its word vectors took. Both are measured on the same
hidden tokens of the same sequences, which neither has seen.
"""

import textwrap
import time

import common
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import scipy.sparse
from sklearn.utils.extmath import randomized_svd

import helpers

helpers.choose_backend("jax")

import keras
import tensorflow as tf

from helpers import corpora, masking, models, preprocessing, profiles, training

MINUTES = 10
STEPS = 2400  # of ours, by when its schedule ends; about as many as fit
LINE = 140  # characters
TURN = 30  # seconds
WINDOW = 20  # tokens; that of notebook 2
OURS, GUIDE = "ours", "the guide's"


def word_vectors(rows, size, profile):
    """What notebook 2 starts the embedding from, as it does.

    Args:
        rows: int array, `(rows, sequence)`.
        size: int, of the vocabulary.
        profile: a `Profile`.

    Returns:
        A float32 array, `(size, hidden_dim)`.
    """
    stream = rows.ravel()
    special = stream < len(preprocessing.SPECIAL_TOKENS)
    text = np.cumsum(special)
    counts = scipy.sparse.csr_matrix((size, size), dtype="float32")
    for distance in range(1, WINDOW + 1):
        same = (text[:-distance] == text[distance:]) & ~special[:-distance]
        pair = stream[:-distance][same], stream[distance:][same]
        ones = np.ones(len(pair[0]), dtype="float32")
        counts += scipy.sparse.coo_matrix((ones, pair), shape=counts.shape).tocsr()
    counts += counts.T
    pairs, total = counts.tocoo(), counts.sum(axis=1).A1
    context = total**0.75 / (total**0.75).sum()
    information = np.log(pairs.data / (total[pairs.row] * context[pairs.col]))
    pairs.data = np.maximum(information, 0.0)
    options = {"n_iter": 4, "random_state": profile.seed}
    vectors, *_ = randomized_svd(pairs.tocsr(), profile.hidden_dim, **options)
    occurs = total > 0
    vectors -= vectors[occurs].mean(axis=0)
    vectors *= 0.2 / vectors[occurs].std()
    return (vectors * occurs[:, None]).astype("float32")


def prepare(profile):
    """What notebook 2 makes, without its explanations.

    Args:
        profile: a `Profile`.

    Returns:
        The texts, the vocabulary, the rows, the word vectors, and the seconds that rows and
        vectors took.
    """
    texts = list(corpora.read_corpus(profile))
    vocabulary = preprocessing.load_vocabulary(profile)
    before = time.perf_counter()
    token_ids = preprocessing.tokenize(texts, vocabulary, profile)
    rows = preprocessing.pack(token_ids, profile.sequence_length)
    vectors = word_vectors(rows, len(vocabulary), profile)
    return texts, vocabulary, rows, vectors, time.perf_counter() - before


def guide_batches(lines, profile, vocabulary):
    """Padded lines, tokenised and masked anew in every epoch."""
    return (
        tf.data.Dataset.from_tensor_slices(lines)
        .repeat()
        .batch(profile.batch_size)
        .map(
            common.guide_masking(profile, vocabulary),
            num_parallel_calls=tf.data.AUTOTUNE,
        )
        .prefetch(tf.data.AUTOTUNE)
        .as_numpy_iterator()
    )


def guide_model(profile):
    """The guide's model, compiled as there: a constant rate, no clipping, and a head that
    knows nothing of frequencies. Unlike the guide's it doesn't attend to padding."""
    encoder = models.build_encoder(profile)
    unknown = np.zeros(profile.vocabulary_size)
    model = models.build_pretraining_model(encoder, profile, unknown)
    model.compile(
        optimizer=keras.optimizers.AdamW(profile.learning_rate),
        loss={"masked_words": training.cross_entropy},
        weighted_metrics={"masked_words": ["accuracy"]},
    )
    return model


class Contestant:
    """A compiled model, its batches, and its own clock."""

    def __init__(self, model, batches, seconds=0.0):
        self.model, self.batches, self.seconds = model, batches, seconds
        self.steps, self.curve, self.done = 0, [], False

    def turn(self, validation):
        """Trains for `TURN` seconds, then measures with the clock stopped."""
        before = time.perf_counter()
        while time.perf_counter() - before < TURN and not self.done:
            if batch := next(self.batches, None):
                self.model.train_on_batch(*batch)
                self.steps += 1
            else:
                self.done = True
        self.seconds += time.perf_counter() - before
        self.done |= self.seconds >= 60 * MINUTES
        total = count = 0.0
        for features, labels, weights in validation:
            logits = self.model.predict_on_batch(features)["masked_words"]
            losses = training.cross_entropy(labels["masked_words"], logits)
            total += float((losses * weights["masked_words"]).sum())
            count += weights["masked_words"].sum()
        self.curve.append((self.seconds, self.steps, total / count))


def main():
    profile = profiles.load_profile("sample", pretraining_steps=STEPS)
    texts, vocabulary, rows, vectors, prepared = prepare(profile)
    # The last texts are nobody's.
    kept = preprocessing.VALIDATION_ROWS
    validation_rows, rows = rows[-kept:], rows[:-kept]
    texts = texts[: -(kept * profile.sequence_length // 100)]
    # Lines that just about fill a sequence, so that the guide's way loses no text by it.
    lines = [line for text in texts for line in textwrap.wrap(text, LINE)]
    lines = np.random.default_rng(profile.seed).permutation(lines)
    log_frequencies = preprocessing.log_frequencies(rows, len(vocabulary))
    batches = masking.MaskedBatches(validation_rows, profile, kept // profile.batch_size)
    validation = [batches[number] for number in range(len(batches))]
    batches = masking.MaskedBatches(rows, profile, STEPS)

    same = (
        "vocabulary_size",
        "sequence_length",
        "mask_rate",
        "hidden_dim",
        "num_layers",
        "num_heads",
        "intermediate_dim",
        "batch_size",
    )
    guide = profiles.load_profile(
        "guide", **{name: getattr(profile, name) for name in same}
    )
    keras.utils.set_random_seed(profile.seed)
    contestants = {
        OURS: Contestant(
            training.pretraining_model(profile, STEPS, log_frequencies, vectors),
            (batches[number] for number in range(STEPS)),
            prepared,
        ),
        GUIDE: Contestant(guide_model(guide), guide_batches(lines, guide, vocabulary)),
    }
    while not all(contestant.done for contestant in contestants.values()):
        for name, contestant in contestants.items():
            if not contestant.done:
                contestant.turn(validation)
                seconds, steps, loss = contestant.curve[-1]
                print(
                    f"{name:12} {seconds:5.0f} s {steps:5} steps, loss {loss:.3f}",
                    flush=True,
                )
    show({name: np.array(one.curve) for name, one in contestants.items()})


def show(curves):
    """The table and the picture."""
    # The lowest loss so far: when was it reached?
    best = {
        name: (curve[:, 0], np.minimum.accumulate(curve[:, 2]))
        for name, curve in curves.items()
    }
    rows = []
    for seconds, loss in list(zip(*best[GUIDE], strict=True))[3::4]:
        reached = np.interp(-loss, -best[OURS][1], best[OURS][0])
        rows.append((f"{loss:.2f}", seconds, reached, seconds / reached))
    table = pd.DataFrame(
        rows, columns=["loss", f"{GUIDE} (s)", f"{OURS} (s)", "times sooner"]
    ).set_index("loss")
    figure, axis = plt.subplots(figsize=(7.5, 3.6), layout="constrained")
    for (name, curve), style in zip(curves.items(), ("-o", "--s"), strict=True):
        axis.plot(curve[:, 0] / 60, curve[:, 2], style, markersize=4, label=name)
    axis.set(xlabel="minutes, from raw text", ylabel="validation loss")
    axis.legend(frameon=False)
    figure.savefig(common.FOLDER / "learning_curve.png", dpi=110)
    common.report(
        "learning_curve",
        "Loss against seconds",
        table,
        *(
            f"- {name}: loss {curve[-1, 2]:.2f} after {curve[-1, 0]:.0f} s, "
            f"{curve[-1, 1]:.0f} steps"
            for name, curve in curves.items()
        ),
        "",
        common.versions("keras", "keras-hub", "jax"),
    )


if __name__ == "__main__":
    main()
