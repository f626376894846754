"""The model code on the other backends."""

import importlib.util
import os
import subprocess
import sys

import pytest
from conftest import REPOSITORY, run_python


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


def test_what_was_compiled_is_gone_with_the_process(tmp_path):
    environment = {
        **os.environ,
        "KERAS_BACKEND": "jax",
        "TMPDIR": str(tmp_path),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)
    program = (
        "import glob, helpers; helpers.choose_backend(); import jax, tempfile;"
        "jax.jit(lambda x: jax.numpy.linalg.svd(x @ x))(jax.numpy.ones((9, 9)));"
        "print(len(glob.glob(tempfile.gettempdir() + '/compiled-*/*')))"
    )
    assert int(run_python(program, environment)) > 0
    assert not list(tmp_path.iterdir())
