"""The lower bounds of pyproject.toml, installed."""

import re
import subprocess
import tomllib

import pytest

from conftest import REPOSITORY, run_python

pytestmark = pytest.mark.weekly

TESTS = "models", "pretraining", "masking", "records", "counting", "intervals"


def test_the_oldest_versions_work(tmp_path):
    """The unit tests of what calls Keras and NumPy most, in an environment of their own."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    oldest = [bound.replace(">=", "==") for bound in project["dependencies"]]
    oldest += re.findall(r"pytest==\S+", (REPOSITORY / "requirements.txt").read_text())
    run_python("-m", "venv", tmp_path / "venv")
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", *oldest], check=True)
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "addopts="]
    command += [REPOSITORY / "tests" / f"test_{name}.py" for name in TESTS]
    subprocess.run(command, cwd=REPOSITORY, check=True)
