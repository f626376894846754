"""What holds for every notebook as it is stored."""

import ast
import re

import nbformat
import pandas as pd
import pytest

from conftest import NOTEBOOKS, REPOSITORY, SOLUTIONS
from helpers import results


@pytest.fixture(params=[*NOTEBOOKS, *SOLUTIONS], ids=lambda p: f"{p.parent.name}-{p.stem}")
def notebook(request):
    return nbformat.read(request.param, as_version=4)


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def lesson(request):
    return request.param, nbformat.read(request.param, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tags(cell):
    return set(cell.metadata.get("tags", []))


def outputs(notebook):
    return [output for cell in code_cells(notebook) for output in cell.outputs]


def stored_text(notebook):
    """Everything that the outputs say."""
    data = [one.get("data", {"text": one.get("text")}) for one in outputs(notebook)]
    return [text for each in data for text in each.values() if isinstance(text, str)]


def test_it_was_executed_once_from_top_to_bottom(notebook):
    nbformat.validate(notebook)
    counts = [cell.execution_count for cell in code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1))


def test_it_begins_with_the_parameters(notebook):
    install, parameters = code_cells(notebook)[:2]
    assert 'if importlib.util.find_spec("helpers") is None' in install.source
    # With the form fields of Colab.
    assert parameters.source.splitlines() == [
        'PROFILE = "sample"  # @param ["sample", "evening", "guide", "full"]',
        'OVERRIDES = {}  # @param {type: "raw"}',
        'DRIVE = False  # @param {type: "boolean"}',
    ]
    tagged = [cell for cell in code_cells(notebook) if "parameters" in tags(cell)]
    assert tagged == [parameters]


def test_its_outputs_hold_no_warning_and_no_path(notebook):
    for output in outputs(notebook):
        assert output.output_type != "error"
        assert output.get("name") != "stderr", output.text
    for text in stored_text(notebook):
        assert not re.search(r"/(?:home|root|tmp|usr|Users|work)/|Warning|\r|\x08", text)


def test_cells_are_short_and_most_are_compared(notebook):
    cells, ignore = code_cells(notebook), {"nbval-ignore-output", "nbval-skip"}
    assert max(len(cell.source.splitlines()) for cell in cells) <= 25
    assert len([cell for cell in cells if ignore & tags(cell)]) <= len(cells) / 3


def test_checks_are_folded(lesson):
    _, notebook = lesson
    folded = {"jupyter": {"source_hidden": True}, "cellView": "form"}
    checks = 0
    for cell in code_cells(notebook)[1:]:
        statements = ast.walk(ast.parse(cell.source))
        kinds = {type(one) for one in statements if isinstance(one, ast.stmt)}
        if "check" in tags(cell):
            checks += ast.Assert in kinds
            assert cell.source.startswith("# @title Check: ")
            assert cell.metadata == folded | {"tags": ["check", "hide-input"]}
        else:
            assert not kinds <= {ast.Assert, ast.If}, cell.source
    assert checks >= 4


def test_pictures_say_what_they_show(notebook):
    for output in outputs(notebook):
        if "image/png" in output.get("data", {}):
            words = output.metadata["image/png"]["alt"]
            assert len(words) > 40, words
            # What is shown where pictures aren't.
            assert output.data["text/plain"] == words


def test_it_opens_with_what_for_and_where(lesson):
    path, notebook = lesson
    opening, number = notebook.cells[0].source, int(path.stem[:2])
    assert opening.startswith(f"# {number}. ")
    for promise in "**At its end you can**", "**You need**", "](series.svg)", "minute":
        assert promise in opening
    assert re.search(rf"\*\*{number}\. [\w -]+\*\* \(you are here\)", opening)


def test_its_exercises_have_solutions_with_checks(lesson):
    path, notebook = lesson
    asked = re.findall(r"^(\d)\. \*", notebook.cells[-1].source, re.MULTILINE)
    assert len(asked) >= 5
    assert f"](solutions/{path.name})" in notebook.cells[-1].source
    solved = {}
    for cell in nbformat.read(path.parent / "solutions" / path.name, as_version=4).cells:
        heading = re.match(r"## (\d)\. ", cell.source)
        if cell.cell_type == "markdown" and heading:
            kinds = solved[heading[1]] = []
        if {"answer", "check"} & tags(cell):
            kinds.append(*{"answer", "check"} & tags(cell))
    assert solved == {each: ["answer", "check"] for each in asked}


def test_the_table_in_the_readme_is_that_of_notebook_4():
    readme = (REPOSITORY / "README.md").read_text("utf-8")
    cells = r"\| ([\d.]+) \| ([\d.]+) \| ([\d.]+) to ([\d.]+) \|"
    rows = re.findall(rf"^\| ([\w +]+) {cells}", readme, re.M)
    assert [name for name, *_ in rows][::5] == ["bag of words", "pretrained"]
    assert len(rows) == 10
    assert [path.stem for path in NOTEBOOKS] == [*results.NOTEBOOKS.values()]
    stored = "\n".join(stored_text(nbformat.read(NOTEBOOKS[3], as_version=4)))
    for row in rows:
        assert re.search(" +".join(map(re.escape, row)), stored), row


def test_notebook_6_has_the_figures_of_the_benchmark():
    """Of the profile `full` on one chip of a TPU v5e and on four."""
    steps = pd.read_csv(REPOSITORY / "benchmarks" / "tpu.csv")
    steps = steps.query("profile == 'full' and chip == 'v5e' and shared == 'batch'")
    source = NOTEBOOKS[5].read_text("utf-8")
    rows = re.findall(r'"(\S+), (\d) chips?\\": \(([\d.]+), ([\d.]+), ([\d.]+)\)', source)
    assert len(rows) == 4
    for phase, chips, *figures in rows:
        of_phase = steps[(steps.phase == phase) & (steps.chips == int(chips))]
        (step,) = of_phase.to_dict("records")
        names = "GFLOP", "GB of traffic", "MB exchanged"
        for name, figure in zip(names, figures, strict=True):
            assert float(figure) == pytest.approx(step[name], rel=2e-3, abs=0.05), name
