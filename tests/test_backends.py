"""The model code on the other backends."""

import importlib.util
import os
import subprocess
import sys

import pytest
from conftest import REPOSITORY


@pytest.mark.parametrize("backend", ["tensorflow", "torch"])
def test_model_code_runs_on(backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    tests = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "tests/test_models.py",
        ],
        cwd=REPOSITORY,
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
    )
    assert tests.returncode == 0, tests.stdout
