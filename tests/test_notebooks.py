"""Checks of every notebook as it is stored."""

import re

import nbformat
import pytest

from conftest import NOTEBOOKS, REPOSITORY, SOLUTIONS, UNNUMBERED
from helpers import records

STORED = [*NOTEBOOKS, *UNNUMBERED, *SOLUTIONS]


@pytest.fixture(params=STORED, ids=lambda path: f"{path.parent.name}-{path.stem}")
def notebook(request):
    return nbformat.read(request.param, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs(notebook):
    """All stored outputs, and all text in them."""
    stored = []
    texts = []
    for cell in code_cells(notebook):
        for output in cell.outputs:
            stored.append(output)
            data = output.get("data", {"text": output.get("text")})
            texts += [text for text in data.values() if isinstance(text, str)]
    return stored, texts


def test_it_was_executed_once_from_top_to_bottom(notebook):
    nbformat.validate(notebook)
    counts = [cell.execution_count for cell in code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1))


def test_it_begins_with_the_parameters_and_a_short_setup(notebook):
    parameters, setup = code_cells(notebook)[:2]
    # With the form fields of Colab.
    assert parameters.source.splitlines() == [
        'PROFILE = "sample"  # @param ["sample", "evening", "guide", "full"]',
        'OVERRIDES = {}  # @param {type: "raw"}',
        'DRIVE = False  # @param {type: "boolean"}',
    ]
    assert parameters.metadata["tags"] == ["parameters"]
    assert 'if importlib.util.find_spec("helpers") is None' in setup.source
    assert 'if not hasattr(helpers, "begin"):' in setup.source
    assert len([line for line in setup.source.splitlines() if line]) <= 8


def test_its_outputs_hold_no_warning_and_no_path(notebook):
    stored, texts = outputs(notebook)
    for output in stored:
        assert output.output_type != "error"
        assert output.get("name") != "stderr", output.text
        if "image/png" in output.get("data", {}):
            # A picture says what it shows, and its plain-text output is the same.
            words = output.metadata["image/png"]["alt"]
            assert len(words) > 40, words
            assert output.data["text/plain"] == words
    for text in texts:
        assert not re.search(r"/(?:home|root|tmp|usr|Users|work)/|Warning|\r|\x08", text)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_its_exercises_have_solutions_with_checks(path):
    exercises = nbformat.read(path, as_version=4).cells[-1].source
    asked = re.findall(r"^(\d)\. \*", exercises, re.MULTILINE)
    assert asked
    assert f"](solutions/{path.name})" in exercises
    solved = {}
    for cell in nbformat.read(path.parent / "solutions" / path.name, as_version=4).cells:
        heading = re.match(r"## (\d)\. ", cell.source)
        if cell.cell_type == "markdown" and heading:
            kinds = solved[heading[1]] = []
        kinds_here = {"answer", "check"}.intersection(cell.metadata.get("tags", []))
        if kinds_here:
            kinds.extend(kinds_here)
    assert solved == {number: ["answer", "check"] for number in asked}


def test_the_table_of_figures_is_that_of_notebook_5():
    page = (REPOSITORY / "docs" / "figures.md").read_text("utf-8")
    cells = r"\| ([\d.]+) \| ([\d.]+) \| ([\d.]+) to ([\d.]+) \|"
    rows = re.findall(rf"^\| ([\w ]+) {cells}", page, re.M)
    assert [row[0] for row in rows][::5] == ["naive Bayes", "pretrained"]
    assert len(rows) == 6
    assert [path.stem for path in NOTEBOOKS] == list(records.NOTEBOOKS.values())
    _, texts = outputs(nbformat.read(NOTEBOOKS[4], as_version=4))
    printed = "\n".join(texts)
    for name, few, *of_all in rows:
        assert re.search(f"{name} +{few} ", printed), name
        assert re.search(" +".join([name, *of_all]), printed), name
