"""Minutes to the same quality: the Keras guide's recipe, and ours.

    python benchmarks/guide.py

Trains the guide's recipe for half an hour, with our width, depth, vocabulary and reviews,
and judges it on the way as `encoders.py` does; ours are the runs in `encoders.csv`, so let
that be filled first. The clock runs while batches are made and steps are taken, and ours
starts with the seconds of counting. Writes `guide.csv` and the table in README.md.
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
import keras_hub
import tensorflow as tf

from helpers import corpora, models, profiles, results, training

MINUTES = 1, 2, 4, 8, 15, 30
LINE = 210  # characters, which just about fill a row, so that no text is lost
# Rows as long as the longest sentences of the task: it learns no later position.
SIZES = {"encoder": "classic", "sequence_length": 48, "batch_size": 128, "dropout": 0.1}
RATE = 5e-4
FIGURES = common.FOLDER / "guide.csv"
OURS = "350 steps", "700 steps", encoders.BOTH
REACHED = {
    "loss": [5.2, 4.85, 4.6],
    "original": [80, 90],
    "bigram shift": [55, 60],
    "all labels": [75, 77, 78, 79],
}


def batches(profile, vocabulary):
    """Lines, tokenised, padded and masked anew in every epoch."""
    texts = corpora.read_corpus(profile)
    lines = [line for text in texts for line in textwrap.wrap(text, LINE)]
    lines = np.random.default_rng(profile.seed).permutation(lines)
    mask = common.guide_masking(profile, vocabulary)
    lines = tf.data.Dataset.from_tensor_slices(lines).repeat().batch(profile.batch_size)
    masked = lines.map(mask, num_parallel_calls=tf.data.AUTOTUNE)
    return masked.prefetch(tf.data.AUTOTUNE).as_numpy_iterator()


def guide_models(profile, short):
    """The guide's model, compiled as there: a constant rate, no clipping, and a head that
    knows nothing of frequencies; and the same for the shorter rows that all are judged on.
    Unlike the guide's it doesn't attend to padding."""
    encoder = models.build_encoder(profile)
    unknown = np.zeros(profile.vocabulary_size)
    model = models.build_pretraining_model(encoder, profile, unknown)
    kinds = keras_hub.layers.MaskedLMHead
    head = next(layer for layer in model.layers if isinstance(layer, kinds))
    sizes = short.sequence_length, short.predictions_per_sequence
    names = "token_ids", "mask_positions"
    inputs = {
        name: keras.Input((size,), dtype="int32", name=name)
        for name, size in zip(names, sizes, strict=True)
    }
    states = encoder(inputs["token_ids"])
    outputs = {"masked_words": head(states, mask_positions=inputs["mask_positions"])}
    judged = keras.Model(inputs, outputs)
    for each in model, judged:
        each.compile(
            optimizer=keras.optimizers.AdamW(RATE),
            loss={"masked_words": training.cross_entropy},
            weighted_metrics={"masked_words": ["accuracy"]},
        )
    return model, judged


def train():
    """Figures of the guide's recipe after some minutes each."""
    vocabulary, _, rows, kept = encoders.preprocessed({})
    profile = profiles.load_profile(**SIZES, neighbour_weight=0.0)
    short = profiles.load_profile(encoder="classic", neighbour_weight=0.0)
    keras.utils.set_random_seed(profile.seed)
    model, judged = guide_models(profile, short)
    made, seconds, steps = batches(profile, vocabulary), 0.0, 0
    for minutes in MINUTES:
        while seconds < 60 * minutes:
            before = time.perf_counter()
            model.train_on_batch(*next(made))
            seconds, steps = seconds + time.perf_counter() - before, steps + 1
        figures = encoders.read_in_context(short, judged, vocabulary, rows, kept)
        encoder = model.get_layer("classic_encoder")
        figures |= encoders.sentiment(profile, encoder, vocabulary, [None])
        figures |= encoders.bigram_shift(profile, encoder, vocabulary)
        row = {"seconds": seconds, "steps": steps, **figures}
        header = not FIGURES.exists()
        pd.DataFrame([row]).round(3).to_csv(FIGURES, mode="a", index=False, header=header)
        print(row, flush=True)


def show():
    """The seconds after which each has reached a figure, and how many times as many."""
    guide, found = pd.read_csv(FIGURES), pd.read_csv(encoders.FIGURES)
    counting = results.read_record(profiles.load_profile(), 2)["vectors seconds"]
    ours = found[found.run.isin(OURS)].pivot_table("value", "run", "judge")
    ours = ours.sort_values("seconds")
    rows = []
    for judge, goals in REACHED.items():
        for goal in goals:
            after = []
            for curve, start in (guide, 0), (ours, counting):
                there = curve[judge] <= goal if judge == "loss" else curve[judge] >= goal
                after.append(curve.seconds[there].min() + start)
            times = after[0] / after[1]
            theirs = f"{after[0]:,.0f}" if after[0] > 0 else f"> {60 * MINUTES[-1]:,}"
            times = f"{times:.1f}" if times > 0 else f"> {60 * MINUTES[-1] / after[1]:.0f}"
            rows.append((f"{judge} {goal}", theirs, f"{after[1]:,.0f}", times))
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
