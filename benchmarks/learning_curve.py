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

import helpers

helpers.choose_backend("jax")

import keras
import tensorflow as tf

from helpers import preprocessing, profiles, training

MINUTES = 10
STEPS = 2400  # of ours, by when its schedule ends; about as many as fit
LINE = 140  # characters
TURN = 30  # seconds
OURS, GUIDE = "ours", "the guide's"


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


class Contestant:
    """A model, its batches, and its own clock."""

    def __init__(self, profile, batches, log_frequencies, vectors=None, seconds=0.0):
        keras.utils.set_random_seed(profile.seed)
        self.model = training.pretraining_model(
            profile, profile.pretraining_steps, log_frequencies, vectors
        )
        self.batches, self.profile, self.seconds = batches, profile, seconds
        self.steps, self.curve = 0, []

    def turn(self, validation):
        """Trains for `TURN` seconds, then measures with the clock stopped."""
        before = time.perf_counter()
        while time.perf_counter() - before < TURN and not self.done():
            features, labels, weights = next(self.batches)
            self.model.train_on_batch(features, labels, weights)
            self.steps += 1
        self.seconds += time.perf_counter() - before
        total = count = 0.0
        for features, labels, weights in validation:
            logits = self.model.predict_on_batch(features)["masked_words"]
            losses = training.cross_entropy(labels["masked_words"], logits)
            total += float((losses * weights["masked_words"]).sum())
            count += weights["masked_words"].sum()
        self.curve.append((self.seconds, self.steps, total / count))

    def done(self):
        return self.seconds >= 60 * MINUTES or self.steps >= self.profile.pretraining_steps


def main():
    profile = profiles.load_profile("sample", pretraining_steps=STEPS)
    texts, vocabulary, rows, vectors, prepared = common.prepare(profile)
    # The last texts are nobody's.
    kept = len(rows) - profile.validation_sequences
    validation_rows, rows = rows[kept:], rows[:kept]
    texts = texts[: -(profile.validation_sequences * profile.sequence_length // 100)]
    # Lines that just about fill a sequence, so that the guide's way loses no text by it.
    lines = [line for text in texts for line in textwrap.wrap(text, LINE)]
    lines = np.random.default_rng(profile.seed).permutation(lines)
    log_frequencies = preprocessing.log_frequencies(rows, vocabulary)
    validation = preprocessing.MaskedBatches(
        validation_rows, profile, vocabulary, len(validation_rows) // profile.batch_size
    )

    guide = profiles.load_profile(
        "guide",
        **{
            name: getattr(profile, name)
            for name in (
                "vocabulary_size",
                "sequence_length",
                "predictions_per_sequence",
                "hidden_dim",
                "num_layers",
                "num_heads",
                "intermediate_dim",
                "batch_size",
            )
        },
        mask_rate=profile.mask_rate,
        # Better than the guide, which has no padding mask.
        attend_padding=False,
    )
    contestants = {
        OURS: Contestant(
            profile,
            iter(
                preprocessing.MaskedBatches(
                    rows, profile, vocabulary, profile.pretraining_steps
                )
            ),
            log_frequencies,
            vectors,
            prepared,
        ),
        GUIDE: Contestant(
            guide, guide_batches(lines, guide, vocabulary), np.zeros(len(vocabulary))
        ),
    }
    while not all(contestant.done() for contestant in contestants.values()):
        for name, contestant in contestants.items():
            if not contestant.done():
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
