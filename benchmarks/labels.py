"""Accuracy against the number of labelled sentences: what pretraining is worth.

    python benchmarks/labels.py

Trains a bag of words, the encoder from scratch and the pretrained one on 50 labelled
sentences, on more, and on all. Needs what notebook 3 leaves. Writes the figures into
`benchmarks/labels.csv`, the picture of them that notebook 4 shows, and the table in
`benchmarks/README.md`. They are of the test sentences, which decided nothing; the rule for
the number of epochs was chosen on validation sentences.
"""

import re

import common
import numpy as np
import pandas as pd

import helpers

helpers.choose_backend("jax")

import keras
import tensorflow as tf

from helpers import (
    corpora,
    normalization,
    plots,
    preprocessing,
    profiles,
    results,
    training,
)

LABELS = 50, 100, 250, 500, 1000, 2000
SEEDS = 5

# The baseline of notebook 1.
BATCH_SIZE, LEARNING_RATE = 32, 3e-3
EPOCHS, FEW_EPOCHS = 5, 30

FIGURES = common.FOLDER / "labels.csv"
PAGE = common.FOLDER / "README.md"


def epochs(labels, few, every):
    """How often to read so many sentences: passes, int.

    As often as the series does where it says it; in between in proportion, both on a
    logarithmic scale. With fewer, as many steps as with the few labels of the series.

    Args:
        labels: int, sentences.
        few: pair of sentences and epochs, the series' with few labels.
        every: the same with all labels.
    """
    if labels < few[0]:
        return round(few[0] * few[1] / labels)
    sentences, passes = np.log([few, every]).T
    return round(np.exp(np.interp(np.log(labels), sentences, passes)))


def bag_of_words(profile, train, test, seed, epochs):
    """Trains notebook 1's baseline, for two classes.

    Args:
        profile: a `Profile`.
        train: DataFrame of `text` and `label`, 0 or 1.
        test: another one.
        seed: int.
        epochs: int.

    Returns:
        A bool array, `(test sentences,)`: which it got right.
    """
    keras.utils.set_random_seed(seed)
    words = keras.layers.TextVectorization(
        max_tokens=profile.baseline_words,
        standardize="strip_punctuation",
        output_mode="multi_hot",
    )
    texts, test_texts = (
        tf.constant([" ".join(each) for each in normalization.words(part.text, profile)])
        for part in (train, test)
    )
    words.adapt(texts)
    x, x_test = (keras.ops.convert_to_numpy(words(part)) for part in (texts, test_texts))
    model = keras.Sequential([keras.layers.Dense(1, activation="sigmoid")])
    model.compile(keras.optimizers.Adam(LEARNING_RATE), loss="binary_crossentropy")
    labels = train.label.to_numpy()
    model.fit(x, labels, batch_size=BATCH_SIZE, epochs=epochs, verbose=0)
    return (model.predict(x_test, verbose=0)[:, 0] > 0.5) == test.label.to_numpy()


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
        "bag of words": (FEW_EPOCHS, EPOCHS),
        "from scratch": (training.SCRATCH_FEW_EPOCHS, profile.finetuning_epochs),
        "pretrained": (profile.finetuning_epochs, profile.finetuning_epochs),
    }
    ids, answers = encode(measured)
    right = {}
    for labels in (*LABELS, total):
        for seed in range(profile.seed, profile.seed + SEEDS):
            train = task.train
            if labels < total:
                train = corpora.draw_few(task.train, labels, seed)
            for name, (few, every) in passes.items():
                often = epochs(labels, (profile.few_labels, few), (total, every))
                if name == "bag of words":
                    correct = bag_of_words(profile, train, measured, seed, often)
                else:
                    start = pretrained if name == "pretrained" else None
                    model = training.train_classifier(
                        profile, *encode(train), seed, often, start
                    )
                    probabilities = training.class_probabilities(model, ids)
                    correct = probabilities.argmax(axis=1) == answers
                right.setdefault((labels, name), []).append(correct)
        print(
            labels,
            *(f"{name} {100 * np.mean(right[labels, name]):.1f}" for name in passes),
            flush=True,
        )
    return right


def summary(runs):
    """Test accuracy in percent, with its 95 % interval.

    Args:
        runs: list of bool arrays, `(sentences,)`, one a seed, True where it was right.

    Returns:
        A dict, a row of the figures.
    """
    seeds = 100 * np.mean(runs, axis=1)
    low, high = results.bootstrap_interval(np.mean(runs, axis=0))
    return {
        "accuracy": seeds.mean(),
        "low": 100 * low,
        "high": 100 * high,
        "seeds": len(runs),
        "lowest seed": seeds.min(),
        "highest seed": seeds.max(),
    }


def tabulate():
    """Puts the figures into the page's table."""
    found = pd.read_csv(FIGURES, index_col=["labels", "model"])
    cells = found.apply(
        lambda row: f"{row.accuracy:.1f} ({row.low:.1f} to {row.high:.1f})", axis=1
    )
    table = cells.unstack().reset_index().to_markdown(index=False)
    before = r"(## Accuracy against labels\n\n)(?:\|.*\n)+"
    page = PAGE.read_text("utf-8")
    PAGE.write_text(re.sub(before, lambda old: f"{old[1]}{table}\n", page), "utf-8")


def draw():
    """Draws the figures for notebook 4, with their 95 % intervals."""
    found = pd.read_csv(FIGURES).pivot(index="labels", columns="model")
    order = [*plots.MODELS]
    right = found.accuracy[order]
    errors = [[right[x] - found.low[x], found.high[x] - right[x]] for x in order]
    labels = {"xlabel": "labelled sentences (logarithmic)", "ylabel": "test accuracy (%)"}
    axis = right.plot(yerr=np.array(errors), logx=True, capsize=3, **labels)
    axis.set_xticks(right.index, [f"{count:,}" for count in right.index])
    axis.minorticks_off()
    axis.figure.savefig(common.FOLDER / "labels.png", dpi=160)


def main():
    profile = profiles.load_profile()
    task = corpora.read_task(profile)
    vocabulary, *_ = results.read_preprocessing(profile)
    results.read_record(profile, 3)
    pretrained = keras.saving.load_model(results.path(profile, "encoder.keras"))

    def encode(sentences):
        rows = preprocessing.sentence_rows(sentences.text, vocabulary, profile)
        return rows, sentences.label.to_numpy()

    right = accuracies(profile, task, task.test, encode, pretrained)
    found = pd.DataFrame({key: summary(runs) for key, runs in right.items()}).T
    found = found.rename_axis(["labels", "model"]).astype({"seeds": int})
    found.round(2).to_csv(FIGURES)
    tabulate()
    draw()
    print(common.machine(), common.versions("keras", "keras-hub", "jax"), sep="; ")


if __name__ == "__main__":
    main()
