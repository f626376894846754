"""`full` against `guide` at their true width, for as long as is feasible on two cores.

    python benchmarks/learning.py

Both train in turns on the 25,000 reviews, with batches of 16 rows instead of 128 and a
vocabulary learnt from the reviews; and `full` once more in bfloat16, which is slow on a
CPU, but computes the same as on a TPU. Both schedules are for 1,000 steps. Writes
`learning.csv`, and the table in README.md.
"""

import common
import encoders
import keras
import numpy as np
import pandas as pd

from helpers import masking, models, packing, pretraining, profiles

STEPS, BETWEEN, BATCH = 1000, 100, 16
MEASURED = 512  # rows
TOKENS = BATCH * 128  # in a step
SETTINGS = {"corpus": "imdb", "task": "rotten-tomatoes", "vocabulary": "learnt"}
SETTINGS |= {"batch_size": BATCH, "pretraining_steps": STEPS, "sentence_lengths": [24, 48]}
# Profile and precision
RUNS = {
    "guide": ("guide", "float32"),
    "full": ("full", "float32"),
    "full, bfloat16": ("full", "mixed_bfloat16"),
}


def build(profile, vectors, rows):
    """The encoder of a profile, and its pretraining model."""
    keras.utils.set_random_seed(profile.seed)
    encoder = models.build_encoder(profile)
    log_frequencies = packing.log_frequencies(rows, profile.vocabulary_size)
    start = vectors if profile.word_vectors else None
    model = pretraining.pretraining_model(profile, STEPS, log_frequencies, start, encoder)
    return encoder, model


def measure(model, rows):
    """The loss on masked words, in nats, with the same masks for all models."""
    profile = profiles.load_profile("guide", **SETTINGS)
    losses = []
    batches = masking.MaskedBatches(rows, profile, MEASURED // BATCH)
    for step in range(len(batches)):
        features, labels, weights = batches[step]
        logits = model.predict_on_batch(features)
        loss = pretraining.cross_entropy(labels, logits)
        losses.append(keras.ops.convert_to_numpy(loss)[weights > 0])
    return float(np.concatenate(losses).mean())


def train(profile, model, rows, first):
    """Trains from one measurement to the next."""
    batches = masking.MaskedBatches(rows, profile, BETWEEN, first)
    callbacks = [pretraining.Progress()]  # stops a diverged training
    model.fit(batches, shuffle=False, verbose=0, callbacks=callbacks)


def report(figures):
    """Writes the figures to `learning.csv` and into README.md."""
    table = pd.DataFrame(figures)
    table.round(3).to_csv(common.FOLDER / "learning.csv", index=False)
    losses = table.dropna(subset="loss").pivot(index="steps", columns="run", values="loss")
    losses = losses[[*RUNS]].map("{:.2f}".format).reset_index()
    losses.insert(1, "tokens", (losses.steps * TOKENS).map("{:,}".format))
    losses = losses.astype({"steps": str})
    if "accuracy" in table:
        accuracy = table.dropna(subset="accuracy").set_index("run").accuracy
        accuracy = accuracy.map("{:.1f} %".format)
        losses.loc[len(losses)] = {"steps": "fine-tuned", "tokens": "", **accuracy}
    common.replace_table("`full` against `guide`", losses)


def main():
    vocabulary, vectors, rows, kept = encoders.preprocessed(profiles.PROFILES["guide"])
    runs = {}
    for run, (name, precision) in RUNS.items():
        profile = profiles.load_profile(name, **SETTINGS)
        keras.config.set_dtype_policy(precision)
        encoder, model = build(profile, vectors, rows)
        runs[run] = profile, precision, encoder, model
    figures = []
    for step in range(0, STEPS + 1, BETWEEN):
        for run, (profile, precision, _, model) in runs.items():
            keras.config.set_dtype_policy(precision)
            if step:
                train(profile, model, rows, step - BETWEEN)
            figures.append({"run": run, "steps": step, "loss": measure(model, kept)})
            report(figures)
    for run, (profile, precision, encoder, _) in runs.items():
        keras.config.set_dtype_policy(precision)
        accuracy = encoders.sentiment(profile, encoder, vocabulary, [None])
        figures.append({"run": run, "steps": STEPS, "accuracy": accuracy["all labels"]})
        report(figures)


if __name__ == "__main__":
    main()
