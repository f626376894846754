"""The model code on the other backends."""

import importlib.util

import keras
import numpy as np
import pytest

from conftest import moved, run_python
from helpers import models, profiles

pytestmark = pytest.mark.slow

# Loads an encoder saved on another backend, compares its output, and saves it again.
LOAD = """
import sys
import helpers
helpers.choose_backend()
import keras
import numpy as np
from helpers import models

for kind in "rotary", "classic":
    encoder = keras.saving.load_model(f"{sys.argv[1]}/{kind}.keras")
    with np.load(f"{sys.argv[1]}/{kind}.npz") as before:
        vectors = keras.ops.convert_to_numpy(encoder(before["ids"]))
        np.testing.assert_allclose(vectors, before["vectors"], atol=1e-4)
    encoder.save(f"{sys.argv[1]}/{kind}.keras")
"""


@pytest.fixture(params=["tensorflow", "torch"])
def backend(request):
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed here: `make torch` tests it")
    return request.param


def test_model_code_runs_on(backend):
    tests = "-p", "no:cacheprovider", "tests/test_models.py", "tests/test_checkpoints.py"
    run_python("-m", "pytest", "-q", *tests, KERAS_BACKEND=backend)


def test_each_backend_loads_what_the_other_saves(backend, tmp_path):
    ids = np.random.default_rng(0).integers(5, 500, (3, 32)).astype("int32")
    ids[:, 20:] = 0
    for kind in "rotary", "classic":
        profile = profiles.load_profile(vocabulary_size=500, encoder=kind)
        encoder = moved(models.build_encoder(profile))
        encoder.save(tmp_path / f"{kind}.keras")
        vectors = keras.ops.convert_to_numpy(encoder(ids))
        np.savez(tmp_path / f"{kind}.npz", ids=ids, vectors=vectors)
    # There, and back again.
    for name in backend, keras.backend.backend():
        run_python("-c", LOAD, tmp_path, KERAS_BACKEND=name)
