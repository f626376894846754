"""What holds for every notebook as it is stored."""

import re
import statistics

import nbformat
import pytest
from conftest import REPOSITORY

from helpers import results, tutorial, widgets

PATHS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))
SOLUTIONS = sorted((REPOSITORY / "notebooks" / "solutions").glob("*.ipynb"))


@pytest.fixture(params=[*PATHS, *SOLUTIONS], ids=lambda p: f"{p.parent.name}-{p.stem}")
def notebook(request):
    return nbformat.read(request.param, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def stored_text(notebook):
    """Everything that the outputs say."""
    for cell in code_cells(notebook):
        for output in cell.outputs:
            if output.output_type == "stream":
                yield output.text
            else:
                yield from (text for text in output.data.values() if isinstance(text, str))


def test_the_series_is_complete():
    assert [path.stem for path in PATHS] == list(results.NOTEBOOKS.values())
    assert [path.stem for path in SOLUTIONS] == list(results.NOTEBOOKS.values())


def test_it_is_valid(notebook):
    nbformat.validate(notebook)


def test_it_was_executed_once_from_top_to_bottom(notebook):
    counts = [cell.execution_count for cell in code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1))


def test_it_begins_with_the_parameters(notebook):
    install, parameters, *others = code_cells(notebook)
    assert 'if importlib.util.find_spec("helpers") is None' in install.source
    assert parameters.metadata["tags"] == ["parameters"]
    # With the form fields of Colab.
    assert parameters.source.splitlines() == [
        'PROFILE = "sample"  # @param ["sample", "guide", "full"]',
        'OVERRIDES = {}  # @param {type: "raw"}',
        'DRIVE = False  # @param {type: "boolean"}',
    ]
    assert not [one for one in others if "parameters" in one.metadata.get("tags", [])]


def test_its_outputs_hold_no_warning_and_no_path(notebook):
    for cell in code_cells(notebook):
        for output in cell.outputs:
            assert output.output_type != "error"
            assert output.get("name") != "stderr", output.text
    for text in stored_text(notebook):
        assert not re.search(r"/(?:home|root|tmp|usr|Users|work)/|Warning|\r|\x08", text)


def test_cells_are_short(notebook):
    lengths = [len(cell.source.splitlines()) for cell in code_cells(notebook)]
    assert max(lengths) <= 25
    assert statistics.median(lengths) <= 10


def test_at_most_a_third_of_the_cells_is_not_compared(notebook):
    ignored = [
        cell
        for cell in code_cells(notebook)
        if {"nbval-ignore-output", "nbval-skip"} & set(cell.metadata.get("tags", []))
    ]
    assert len(ignored) <= len(code_cells(notebook)) / 3


def test_something_is_asserted(notebook):
    asserting = [
        cell for cell in code_cells(notebook) if re.search(r"^ *assert ", cell.source, re.M)
    ]
    assert len(asserting) >= 4


def test_pictures_say_what_they_show(notebook):
    for cell in code_cells(notebook):
        for output in cell.outputs:
            if "image/png" in output.get("data", {}):
                words = output.metadata["image/png"]["alt"]
                assert len(words) > 40, words
                # What is shown where pictures aren't.
                assert output.data["text/plain"] == words


def test_no_widget_is_stored(notebook):
    """It would have no kernel to answer it, and take the place of its text."""
    for cell in code_cells(notebook):
        for output in cell.outputs:
            assert widgets.WIDGET not in output.get("data", {})


@pytest.mark.parametrize("number", results.NOTEBOOKS)
def test_it_opens_with_what_for_and_where(number):
    lesson = nbformat.read(PATHS[number - 1], as_version=4)
    assert lesson.cells[0].source.startswith(f"# {number}. ")
    for promise in "**At its end you can**", "**You need**", "(you are here)", "minute":
        assert promise in lesson.cells[0].source
    first = next(cell for cell in code_cells(lesson) if cell.outputs)
    assert first.source.endswith(f"plots.series(here={number})")
    assert f"You are in notebook {number}." in first.outputs[0].data["text/plain"]


@pytest.mark.parametrize("number", results.NOTEBOOKS)
def test_its_exercises_have_solutions_with_checks(number):
    lesson = nbformat.read(PATHS[number - 1], as_version=4)
    asked = re.findall(r"^(\d)\. \*", lesson.cells[-1].source, re.MULTILINE)
    assert len(asked) >= 5
    assert f"](solutions/{PATHS[number - 1].name})" in lesson.cells[-1].source
    solved = {}
    for cell in nbformat.read(SOLUTIONS[number - 1], as_version=4).cells:
        heading = re.match(r"## (\d)\. ", cell.source)
        if cell.cell_type == "markdown" and heading:
            tags = solved[heading[1]] = []
        tagged = {"answer", "check"} & set(cell.metadata.get("tags", []))
        if tagged:
            tags.append(*tagged)
    assert solved == {each: ["answer", "check"] for each in asked}


def test_the_command_line_names_a_mistake(capsys):
    assert tutorial.main(["smaple"]) == 2
    assert "no profile `smaple`" in capsys.readouterr().err


def test_a_notebook_run_too_early_stops_with_one_sentence(artifacts, capfd):
    _, error = tutorial.execute("04_fine_tuning", {"PROFILE": "sample"})
    assert error.ename == "MissingArtifactError"
    assert "01_setup_and_baseline" in error.evalue


def test_the_table_in_the_readme_is_that_of_the_last_notebook():
    readme = (REPOSITORY / "README.md").read_text("utf-8")
    rows = re.findall(r"^\| ([a-z ]+) \| ([\d.]+) \| ([\d.]+) to ([\d.]+) \|", readme, re.M)
    assert [name for name, *_ in rows] == ["bag of words", "from scratch", "pretrained"]
    stored = "\n".join(stored_text(nbformat.read(PATHS[-1], as_version=4)))
    for row in rows:
        assert re.search(" +".join(map(re.escape, row)), stored), row
