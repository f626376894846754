"""Checks of every notebook as it is stored."""

import ast
import re

import nbformat
import pandas as pd
import pytest

from conftest import NOTEBOOKS, REPOSITORY, SOLUTIONS, plain
from helpers import profiles, records


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
    """All text in the stored outputs."""
    data = [one.get("data", {"text": one.get("text")}) for one in outputs(notebook)]
    return [text for each in data for text in each.values() if isinstance(text, str)]


def test_it_was_executed_once_from_top_to_bottom(notebook):
    nbformat.validate(notebook)
    counts = [cell.execution_count for cell in code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1))


def test_it_begins_with_the_parameters(notebook):
    parameters, setup = code_cells(notebook)[:2]
    # With the form fields of Colab.
    assert parameters.source.splitlines() == [
        'PROFILE = "sample"  # @param ["sample", "evening", "guide", "full"]',
        'OVERRIDES = {}  # @param {type: "raw"}',
        'DRIVE = False  # @param {type: "boolean"}',
    ]
    tagged = [cell for cell in code_cells(notebook) if "parameters" in tags(cell)]
    assert tagged == [parameters]
    assert 'if importlib.util.find_spec("helpers") is None' in setup.source
    assert len([line for line in setup.source.splitlines() if line]) <= 8
    assert 'if not hasattr(helpers, "begin"):' in setup.source


def test_the_idea_comes_before_the_machinery(lesson):
    _, notebook = lesson
    headings = [n for n, cell in enumerate(notebook.cells) if "\n## " in f"\n{cell.source}"]
    code = [cell.cell_type == "code" for cell in notebook.cells]
    assert headings[0] > code.index(True)
    assert sum(code[: headings[0]]) <= 3


def test_each_setting_is_shown_once_and_few_at_a_time():
    shown = []
    known = {*profiles.settings(profiles.load_profile())} - {"allow_slow"}
    for path in NOTEBOOKS:
        for cell in code_cells(nbformat.read(path, as_version=4)):
            if "profiles.describe(" in cell.source:
                names = re.findall(r'"(\w+)"', cell.source)
                table = [name for name in names if name in known]
                assert 0 < len(table) <= 8
                shown += table
    assert sorted(shown) == sorted(known)


def test_its_outputs_hold_no_warning_and_no_path(notebook):
    for output in outputs(notebook):
        assert output.output_type != "error"
        assert output.get("name") != "stderr", output.text
    for text in stored_text(notebook):
        assert not re.search(r"/(?:home|root|tmp|usr|Users|work)/|Warning|\r|\x08", text)


def test_cells_are_short_and_most_are_compared(notebook):
    cells, ignore = code_cells(notebook), {"nbval-ignore-output", "nbval-skip"}
    # But for the imports, which are one below the other.
    assert max(len(cell.source.splitlines()) for cell in cells[3:]) <= 25
    assert len([cell for cell in cells if ignore & tags(cell)]) <= len(cells) / 3


def test_checks_are_folded_and_few(lesson):
    _, notebook = lesson
    folded = {"jupyter": {"source_hidden": True}, "cellView": "form"}
    cells = code_cells(notebook)
    checks = [cell for cell in cells if "check" in tags(cell)]
    for cell in cells:
        statements = ast.walk(ast.parse(plain(cell)))
        kinds = {type(one) for one in statements if isinstance(one, ast.stmt)}
        if cell in checks:
            assert ast.Assert in kinds or "finding(" in cell.source
            assert cell.source.startswith("# @title Check: ")
            assert cell.metadata == folded | {"tags": ["check", "hide-input"]}
        else:
            assert not kinds <= {ast.Assert, ast.If}, cell.source
    assert 2 <= len(checks) <= 0.15 * (len(cells) - len(checks))


def test_pictures_say_what_they_show(notebook):
    for output in outputs(notebook):
        if "image/png" in output.get("data", {}):
            words = output.metadata["image/png"]["alt"]
            assert len(words) > 40, words
            # The plain-text output is the same.
            assert output.data["text/plain"] == words


def test_it_opens_with_what_for_and_where(lesson):
    path, notebook = lesson
    opening, number = notebook.cells[0].source, int(path.stem[:2])
    title = opening.splitlines()[0].removeprefix("# ")
    assert title.startswith(f"{number}. ")
    assert f"**{title}**" in opening
    assert "**By the end of this notebook you will be able to** " in opening
    assert "**You need** " in opening
    others = [other.name for other in NOTEBOOKS if other != path]
    assert re.findall(r"\]\((0\w+\.ipynb)\)", opening) == others


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
    assert [path.stem for path in NOTEBOOKS] == [*records.NOTEBOOKS.values()]
    stored = "\n".join(stored_text(nbformat.read(NOTEBOOKS[3], as_version=4)))
    for row in rows:
        assert re.search(" +".join(map(re.escape, row)), stored), row


def test_notebook_6_has_the_figures_of_the_benchmark():
    """For the profile `full`, on one TPU v5e chip and on four."""
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
