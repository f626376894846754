"""`full` against `guide` at their true width, for as long as is feasible on two cores.

    python benchmarks/learning.py

Both train in turns on the 25,000 reviews, with batches of 16 rows instead of 128 and a
vocabulary learnt from the reviews; and `full` once more in bfloat16, which is slow on a
CPU, but computes the same as on a TPU. Both schedules are for 1,000 steps. Writes
`learning.csv`, and the table in README.md.
"""

import common
import encoders
import numpy as np
import pandas as pd

import helpers

helpers.choose_backend("jax")

import keras
from keras import ops

from helpers import finetuning, masking, models, packing, pretraining, profiles, tasks

STEPS, BETWEEN, BATCH = 1000, 100, 16
MEASURED = 512  # rows
TOKENS = BATCH * 128  # in a step
FIGURES = common.FOLDER / "learning.csv"
SETTINGS = {"corpus": "imdb", "task": "rotten-tomatoes", "vocabulary": "learnt"}
SETTINGS |= {"batch_size": BATCH, "pretraining_steps": STEPS, "sentence_lengths": [24, 48]}
RUNS = {
    "guide": ("guide", "float32"),
    "full": ("full", "float32"),
    "full, bfloat16": ("full", "mixed_bfloat16"),
}


def build(name, precision, vocabulary, vectors, rows):
    """A profile, its model and its dtype policy."""
    profile = profiles.load_profile(name, **SETTINGS)
    keras.config.set_dtype_policy(precision)
    keras.utils.set_random_seed(profile.seed)
    frequencies = packing.log_frequencies(rows, len(vocabulary))
    start = vectors if profile.word_vectors else None
    model = pretraining.pretraining_model(profile, STEPS, frequencies, start)
    return profile, model, precision


def measure(model, rows):
    """The loss on masked words, in nats, with the same masks for all models."""
    profile = profiles.load_profile("guide", **SETTINGS)
    losses = []
    for features, labels, weights in masking.MaskedBatches(
        rows, profile, MEASURED // BATCH
    ):
        found = model.predict_on_batch(features)["masked_words"]
        loss = pretraining.cross_entropy(labels["masked_words"], found)
        chosen = weights["masked_words"] > 0
        losses.append(ops.convert_to_numpy(loss)[chosen])
    return float(np.concatenate(losses).mean())


def finetune(profile, model, vocabulary):
    """Test accuracy after fine-tuning on all labels, in percent."""
    encoder = model.get_layer(f"{profile.encoder}_encoder")
    task = tasks.read_task(profile)
    sides = [
        (packing.sentence_rows(side.text, vocabulary, profile), side.label.to_numpy())
        for side in (task.train, task.test)
    ]
    epochs = profile.finetuning_epochs
    classifier = finetuning.train_classifier(
        profile, *sides[0], profile.seed, epochs, encoder
    )
    found = models.class_probabilities(classifier, sides[1][0])
    return 100 * np.mean(found.argmax(axis=1) == sides[1][1])


def report(found):
    """Writes the figures to `learning.csv` and into README.md."""
    table = pd.DataFrame(found)
    table.round(3).to_csv(FIGURES, index=False)
    losses = table.dropna(subset="loss").pivot(index="steps", columns="run", values="loss")
    losses = losses[[*RUNS]].map("{:.2f}".format).reset_index()
    losses.insert(1, "tokens", (losses.steps * TOKENS).map("{:,}".format))
    losses = losses.astype({"steps": str})
    if "accuracy" in table:
        accuracy = table.dropna(subset="accuracy").set_index("run").accuracy
        accuracy = accuracy.map("{:.1f} %".format)
        losses.loc[len(losses)] = {"steps": "fine-tuned", "tokens": "", **accuracy}
    text = losses.to_markdown(index=False, disable_numparse=True)
    common.replace_table("`full` against `guide`", text)


if __name__ == "__main__":
    vocabulary, vectors, rows, kept = encoders.preprocessed(profiles.PROFILES["guide"])
    runs = {run: build(*each, vocabulary, vectors, rows) for run, each in RUNS.items()}
    found = []
    for step in range(0, STEPS + 1, BETWEEN):
        for run, (profile, model, precision) in runs.items():
            keras.config.set_dtype_policy(precision)
            if step:
                batches = masking.MaskedBatches(rows, profile, BETWEEN, step - BETWEEN)
                callbacks = [pretraining.Progress()]  # stops a diverged training
                model.fit(batches, shuffle=False, verbose=0, callbacks=callbacks)
            found.append({"run": run, "steps": step, "loss": measure(model, kept)})
            report(found)
    for run, (profile, model, precision) in runs.items():
        keras.config.set_dtype_policy(precision)
        accuracy = finetune(profile, model, vocabulary)
        found.append({"run": run, "steps": STEPS, "accuracy": accuracy})
        report(found)
