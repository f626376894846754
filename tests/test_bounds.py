"""The lower bounds of pyproject.toml, installed."""

import re
import subprocess
import tomllib

import pytest

from conftest import REPOSITORY, run_python

pytestmark = pytest.mark.weekly

TESTS = "test_models.py", "test_training.py", "test_masking.py", "test_results.py"


def test_the_oldest_versions_work(tmp_path):
    """The unit tests of what calls Keras and NumPy most, in an environment of their own."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    oldest = [line.replace(">=", "==") for line in project["dependencies"]]
    (version,) = re.findall(r"pytest==\S+", (REPOSITORY / "requirements.txt").read_text())
    python = tmp_path / "venv" / "bin" / "python"
    run_python("-m", "venv", tmp_path / "venv")
    install = [python, "-m", "pip", "install", "--quiet", *oldest, version]
    subprocess.run(install, check=True)
    tests = [REPOSITORY / "tests" / name for name in TESTS]
    command = [
        python,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-o",
        "addopts=",
        *tests,
    ]
    subprocess.run(command, cwd=REPOSITORY, check=True)
