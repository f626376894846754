"""What it costs to average padding into the sentence vector, as the Keras guide does.

    python benchmarks/padding.py

Fine-tunes the sample profile's pretrained encoder with and without `average_padding`, in
rows of two lengths. Needs what notebook 3 leaves. Accuracy on the validation sentences and
the test sentences together: nothing was chosen here.
"""

import common
import numpy as np
import pandas as pd

import helpers

helpers.choose_backend("jax")

import keras

from helpers import corpora, preprocessing, profiles, results, training


def accuracies(profile, pretrained, vocabulary):
    """Accuracy (%) of each seed, with few labels and with all: two arrays."""
    task = corpora.read_task(profile)
    measured = pd.concat([task.validation, task.test])
    ids = preprocessing.sentence_rows(profile, measured.text, vocabulary)
    found = []
    for seed in range(profile.seed, profile.seed + profile.repeats):
        draws = corpora.few(task.train, profile.few_labels, seed), task.train
        epochs = profile.finetuning_few_epochs, profile.finetuning_epochs
        for drawn, passes in zip(draws, epochs, strict=True):
            rows = preprocessing.sentence_rows(profile, drawn.text, vocabulary)
            arrays = rows, drawn.label.to_numpy()
            model, _ = training.train_classifier(profile, arrays, seed, passes, pretrained)
            chances = training.class_probabilities(model, ids)
            found.append(100 * (chances.argmax(axis=1) == measured.label).mean())
    return np.array(found[::2]), np.array(found[1::2])


def main():
    profile = profiles.load_profile()
    results.read_record(profile, 3)
    vocabulary = results.path(profile, "vocabulary.txt").read_text("utf-8").split("\n")
    pretrained = keras.saving.load_model(results.path(profile, "encoder.keras"))
    rows = {}
    for length in profile.sentence_length, 128:
        for average in False, True:
            asked = profiles.load_profile(average_padding=average, sentence_length=length)
            few, every = accuracies(asked, pretrained, vocabulary)
            name = f"{'averaged' if average else 'left out'}, rows of {length}"
            rows[name] = {
                f"{profile.few_labels} labels": common.spread(few, 1),
                "all labels": common.spread(every, 1),
            }
            print(name, rows[name], flush=True)
    table = pd.DataFrame(rows).T
    table.index.name = "padding"
    common.report(
        "padding",
        "Padding in the mean",
        table,
        f"Accuracy (%), median of {profile.repeats} seeds, with their range.",
        "",
        common.versions("keras", "keras-hub", "jax"),
    )


if __name__ == "__main__":
    main()
