"""Findings, and their bounds beside what was measured."""

import ast
import importlib.util
import math
import types

import nbformat
import pandas as pd
import pytest

from conftest import NOTEBOOKS, REPOSITORY, SOLUTIONS, UNNUMBERED, plain
from helpers.findings import finding


@pytest.fixture
def mode(monkeypatch):
    """A function that sets what happens to a finding outside of its bounds."""
    monkeypatch.delenv("TUTORIAL_FINDINGS", raising=False)
    return lambda value: monkeypatch.setenv("TUTORIAL_FINDINGS", value)


def test_what_is_out_of_bounds_is_said_raised_or_collected(mode, capsys, tmp_path):
    finding("gap (points)", 4.9, low=5, written=6.2)
    said = "gap (points): here 4.9, where the text was written 6.2: go on.\n"
    assert capsys.readouterr().out == said
    finding("gap (points)", 5.1, low=5, written=6.2)
    assert capsys.readouterr().out == ""
    mode("raise")
    finding("gap (points)", 5.1, 5, 8, written=6.2)
    for value in 4.9, 8.1, float("nan"):
        with pytest.raises(AssertionError, match=r"written 6.2; expected 5 to 8"):
            finding("gap (points)", value, 5, 8, written=6.2)
    mode(str(tmp_path / "values.jsonl"))
    finding("gap", 4.9, low=5, written=6.2)
    finding("loss", 2, high=3, written=1)
    assert pd.read_json(tmp_path / "values.jsonl", lines=True).value.to_list() == [4.9, 2]


def findings_of(path):
    """Yields name, lowest and highest allowed value of each finding in a notebook, and the
    value when the text was written."""
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type != "code" or "finding(" not in cell.source:
            continue
        for node in ast.walk(ast.parse(plain(cell))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "finding":
                bounds = {"low": -math.inf, "high": math.inf}
                for name, value in zip(bounds, node.args[2:], strict=False):
                    bounds[name] = ast.literal_eval(value)
                for keyword in node.keywords:
                    bounds[keyword.arg] = ast.literal_eval(keyword.value)
                name = ast.literal_eval(node.args[0])
                yield name, bounds["low"], bounds["high"], bounds["written"]


def test_each_finding_has_a_name_of_its_own_and_says_its_notebook():
    names = []
    for path in [*NOTEBOOKS, *UNNUMBERED, *SOLUTIONS]:
        # The number, or the first word
        prefix = f"{path.stem.partition('_')[0].removeprefix('0')}: "
        if path in SOLUTIONS:
            prefix = "solutions " + prefix
        for name, low, high, written in findings_of(path):
            assert name.startswith(prefix)
            assert low <= written <= high, name
            names.append(name)
    assert len(names) == len(set(names))


def test_bounds_leave_as_much_room_as_what_was_measured_varies():
    """Over instruction sets, threads and seeds, on each side."""
    measured = pd.read_csv(REPOSITORY / "benchmarks" / "findings.csv", index_col="finding")
    names = set()
    narrow = []
    for path in [*NOTEBOOKS, *UNNUMBERED]:
        for name, low, high, _ in findings_of(path):
            names.add(name)
            lowest, highest = measured.loc[name, ["lowest", "highest"]]
            spread = highest - lowest
            if lowest - spread < low or highest + spread > high:
                narrow.append(f"{name}: {low} to {high}, measured {lowest} to {highest}")
    assert names == set(measured.index)
    assert not narrow


@pytest.fixture(scope="module")
def of_repository():
    """The module conftest.py in the root."""
    path = REPOSITORY / "conftest.py"
    spec = importlib.util.spec_from_file_location("of_repository", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("notebook", "collects_only", "is_worker", "is_kept"),
    [
        ("01_a.ipynb", False, False, False),
        ("01_a.ipynb", True, False, True),
        ("01_a.ipynb", False, True, True),
        ("05_a.ipynb", False, False, True),
    ],
)
def test_only_a_new_series_deletes_results(
    of_repository, artifacts, notebook, collects_only, is_worker, is_kept
):
    (artifacts / "result").touch()
    config = types.SimpleNamespace(
        getoption=lambda name, default=None: True,
        option=types.SimpleNamespace(collectonly=collects_only),
    )
    if is_worker:
        config.workerinput = {}
    cell = types.SimpleNamespace(metadata={})
    item = types.SimpleNamespace(cell=cell, path=artifacts / notebook)
    of_repository.pytest_collection_modifyitems(None, config, [item])
    assert (artifacts / "result").exists() == is_kept


def test_figures_of_a_training_are_hidden_before_other_rules_apply(of_repository):
    cell = types.SimpleNamespace(sanitize=lambda text: text.replace(" ", "SPACE"))
    of_repository.hide_figures(cell)
    assert cell.sanitize("in 94.1 % of 1,690") == "inSPACEFIGURESPACE%SPACEofSPACE1,690"
    assert cell.sanitize("version 3.15.1") == "versionSPACE3.15.1"
