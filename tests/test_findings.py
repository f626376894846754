"""Findings, and their bounds beside what was measured."""

import ast
import math

import nbformat
import pandas as pd
import pytest

from conftest import NOTEBOOKS, REPOSITORY, SOLUTIONS, plain
from helpers.findings import finding


@pytest.fixture
def mode(monkeypatch):
    """A function that sets what happens to a finding outside of its bounds."""
    monkeypatch.delenv("TUTORIAL_FINDINGS", raising=False)
    return lambda value: monkeypatch.setenv("TUTORIAL_FINDINGS", value)


def test_a_reader_is_told_both_figures_and_goes_on(mode, capsys):
    finding("gap (points)", 4.9, low=5, written=6.2)
    said = "gap (points): here 4.9, where the text was written 6.2: go on.\n"
    assert capsys.readouterr().out == said
    finding("gap (points)", 5.1, low=5, written=6.2)
    finding("loss", float("nan"), written=1)
    assert capsys.readouterr().out.startswith("loss: here nan")


def test_in_tests_it_raises(mode):
    mode("raise")
    finding("gap (points)", 5.1, 5, 8, written=6.2)
    for value in 4.9, 8.1, float("nan"):
        with pytest.raises(AssertionError, match=r"written 6.2; expected 5 to 8"):
            finding("gap (points)", value, 5, 8, written=6.2)


def test_values_are_collected_whatever_they_are(mode, tmp_path):
    mode(str(tmp_path / "values.jsonl"))
    finding("gap", 4.9, low=5, written=6.2)
    finding("loss", 2, high=3, written=1)
    assert pd.read_json(tmp_path / "values.jsonl", lines=True).value.to_list() == [4.9, 2]


def findings_of(path):
    """Yields name, lowest and highest allowed value of each finding in a notebook."""
    cells = nbformat.read(path, as_version=4).cells
    for cell in cells:
        if cell.cell_type != "code" or "finding(" not in cell.source:
            continue
        for node in ast.walk(ast.parse(plain(cell))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "finding":
                bounds = dict(zip(("low", "high"), node.args[2:], strict=False))
                bounds |= {keyword.arg: keyword.value for keyword in node.keywords}
                bounds = {name: ast.literal_eval(value) for name, value in bounds.items()}
                low, high = bounds.get("low", -math.inf), bounds.get("high", math.inf)
                yield ast.literal_eval(node.args[0]), low, high, bounds["written"]


def test_each_finding_has_a_name_of_its_own_and_says_its_notebook():
    names = []
    for path in (*NOTEBOOKS, *SOLUTIONS):
        prefix = "solutions " * (path in SOLUTIONS) + f"{int(path.stem[:2])}: "
        for name, low, high, written in findings_of(path):
            assert name.startswith(prefix)
            assert low <= written <= high, name
            names.append(name)
    assert len(names) == len({*names})


def test_bounds_leave_as_much_room_as_what_was_measured_varies():
    """Over instruction sets, threads and seeds, on each side."""
    measured = pd.read_csv(REPOSITORY / "benchmarks" / "findings.csv", index_col="finding")
    bounds = {
        name: (low, high) for path in NOTEBOOKS for name, low, high, _ in findings_of(path)
    }
    assert {*measured.index} == {*bounds}
    narrow = []
    for name, (low, high) in bounds.items():
        lowest, highest = measured.loc[name, ["lowest", "highest"]]
        spread = highest - lowest
        if lowest - spread < low or highest + spread > high:
            narrow.append(f"{name}: {low} to {high}, measured {lowest} to {highest}")
    assert not narrow
