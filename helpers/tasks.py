"""Labelled sentences: the task, its three parts, and draws of few labels."""

import dataclasses
import hashlib
import pathlib
import typing
import zipfile

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from helpers import corpora, normalization, tables

# What the labels 0 and 1 mean in the two built-in tasks.
CLASSES = ("unfavourable", "favourable")


class Task(typing.NamedTuple):
    """Labelled sentences: three DataFrames with columns `text` and `label`, the names of
    the labels 0, 1, ..., and a report: how many rows were taken, why the others weren't,
    and what may be wrong with the table."""

    train: pd.DataFrame
    validation: pd.DataFrame
    test: pd.DataFrame
    classes: tuple
    report: str


def read_task(profile):
    """Reads the labelled sentences and splits them.

    Rotten Tomatoes and users' tables are split into 60, 20 and 20 %. For SST-2 the test
    set is GLUE's development set, and the validation set comes from its training set.

    Args:
        profile: a `Profile`. Its `task` is "rotten-tomatoes", "sst-2", or the path of a
            .csv or .tsv file; its `columns` name those of texts and labels.

    Returns:
        A `Task`.

    Raises:
        ValueError: if there is no such table, or something is wrong with it.
    """
    if profile.task == "sst-2":
        return _read_sst2()
    if profile.task == "rotten-tomatoes":
        return _split_task(corpora.read_reviews("rotten_tomatoes"), CLASSES, profile)
    path = pathlib.Path(profile.task).expanduser()
    if not path.is_file():
        advice = "give rotten-tomatoes, sst-2, or the path of a .csv or .tsv file"
        raise ValueError(f"There is no table `{profile.task}`: {advice}.")
    table, remarks = tables.read_table(path, profile.columns)
    table["label"], merged = tables.merge_whole_numbers(table.label)
    remarks += merged + tables.remark_on_labels(table.label)
    classes = sorted(set(table.label), key=tables.place_of_label)
    table["label"] = table.label.map(classes.index)
    return _split_task(table, tuple(classes), profile, remarks)


def _read_sst2():
    """Reads SST-2, and holds out a validation set as large as the test set."""
    folder = zipfile.Path(corpora.fetch("SST-2.zip"), "SST-2/")
    columns = ("sentence", "label")
    train, _ = tables.read_table(folder / "train.tsv", columns)
    test, _ = tables.read_table(folder / "dev.tsv", columns)
    train = train.astype({"label": int}).reset_index(drop=True)
    test = test.astype({"label": int}).reset_index(drop=True)
    rest, validation = _hold_out_sentences(train, len(test))
    phrases = len(train) - len(rest) - len(validation)
    left_out = {"phrases of sentences held out for validation": phrases}
    report = tables.report_rows(len(train) + len(test), left_out)
    return Task(rest, validation, test, CLASSES, report)


def _order(texts):
    """A sort key for each text that depends only on its content: an arbitrary order."""
    return texts.map(lambda text: hashlib.sha256(text.encode()).hexdigest())


def _hold_out_sentences(phrases, count):
    """Holds out `count` sentences from a table of sentences and phrases, as in SST-2.
    Returns the rows that are not phrases of them, and the sentences."""
    texts = " " + phrases.text.str.strip() + " "
    all_texts = "\n".join(texts)
    held = []
    for row, text in texts[_order(texts).sort_values().index].items():
        # A sentence, unlike a phrase, is not part of another row.
        first = all_texts.find(text)
        if all_texts.find(text, first + 1) < 0:
            held.append(row)
        if len(held) == count:
            break
    held_texts = "\n".join(texts[held])
    rest = phrases[[text not in held_texts for text in texts]]
    return rest.reset_index(drop=True), phrases.loc[held].reset_index(drop=True)


def _split_task(table, classes, profile, remarks=()):
    """Splits a table into the three parts of a `Task`, each with every class.

    Sorted by a checksum of their words, the first fifth of each class is the test set, the
    second the validation set. Texts that the models can't distinguish from an earlier one
    are left out, and so are those with several labels.

    Args:
        table: a DataFrame with `text` and `label`, the latter numbers from 0.
        classes: a tuple of the labels' names.
        profile: a `Profile`.
        remarks: sentences for the report.
    """
    words = _join_words(table.text, profile)
    repeated, ambiguous = _find_unusable(words, table.label)
    left_out = {"repeated": repeated.sum(), "with several labels": ambiguous.sum()}
    report = " ".join([tables.report_rows(len(table), left_out)] + list(remarks))
    taken = ~repeated & ~ambiguous
    counts = np.bincount(table.label[taken], minlength=len(classes))
    if len(classes) < 2 or counts.min() < 5:
        smallest = f"`{classes[counts.argmin()]}` has {counts.min()} texts"
        advice = "give two classes or more, with at least 5 texts of each"
        problem = f"Of {len(classes)} classes in {profile.task} {smallest}"
        raise ValueError(f"{problem}: {advice}. {report}")
    order, fifth = _find_fifths(table, words, taken, profile)
    rows = table[["text", "label"]].assign(order=order, words=words, fifth=fifth)[taken]
    rows = rows.sort_values(["order", "words"])
    parts = []
    for chosen in (rows.fifth > 1, rows.fifth == 1, rows.fifth == 0):
        parts.append(rows.loc[chosen, ["text", "label"]].reset_index(drop=True))
    train, validation, test = parts
    return Task(train, validation, test, classes, report)


def _join_words(texts, profile):
    """The words of each text, as the profile's models see them, joined by spaces."""
    words = normalization.words(texts, profile)
    return pd.Series([" ".join(of_text) for of_text in words], texts.index)


def _find_unusable(words, labels):
    """Which texts repeat an earlier one, and which have several labels: two Series."""
    ambiguous = labels.groupby(words).transform("nunique") > 1
    return words.duplicated() & ~ambiguous, ambiguous


def _find_fifths(table, words, taken, profile):
    """For each row of a table its sort key, and the fifth of its class that it is in.

    Neither depends on `lowercase` and `strip_accents`, so that results with and without
    them are of the same test set.
    """
    form = words
    if not (profile.lowercase and profile.strip_accents):
        plain = dataclasses.replace(profile, lowercase=True, strip_accents=True)
        form = _join_words(table.text, plain)
    repeated, ambiguous = _find_unusable(form, table.label)
    distinct = taken & ~repeated & ~ambiguous
    if np.bincount(table.label[distinct], minlength=table.label.max() + 1).min() < 5:
        # Only capitals or accents distinguish the classes.
        form = words
        distinct = taken
    order = _order(form)
    fifth = pd.Series(0, table.index)
    for label in table.label.unique():
        of_class = table.label == label
        sorted_keys = np.sort(order[distinct & of_class].to_numpy())
        place = np.searchsorted(sorted_keys, order[of_class].to_numpy())
        fifth[of_class] = np.minimum(5 * place // len(sorted_keys), 4)
    return order, fifth


def draw_few(sentences, count, seed):
    """Draws `count` labelled sentences at random, stratified by label."""
    classes = sentences.label.nunique()
    drawn = sentences[:0]
    if classes <= count <= len(sentences) - classes:
        options = {"random_state": seed, "stratify": sentences.label}
        _, drawn = train_test_split(sentences, test_size=count, **options)
    if drawn.label.nunique() < classes:
        wanted = f"{count} of {len(sentences)} sentences, of all {classes} classes,"
        raise ValueError(f"{wanted} can't be drawn: raise or lower `few_labels`.")
    return drawn.reset_index(drop=True)
