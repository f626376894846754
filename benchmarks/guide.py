"""Minutes to the same quality: the Keras guide's recipe, and ours.

    python benchmarks/guide.py

Trains the guide's recipe for 20 minutes, with our width, depth, vocabulary, row length and
reviews, and evaluates it on the way as `encoders.py` does. Ours are the runs in
`encoders.csv`, so run that first. Times include making batches and taking steps, and for
ours the seconds of counting. Writes `guide.csv` and the table in README.md.
"""

import textwrap
import time

import common
import encoders
import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from helpers import corpora, models, pretraining, profiles, records

MINUTES = 2, 4, 8, 12, 20
LINE = 140  # characters, which just fit into a row, so that no text is lost
SETTINGS = {"encoder": "classic", "batch_size": 128, "dropout": 0.1}
RATE = 5e-4
FIGURES = common.FOLDER / "guide.csv"
OURS = "350 steps", "700 steps", encoders.PRETRAINED
REACHED = {
    "loss": [5.2, 4.85, 4.6],
    "original": [80, 90],
    "bigram shift (mean)": [55, 60, 65],
    "all labels": [75, 77, 78, 79],
}


def make_batches(profile, vocabulary):
    """Batches of lines, tokenised, padded and masked anew in every epoch."""
    lines = []
    for text in corpora.read_corpus(profile):
        lines += textwrap.wrap(text, LINE)
    lines = np.random.default_rng(profile.seed).permutation(lines)
    mask = common.guide_masking(profile, vocabulary)
    lines = tf.data.Dataset.from_tensor_slices(lines).repeat().batch(profile.batch_size)
    masked = lines.map(mask, num_parallel_calls=tf.data.AUTOTUNE)
    return masked.prefetch(tf.data.AUTOTUNE).as_numpy_iterator()


def build(profile):
    """The guide's encoder and model, compiled as there: constant rate, no clipping, and a
    head that does not start from token frequencies. Unlike the guide's it masks padding."""
    encoder = models.build_encoder(profile)
    unknown = np.zeros(profile.vocabulary_size)
    model = models.build_pretraining_model(encoder, unknown)
    model.compile(
        optimizer=keras.optimizers.AdamW(RATE),
        loss=pretraining.cross_entropy,
        weighted_metrics=["accuracy"],
    )
    return encoder, model


def train():
    """Trains the guide's recipe, and records its figures after each of `MINUTES`."""
    vocabulary, _, rows, kept = encoders.preprocessed({})
    profile = profiles.load_profile(**SETTINGS)
    keras.utils.set_random_seed(profile.seed)
    encoder, model = build(profile)
    # The same weights, with the metrics of `encoders.py`.
    measured = keras.Model(model.input, model.output)
    metrics = [pretraining.accuracy, pretraining.cross_entropy]
    measured.compile(None, weighted_metrics=metrics)
    batches = make_batches(profile, vocabulary)
    seconds = 0.0
    steps = 0
    for minutes in MINUTES:
        while seconds < 60 * minutes:
            before = time.perf_counter()
            model.train_on_batch(*next(batches))
            seconds += time.perf_counter() - before
            steps += 1
        figures = {"seconds": seconds, "steps": steps}
        figures |= encoders.read_in_context(
            profile, encoder, measured, vocabulary, rows, kept
        )
        figures |= encoders.sentiment(profile, encoder, vocabulary, [None])
        figures |= encoders.bigram_shift(profile, encoder, vocabulary)
        new = pd.DataFrame([figures]).round(3)
        new.to_csv(FIGURES, mode="a", index=False, header=not FIGURES.exists())
        print(figures, flush=True)


def seconds_until(curve, metric, goal):
    """When the best value so far reached a goal, interpolated linearly; nan if it never
    did, and the time of the first measurement if that had already reached it."""
    sign = -1 if metric == "loss" else 1
    best = np.maximum.accumulate(sign * curve[metric].to_numpy())
    return np.interp(sign * goal, best, curve.seconds, right=np.nan)


def say(seconds, curve):
    return f"> {curve.seconds.max():,.0f}" if np.isnan(seconds) else f"{seconds:,.0f}"


def show():
    """Tabulates the seconds in which each recipe reaches a goal, and their ratio."""
    guide = pd.read_csv(FIGURES)
    encoders.preprocessed({})  # selects the folder of the notebooks' records
    counting = records.read_record(profiles.load_profile(), 2)["vectors seconds"]
    figures = pd.read_csv(encoders.FIGURES)
    ours = figures[figures.run.isin(OURS)].pivot_table("value", "run", "metric")
    ours = ours.sort_values("seconds")
    ours.seconds += counting
    rows = []
    for metric, goals in REACHED.items():
        for goal in goals:
            theirs_at = seconds_until(guide, metric, goal)
            ours_at = seconds_until(ours, metric, goal)
            times = f"{theirs_at / ours_at:.1f}"
            if np.isnan(theirs_at):
                times = f"> {guide.seconds.max() / ours_at:.1f}"
            if np.isnan(ours_at):
                times = ""
            said = say(theirs_at, guide), say(ours_at, ours)
            rows.append((f"{metric} {goal}", said[0], said[1], times))
    columns = ["reached", "the guide's (s)", "ours (s)", "times sooner"]
    table = pd.DataFrame(rows, columns=columns)
    common.replace_table("Against the guide's recipe", table)


if __name__ == "__main__":
    if not FIGURES.exists():
        train()
    show()
    print(common.machine(), common.versions("keras", "keras-hub", "jax"), sep="; ")
