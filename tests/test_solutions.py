"""The checks of the solutions: each refuses a wrong answer and passes the right one.

The notebooks need what the series leaves, so `make test` runs this after it.
"""

import re

import nbclient
import nbformat
import pytest
from conftest import REPOSITORY

from helpers import results

FOLDER = REPOSITORY / "notebooks" / "solutions"
WRONG = REPOSITORY / "tests" / "wrong_answers"


def wrong_answers(name):
    """The wrong answers to the exercises of a notebook: number to code."""
    text = (WRONG / f"{name}.py").read_text("utf-8")
    parts = re.split(r"^# %% (\d+): .+$", text, flags=re.MULTILINE)[1:]
    return dict(zip(map(int, parts[::2]), parts[1::2], strict=True))


def exercises(notebook):
    """The answer and the check of each exercise: number to a pair of cells' places."""
    found, number = {}, 0
    for place, cell in enumerate(notebook.cells):
        heading = re.match(r"## (\d+)\. ", cell.source)
        if cell.cell_type == "markdown" and heading:
            number = int(heading[1])
            found[number] = []
        if {"answer", "check"} & set(cell.metadata.get("tags", [])):
            found[number].append(place)
    return found


@pytest.mark.parametrize("name", results.NOTEBOOKS.values())
def test_a_check_refuses_a_wrong_answer_and_passes_the_right_one(name):
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    wrong = wrong_answers(name)
    client = nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3")
    with client.setup_kernel():
        for place, cell in enumerate(notebook.cells):
            client.execute_cell(cell, place)
        for number, (answer, check) in exercises(notebook).items():
            # execute_cell puts what it runs into the notebook: the right one is kept.
            right = notebook.cells[answer]
            client.execute_cell(nbformat.v4.new_code_cell(wrong[number]), answer)
            with pytest.raises(nbclient.exceptions.CellExecutionError) as refused:
                client.execute_cell(notebook.cells[check], check)
            assert refused.value.ename == "AssertionError", f"exercise {number}"
            assert refused.value.evalue, f"exercise {number}: the check gives no reason"
            client.execute_cell(right, answer)
            client.execute_cell(notebook.cells[check], check)
