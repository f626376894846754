"""Tables of one's own are read as their owner sees them."""

import codecs
import csv
import io
import unicodedata

import pandas as pd
import pytest

from conftest import some_of
from helpers import profiles, tables, tasks


def read(folder, content, name="mine.csv"):
    """A table's texts and labels, as lists, and what is said about it."""
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    table, remarks = tables.read_table(folder / name, ("text", "label"))
    return list(table.text), list(table.label), " ".join(remarks)


@pytest.mark.parametrize("first_line", ["", "sep={}\r\n"])
@pytest.mark.parametrize(
    ("name", "separator"), [("a.csv", ","), ("A.CSV", ";"), ("a", "|"), ("A.TSV", "\t")]
)
def test_separators_and_columns_are_found(tmp_path, name, separator, first_line):
    rows = [["id", " label", " text "], ["1", " ä ", '"Yes, no; well|"'], ["2", "c", "b"]]
    rows += [["", "", " "], []]  # blank rows
    lines = [separator.join(row) for row in rows]
    content = first_line.format(separator) + "\r\n".join(lines)
    expected = ["Yes, no; well|", "b"], ["ä", "c"], ""
    assert read(tmp_path, content, name) == expected
    # A mark decides the encoding.
    encoded = codecs.BOM_UTF16_LE + content.encode("utf-16-le")
    assert read(tmp_path, encoded, name) == expected


TEXTS = ['she said "no"', '"Yes", she said', '"all of it"', "a\nb, or", "x;y|z\t", "plain"]
TEXTS.append("word " * 60_000 + '\nand "more"')


@pytest.mark.parametrize("separator", [",", "\t"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
@pytest.mark.parametrize("escape", ['""', '\\"'])
@pytest.mark.parametrize("end", ["\n", "\r"])
def test_quotes_are_read_as_they_were_written(tmp_path, separator, quoting, escape, end):
    written = io.StringIO()
    writer = csv.writer(written, delimiter=separator, quoting=quoting, lineterminator="\n")
    writer.writerows([["text", "label"], *([text, "a"] for text in TEXTS)])
    content = written.getvalue().replace('""', escape).replace("\n", end)
    assert read(tmp_path, content) == (TEXTS, ["a"] * len(TEXTS), "")


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        # Blanks may stand around quotes.
        ('"text" , "label"\n"one, ""1""" , "a" \n"two" ,"b"\n', ['one, "1"', "two"]),
        # Excel quotes cells with a comma in a table with tabs.
        ('text\tlabel\n"one, ""so"" 1"\ta\ntwo\tb\n', ['one, "so" 1', "two"]),
        # As in GLUE, quotes may be characters: some are closed, and none is doubled.
        ('text,label\n"no" means no,a\nthe "end",a\n', ['"no" means no', 'the "end"']),
    ],
)
def test_quotes_may_be_written_in_other_ways(tmp_path, content, texts):
    assert read(tmp_path, content)[0] == texts


WIDE = "id,text,label,more\n" + "0,good,a,more\n1,bad,b,more\n" * 20


@pytest.mark.parametrize(
    ("rows", "remark"),
    [
        # If no other cell is quoted, a quote that is not closed swallows nothing.
        ('2,"text,a,more\n3,text" 4,b,more\n', "a cell in row 41 begins with one that"),
        # If others are, another quote may happen to close it.
        ('2,"a, b",a,\n3,"text,a,more\n4,text",b,more\n', "rows seem to stand in row 42:"),
    ],
)
def test_rows_that_a_quote_may_swallow_are_named(tmp_path, rows, remark):
    assert remark in read(tmp_path, WIDE + rows)[2]


GOOD = some_of("a", "b")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("text,label\n", "there are no rows below the header"),
        ("words,label\na,b\n", "set `columns` to those .*, of words, l"),
        ("text 1,a\ntext 2,a\n", "first row is like .* insert one such as `text,label`"),
        ("a text,3\nother,4\n", "first row is like .* must name the columns"),
        ("a,text, label,label\n", "two columns are called `label`: rename one"),
        (GOOD + "a,b,c\n", "row 41 has 3 cells, and the header 2: name all"),
        (GOOD + "d\n", "row 41 lacks text or label: complete or delete it"),
        (GOOD + '"a, b",a\n"c, d" e,a\n', "row 42 has a quote .*, or text behind"),
        (GOOD + '"a, b",a\n"text,a\n', "row 42 has a quote that is not closed"),
        (GOOD + '"c, d","b\nc"\n', "the label of row 41 has several lines: close quotes"),
    ],
)
def test_a_mistake_in_a_table_is_named(tmp_path, content, message):
    with pytest.raises(ValueError, match=f"^In mine.csv, .*{message}") as caught:
        read(tmp_path, content)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        # Numbers are sorted by size, and keep their spelling.
        (["10", "9", "2", "other"], ["2", "9", "10", "other"]),
        (["7", "007", "70", "070"], ["007", "7", "070", "70"]),
        (["10.5", "9,25", "+2.50", "2.5", "100"], ["+2.50", "2.5", "9,25", "10.5", "100"]),
        # Only whole numbers that an export writes in two ways are one class.
        (["1.1", "1.10", "1", "1.0"], ["1", "1.0", "1.1", "1.10"]),
        (["1", "1.0", "0", "0.0", "-1", "5.0", "nan"], ["-1", "0", "1", "5", "nan"]),
    ],
)
def test_labels_are_numbers_or_names(tmp_path, labels, classes):
    rows = [(f"{label} {number}", label) for label in labels for number in range(5)]
    table = pd.DataFrame(rows, columns=["text", "label"])
    table.to_csv(tmp_path / "mine.csv", index=False)
    task = tasks.read_task(profiles.load_profile(task=str(tmp_path / "mine.csv")))
    assert list(task.classes) == classes
    # Every text keeps its label.
    for text, label in zip(task.train.text, task.train.label, strict=True):
        assert classes[label] in (text.split()[0], text.split()[0].removesuffix(".0"))
    is_merged = len(classes) < len(labels)
    assert is_merged == ("are one class in both spellings, such as `" in task.report)


MISSING = r"NA N/A #N/A <NA> NULL (null) None nan \N NaT missing undefined ? -- — . #VALUE!"


def test_labels_that_may_be_missing_or_meant_as_one_are_named():
    for label in MISSING.split():
        (said,) = tables.remark_on_labels(pd.Series(["a", label]))
        assert said.startswith(f"Classes that may mean a missing label: `{label}` (1 row")
    assert tables.remark_on_labels(pd.Series(["banana", "national", "none of these"])) == []
    labels = ["Good", "good", "schön", unicodedata.normalize("NFD", "schön")]
    first, second = tables.remark_on_labels(pd.Series(labels))
    assert first == "`Good` and `good` are different classes."
    assert second == f"`{labels[3]}` and `schön` are different classes."
