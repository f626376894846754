"""The model code on the other backends."""

import importlib.util
import os
import subprocess
import sys

import pytest
from conftest import REPOSITORY, run_python


@pytest.fixture(params=["tensorflow", "torch"])
def backend(request):
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed here: `make torch` tests it")
    return request.param


def test_model_code_runs_on(backend):
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


# Saves an encoder and what it says, or loads one and compares.
SAVE = """
import sys, helpers
helpers.choose_backend()
import keras, numpy as np
from helpers import models, profiles

folder, kind = sys.argv[1:]
profile = profiles.load_profile(vocabulary_size=500, encoder=kind, attend_padding=False)
ids = np.random.default_rng(0).integers(5, 500, (3, 32)).astype("int32")
ids[:, 20:] = 0
encoder = models.build_encoder(profile)
encoder.save(f"{folder}/encoder.keras")
np.savez(f"{folder}/said.npz", ids=ids, said=keras.ops.convert_to_numpy(encoder(ids)))
"""
LOAD = """
import sys, helpers
helpers.choose_backend()
import keras, numpy as np
from helpers import models

folder, _ = sys.argv[1:]
encoder = keras.saving.load_model(f"{folder}/encoder.keras")
with np.load(f"{folder}/said.npz") as before:
    now = keras.ops.convert_to_numpy(encoder(before["ids"]))
    np.testing.assert_allclose(now, before["said"], atol=1e-4)
"""


@pytest.mark.parametrize("kind", ["rotary", "classic"])
@pytest.mark.parametrize("there_and_back", [False, True])
def test_an_encoder_that_one_saves_the_other_loads(backend, kind, there_and_back, tmp_path):
    backends = ["jax", backend]
    for program, name in zip(
        (SAVE, LOAD), backends[:: -1 if there_and_back else 1], strict=True
    ):
        done = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path), kind],
            cwd=REPOSITORY,
            env={**os.environ, "KERAS_BACKEND": name},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr


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
