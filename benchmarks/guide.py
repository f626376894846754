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
import numpy as np
import pandas as pd

import helpers

helpers.choose_backend("jax")

import keras
import tensorflow as tf

from helpers import corpora, models, pretraining, profiles, records

MINUTES = 2, 4, 8, 12, 20
LINE = 140  # characters, which just fit into a row, so that no text is lost
SETTINGS = {
    "encoder": "classic",
    "batch_size": 128,
    "dropout": 0.1,
    "neighbour_weight": 0.0,
}
RATE = 5e-4
FIGURES = common.FOLDER / "guide.csv"
OURS = "350 steps", "700 steps", encoders.BOTH
REACHED = {
    "loss": [5.2, 4.85, 4.6],
    "original": [80, 90],
    "bigram shift (mean)": [55, 60, 65],
    "all labels": [75, 77, 78, 79],
}


def batches(profile, vocabulary):
    """Batches of lines, tokenised, padded and masked anew in every epoch."""
    texts = corpora.read_corpus(profile)
    lines = [line for text in texts for line in textwrap.wrap(text, LINE)]
    lines = np.random.default_rng(profile.seed).permutation(lines)
    mask = common.guide_masking(profile, vocabulary)
    lines = tf.data.Dataset.from_tensor_slices(lines).repeat().batch(profile.batch_size)
    masked = lines.map(mask, num_parallel_calls=tf.data.AUTOTUNE)
    return masked.prefetch(tf.data.AUTOTUNE).as_numpy_iterator()


def guide_model(profile):
    """The guide's model, compiled as there: constant rate, no clipping, and a head that
    does not start from token frequencies. Unlike the guide's it masks padding."""
    encoder = models.build_encoder(profile)
    unknown = np.zeros(profile.vocabulary_size)
    model = models.build_pretraining_model(encoder, profile, unknown)
    model.compile(
        optimizer=keras.optimizers.AdamW(RATE),
        loss={"masked_words": pretraining.cross_entropy},
        weighted_metrics={"masked_words": ["accuracy"]},
    )
    return model


def train():
    """Trains the guide's recipe, and records its figures after each of `MINUTES`."""
    vocabulary, _, rows, kept = encoders.preprocessed({})
    profile = profiles.load_profile(**SETTINGS)
    keras.utils.set_random_seed(profile.seed)
    model = guide_model(profile)
    made, seconds, steps = batches(profile, vocabulary), 0.0, 0
    for minutes in MINUTES:
        while seconds < 60 * minutes:
            before = time.perf_counter()
            model.train_on_batch(*next(made))
            seconds, steps = seconds + time.perf_counter() - before, steps + 1
        figures = encoders.read_in_context(profile, model, vocabulary, rows, kept)
        encoder = model.get_layer("classic_encoder")
        figures |= encoders.sentiment(profile, encoder, vocabulary, [None])
        figures |= encoders.bigram_shift(profile, encoder, vocabulary)
        row = {"seconds": seconds, "steps": steps, **figures}
        header = not FIGURES.exists()
        pd.DataFrame([row]).round(3).to_csv(FIGURES, mode="a", index=False, header=header)
        print(row, flush=True)


def seconds_until(curve, metric, goal):
    """When the best value so far reached a goal, interpolated linearly; nan if it never
    did, and the time of the first measurement if that had already reached it."""
    sign = -1 if metric == "loss" else 1
    best = np.maximum.accumulate(sign * curve[metric].to_numpy())
    return np.interp(sign * goal, best, curve.seconds, right=np.nan)


def show():
    """Tabulates the seconds in which each recipe reaches a goal, and their ratio."""
    guide, found = pd.read_csv(FIGURES), pd.read_csv(encoders.FIGURES)
    encoders.preprocessed({})  # selects the folder of the notebooks' records
    counting = records.read_record(profiles.load_profile(), 2)["vectors seconds"]
    ours = found[found.run.isin(OURS)].pivot_table("value", "run", "metric")
    ours = ours.sort_values("seconds")
    ours.seconds += counting
    rows = []
    for metric, goals in REACHED.items():
        for goal in goals:
            after = [seconds_until(each, metric, goal) for each in (guide, ours)]
            last = [each.seconds.max() for each in (guide, ours)]
            said = [
                f"> {end:,.0f}" if np.isnan(there) else f"{there:,.0f}"
                for there, end in zip(after, last, strict=True)
            ]
            times = np.where(np.isnan(after), last, after)
            times = f"{'> ' if np.isnan(after[0]) else ''}{times[0] / times[1]:.1f}"
            rows.append((f"{metric} {goal}", *said, "" if np.isnan(after[1]) else times))
    columns = ["reached", "the guide's (s)", "ours (s)", "times sooner"]
    table = pd.DataFrame(rows, columns=columns).to_markdown(
        index=False, disable_numparse=True
    )
    common.replace_table("Against the guide's recipe", table)


if __name__ == "__main__":
    if not FIGURES.exists():
        train()
    show()
    print(common.machine(), common.versions("keras", "keras-hub", "jax"), sep="; ")
