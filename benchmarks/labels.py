"""Accuracy against the number of labelled sentences: what pretraining is worth.

    python benchmarks/labels.py

Trains a bag of words, the encoder from scratch and the pretrained one on 50 labelled
sentences, on more, and on all. Needs what notebook 3 leaves. Writes the figures that
notebook 4 draws, `helpers/labels.csv`. They are of the test sentences, which decided
nothing; the rule for the number of epochs was chosen on validation sentences.
"""

import common
import numpy as np
import pandas as pd

import helpers

helpers.choose_backend("jax")

import keras

from helpers import corpora, preprocessing, profiles, results, training

LABELS = 50, 100, 250, 500, 1000, 2000
SEEDS = 5


def epochs(labels, few, every):
    """How often to read so many sentences: passes, int.

    As often as the profile says where it says it; in between in proportion, both on a
    logarithmic scale. With fewer, as many steps as with the profile's few labels.

    Args:
        labels: int, sentences.
        few: pair of sentences and epochs, the profile's with few labels.
        every: the same with all labels.
    """
    if labels < few[0]:
        return round(few[0] * few[1] / labels)
    sentences, passes = np.log([few, every]).T
    return round(np.exp(np.interp(np.log(labels), sentences, passes)))


def accuracies(profile, task, measured, encode, pretrained):
    """Trains on every number of labels, with every seed.

    Args:
        profile: a `Profile`.
        task: a `Task`.
        measured: DataFrame of the sentences to measure on.
        encode: function from such a DataFrame to token ids and labels.
        pretrained: the pretrained encoder.

    Returns:
        A dict of number and model to a bool array, `(seeds, sentences)`, True where it
        was right.
    """
    total = len(task.train)
    passes = {
        "bag of words": (profile.baseline_few_epochs, profile.baseline_epochs),
        "from scratch": (profile.scratch_few_epochs, profile.finetuning_epochs),
        "pretrained": (profile.finetuning_few_epochs, profile.finetuning_epochs),
    }
    ids, answers = encode(measured)
    right = {}
    for labels in (*LABELS, total):
        for seed in range(profile.seed, profile.seed + SEEDS):
            train = task.train
            if labels < total:
                train = corpora.few(task.train, labels, seed)
            for name, (few, every) in passes.items():
                often = epochs(labels, (profile.few_labels, few), (total, every))
                if name == "bag of words":
                    correct = common.bag_of_words(profile, train, measured, seed, often)
                else:
                    start = pretrained if name == "pretrained" else None
                    model, _ = training.train_classifier(
                        profile, encode(train), seed, often, start
                    )
                    chances = training.class_probabilities(model, ids)
                    correct = chances.argmax(axis=1) == answers
                right.setdefault((labels, name), []).append(correct)
        print(
            labels,
            *(f"{name} {100 * np.mean(right[labels, name]):.1f}" for name in passes),
            flush=True,
        )
    return right


def main():
    profile = profiles.load_profile()
    task = corpora.read_task(profile)
    results.read_record(profile, 3)
    vocabulary = results.path(profile, "vocabulary.txt").read_text("utf-8").split("\n")
    pretrained = keras.saving.load_model(results.path(profile, "encoder.keras"))

    def encode(sentences):
        rows = preprocessing.sentence_rows(profile, sentences.text, vocabulary)
        return rows, sentences.label.to_numpy()

    right = accuracies(profile, task, task.test, encode, pretrained)
    found = pd.concat(
        {
            labels: results.accuracy_table(
                {name: runs for (at, name), runs in right.items() if at == labels}
            )
            for labels in sorted({labels for labels, _ in right})
        },
        names=["labels", "model"],
    )
    found = found.round(2)
    found.to_csv(results.LABELS)
    table = found.apply(
        lambda row: f"{row.accuracy:.1f} ({row.low:.1f} to {row.high:.1f})", axis=1
    ).unstack()
    common.report(
        "labels",
        "Accuracy against labels",
        table,
        f"Test accuracy (%), mean of {SEEDS} seeds, each of which draws other labelled "
        "sentences, with its 95 % interval over test sentences.",
        "",
        common.versions("keras", "keras-hub", "jax"),
    )


if __name__ == "__main__":
    main()
