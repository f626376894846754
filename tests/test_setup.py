"""The first steps on a reader's machine: importing Keras, and finding the package."""

import signal

import nbformat
import pytest

from conftest import NOTEBOOKS, plain, start_python

ABORTS = """
import os

os.write(2, b"This library needs AVX instructions.\\n")
os.abort()
"""


@pytest.mark.parametrize("ends", ["by a signal", "with an error"])
def test_what_is_said_when_the_import_fails_is_shown(tmp_path, ends):
    program = ABORTS.replace(
        "os.abort()", "1 / 0" if ends == "with an error" else "os.abort()"
    )
    (tmp_path / "tensorflow.py").write_text(program)
    command = "-c", "import helpers; helpers.choose_backend()"
    process = start_python(*command, PYTHONPATH=str(tmp_path))
    printed, _ = process.communicate(timeout=120)
    assert "This library needs AVX instructions." in printed
    assert process.returncode == (1 if ends == "with an error" else -signal.SIGABRT)


def test_nothing_is_said_when_it_succeeds():
    process = start_python("-c", "import helpers; helpers.choose_backend()")
    printed, _ = process.communicate(timeout=120)
    assert (printed, process.returncode) == ("", 0)


@pytest.mark.parametrize("kind", ["module", "folder"])
def test_a_foreign_package_of_the_same_name_is_named(kind, tmp_path):
    """Beside a notebook, as in a reader's own project, where it hides the installed one."""
    foreign = tmp_path / ("helpers.py" if kind == "module" else "helpers/__init__.py")
    foreign.parent.mkdir(exist_ok=True)
    foreign.write_text("def tidy(): ...\n")
    setup = next(
        cell
        for cell in nbformat.read(NOTEBOOKS[0], as_version=4).cells
        if "import helpers" in cell.source
    )
    (tmp_path / "notebook.py").write_text(plain(setup))
    process = start_python(tmp_path / "notebook.py")
    printed, _ = process.communicate(timeout=60)
    *_, last = printed.splitlines()
    assert last.startswith("ImportError: <module 'helpers' from ")
    assert str(tmp_path) in last
    assert "rename it" in last
