"""Reading a user's table of texts and labels."""

import collections
import csv
import decimal
import io
import re
import textwrap
import typing
import unicodedata

import pandas as pd

from helpers import corpora

# Excel's first line, which names the separator
SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\n')

# A cell that is quoted as a whole. Quotes in it are doubled or follow a backslash.
QUOTED = re.compile(r'\s*"(?:[^"\\]|\\"?|"")*"\s*')
WHOLE_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.0)?")


class _Layout(typing.NamedTuple):
    """How a table is laid out: its separator, the number of its columns, and the places of
    texts and labels among them, from 0."""

    separator: str
    width: int
    text_place: int
    label_place: int


def report_rows(rows, left_out):
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


def read_table(path, columns):
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
    text = "".join(corpora.read_lines(path, table=True))
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
        if corpora.NUMBER.fullmatch(cell.strip()):
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
    inside = 0
    for row in rows:
        for cell in row:
            if QUOTED.fullmatch(cell):
                whole += 1
            elif '"' in cell and labels[row[layout.label_place]] == 1:
                # This is a line of a quoted text, which happens to look like a row.
                return False
            elif '"' in cell:
                inside += 1
    return whole < inside


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


def merge_whole_numbers(labels):
    """Makes one class of `1` and `1.0`, as programs write the same whole number.

    Only if all labels are such numbers: `1` and `1.0` beside `1.1` are something else. No
    other spellings are merged: `7` and `007`, or `1.1` and `1.10`, may be codes.

    Returns:
        The labels, and a list that is empty or has a sentence on it.
    """
    spellings = {label for label in set(labels) if not corpora.MISSING.fullmatch(label)}
    whole = all(WHOLE_NUMBER.fullmatch(label) for label in spellings)
    twice = spellings.intersection([f"{label}.0" for label in spellings])
    if not whole or not twice:
        return labels, []
    example = min(twice, key=place_of_label)
    pair = f"`{example.removesuffix('.0')}` and `{example}`"
    remark = f"Whole numbers are one class in both spellings, such as {pair}."
    return labels.str.removesuffix(".0"), [remark]


def place_of_label(label):
    """A sort key of labels: numbers by size, then names."""
    if corpora.NUMBER.fullmatch(label):
        return 0, decimal.Decimal(label.replace(",", ".")), label
    return 1, 0, label


def remark_on_labels(labels):
    """Says, in a list, which labels may mean that there is none, or may be meant as one."""
    counts = labels.value_counts().sort_index()
    missing = []
    alike = {}
    for label, count in counts.items():
        if corpora.MISSING.fullmatch(label):
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
