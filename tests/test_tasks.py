"""Labelled sentences, their three parts, and draws of few labels."""

import random

import pandas as pd
import pytest

from conftest import some_of
from helpers import profiles, tasks


def table(folder, content, **settings):
    """Reads a table as a task."""
    (folder / "mine.csv").write_text(content, "utf-8")
    profile = profiles.load_profile(task=str(folder / "mine.csv"), **settings)
    return tasks.read_task(profile)


def parts_of(task):
    """A dict from each text to the number of its part."""
    parts = {}
    for number, part in enumerate((task.train, task.validation, task.test)):
        parts.update(dict.fromkeys(part.text, number))
    return parts


def test_the_split_is_disjoint_balanced_and_complete(profile, tmp_path):
    task = tasks.read_task(profile)
    assert len(parts_of(task)) == sum(len(part) for part in task[:3]) == 8530
    for part, share in zip(task[:3], (0.6, 0.2, 0.2), strict=True):
        assert abs(len(part) / 8530 - share) < 0.001
        assert abs(part.label.mean() - 0.5) < 0.01
    # Five sentences of a class are enough.
    task = table(tmp_path, some_of("c", "a", "b", count=5))
    assert task.classes == ("a", "b", "c")
    assert task.report == "15 rows, all taken."
    for part in task[:3]:
        assert list(part.text.str[5].map("abc".index)) == list(part.label)
        assert set(part.label) == {0, 1, 2}


def test_too_few_texts_are_refused(tmp_path):
    with pytest.raises(ValueError, match="Of 1 classes"):
        table(tmp_path, some_of("a"))
    with pytest.raises(ValueError, match="`c` has 4 texts: give two classes or"):
        table(tmp_path, some_of("a", "b") + "t,c\nu,c\nv,c\nw,c\n")


ALIKE = """Café  crème!,a
CAFE CREME !,a
cafe\u0301 cre\u0300me !,a
café\u00a0crème !,a
\u200bCafé crè\u00adme!,a
Good  film,a
good film,a
GOOD\u00a0FILM,b
"""


@pytest.mark.parametrize(
    ("settings", "report"),
    [
        ({}, "41 taken; left out: 4 repeated, 3 with several"),
        ({"lowercase": False}, "46 taken; left out: 2 repeated."),
        ({"strip_accents": False}, "42 taken; left out: 3 repeated, 3 with several"),
    ],
)
def test_duplicates_are_those_that_the_models_cannot_tell_apart(tmp_path, settings, report):
    task = table(tmp_path, some_of("a", "b") + ALIKE, **settings)
    assert task.report.startswith(f"48 rows, {report}")
    taken = parts_of(task)
    assert len(taken) == int(report.split()[0])
    assert "Café  crème!" in taken


def test_the_split_is_that_of_the_words_whatever_seed_order_and_settings(tmp_path):
    rows = some_of("café a", "café b", count=220).splitlines(keepends=True)[1:]
    random.Random(0).shuffle(rows)
    first = "text,label\n" + "".join(rows[:400])
    before = parts_of(table(tmp_path, first))
    backwards = "text,label\n" + "".join(rows[399::-1])
    assert parts_of(table(tmp_path, backwards, seed=1)) == before
    # What only capitals and accents distinguish, and is a text if they matter, is together.
    doubled = first
    for row in rows[:50]:
        text, label = row.split(",")
        doubled += f"{text.upper()},{label}"
    kept = parts_of(table(tmp_path, doubled, lowercase=False, strip_accents=False))
    assert len(kept) == 450
    assert all(before[text.lower()] == part for text, part in kept.items())
    # Forty more rows move fewer than forty of the others.
    after = parts_of(table(tmp_path, "text,label\n" + "".join(rows)))
    assert 0 < sum(after[text] != part for text, part in before.items()) < 40


def test_sst2_holds_out_sentences_with_their_phrases(archive):
    sentences = ["a good film", "a long , dull story", "it is 90 min", '" no " means no']
    phrases = ["good film", "film", "dull story", "story", "is 90", "means no", "good"]
    lines = [f"{text} \t{len(text) % 2}" for text in sentences + phrases]
    files = {"SST-2/train.tsv": "\n".join(["sentence\tlabel", *lines, ""])}
    files["SST-2/dev.tsv"] = 'sentence\tlabel\nfine \t0\n"bad \t0\n'
    archive(files)
    task = tasks.read_task(profiles.load_profile("guide"))
    # Exactly as in the files, with every quote and trailing space
    assert list(task.test.text) == ["fine ", '"bad ']
    assert len(task.validation) == 2
    held = "\n".join(f" {text}" for text in task.validation.text)
    expected = [f"{text} " for text in sentences + phrases if f" {text} " not in held]
    assert list(task.train.text) == expected
    left_out = len(lines) - 2 - len(expected)
    assert left_out
    assert f"left out: {left_out} phrases of sentences held out" in task.report


@pytest.mark.slow
def test_the_genuine_sst2_is_read_exactly(archive, genuine):
    files = {}
    for name in "SST-2/train.tsv", "SST-2/dev.tsv":
        files[name] = (genuine / name).read_bytes().decode()
    archive(files)
    task = tasks.read_task(profiles.load_profile("guide"))
    assert [len(part) for part in task[:3]] == [57_744, 872, 872]
    test = list(task.test.text + "\t" + task.test.label.astype(str))
    assert "\n".join(["sentence\tlabel", *test, ""]) == files["SST-2/dev.tsv"]


def test_few_labels_are_drawn_with_every_class():
    texts = [f"text {number}" for number in range(500)]
    train = pd.DataFrame({"text": texts, "label": [0, 1, 2, 3, 4] * 100})
    few = tasks.draw_few(train, 50, seed=0)
    assert few.label.value_counts().to_dict() == dict.fromkeys(range(5), 10)
    assert set(few.text) != set(tasks.draw_few(train, 50, seed=1).text)
    for count in 4, 500:
        with pytest.raises(ValueError, match="raise or lower `few_labels`"):
            tasks.draw_few(train, count, seed=0)
