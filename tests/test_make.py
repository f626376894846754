"""`make` with spaces and quotes in paths and settings."""

import os
import shutil
import subprocess
import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from conftest import REPOSITORY

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="there is no `make`")

# Writes the corpus setting where notebooks write their results.
TELL = """
from helpers import profiles, records

profile = profiles.load_profile(PROFILE, **OVERRIDES)
records.path(profile, "told").write_text(profile.corpus, "utf-8")
"""


@pytest.fixture
def checkout(tmp_path):
    """A checkout with one notebook of two cells."""
    folder = tmp_path / "a check out"
    shutil.copytree(REPOSITORY / "scripts", folder / "scripts")
    shutil.copy(REPOSITORY / "Makefile", folder)
    (folder / ".venv").symlink_to(sys.prefix)
    parameters = new_code_cell("", metadata={"tags": ["parameters"]})
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    cells = [parameters, new_code_cell(TELL)]
    notebook = new_notebook(cells=cells, metadata={"kernelspec": kernel})
    (folder / "notebooks").mkdir()
    nbformat.write(notebook, folder / "notebooks" / "tell.ipynb")
    return folder


def make_series(checkout, settings):
    """The exit status and output of `make series`, with artifacts below `~`."""
    home = {"HOME": str(checkout.parent), "TUTORIAL_ARTIFACTS": "~/own results"}
    options = {"env": os.environ | home | {"SETTINGS": settings}, "cwd": checkout}
    options |= {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    done = subprocess.run(["make", "series", "NOTEBOOKS=tell", "UNNUMBERED="], **options)
    return done.returncode, done.stdout


def test_blanks_quotes_and_a_tilde_are_taken_as_they_are(checkout):
    status, printed = make_series(checkout, 'corpus: "/it\'s/my text, 1.txt", seed: 3')
    assert status == 0, printed
    assert "encryption" not in printed  # as kernels may warn
    left = checkout.parent / "own results" / "sample"
    assert (left / "told").read_text("utf-8") == "/it's/my text, 1.txt"
    assert (left / "tell.html").exists()
    assert (left / "tell.ipynb").exists()
    assert not (checkout / "~").exists()


def test_wrong_settings_are_named_before_anything_runs(checkout):
    status, printed = make_series(checkout, "corpse: my text.txt")
    assert status != 0
    assert "Did you mean `corpus`?" in printed
    assert not (checkout.parent / "own results").exists()
