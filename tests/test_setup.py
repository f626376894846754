"""The first steps on a reader's machine: importing Keras, and finding the package."""

import os
import signal

import nbformat
import pytest

import helpers
from conftest import NOTEBOOKS, plain, run_python, start_python

SAYS = "import os\nos.write(2, b'This library needs AVX instructions.')\n"


@pytest.mark.parametrize(("ends", "code"), [("os.abort()", -signal.SIGABRT), ("1 / 0", 1)])
def test_what_is_said_when_the_import_fails_is_shown(tmp_path, ends, code):
    (tmp_path / "keras_hub.py").write_text(SAYS + ends)
    command = "-c", "import helpers; helpers.choose_backend()"
    process = start_python(*command, PYTHONPATH=str(tmp_path))
    printed, _ = process.communicate(timeout=120)
    assert "This library needs AVX instructions." in printed
    assert process.returncode == code


CHOOSE = """
import helpers, sys

assert "keras" not in sys.modules
print(helpers.choose_backend("jax"))
import keras
print(keras.config.image_data_format())
"""


def test_choosing_a_backend_says_nothing_whatever_the_reader_has_set(tmp_path, monkeypatch):
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    (tmp_path / "keras.json").write_text('{"image_data_format": "channels_first"}')
    for name in ("old", "new"):
        (tmp_path / f"{helpers.COMPILED}{name}").mkdir()
    os.utime(tmp_path / f"{helpers.COMPILED}old", (0, 0))
    printed = run_python("-c", CHOOSE, KERAS_HOME=str(tmp_path), TMPDIR=str(tmp_path))
    # The order of axes is that of text.
    assert printed == "jax\nchannels_last\n"
    # What a killed process has left is removed after a day.
    (left,) = tmp_path.glob(f"{helpers.COMPILED}*")
    assert left.name.endswith("new")


def test_a_foreign_package_of_the_same_name_is_named(tmp_path):
    """Beside a notebook, as in a reader's own project, where it hides the installed one."""
    (tmp_path / "helpers.py").touch()
    cells = nbformat.read(NOTEBOOKS[0], as_version=4).cells
    (setup,) = [cell for cell in cells if "import helpers" in cell.source]
    (tmp_path / "notebook.py").write_text(plain(setup))
    printed, _ = start_python(tmp_path / "notebook.py").communicate(timeout=60)
    last = printed.splitlines()[-1]
    assert last.startswith("ImportError: <module 'helpers' from ")
    assert str(tmp_path) in last
