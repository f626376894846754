"""What the tests share: a small profile, some text, and what is learnt from it."""

import itertools
import os
import pathlib
import subprocess
import sys

import helpers

helpers.choose_backend("jax")

import numpy as np  # noqa: E402
import pytest  # noqa: E402

from helpers import corpora, preprocessing, profiles  # noqa: E402

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))
SOLUTIONS = sorted((REPOSITORY / "notebooks" / "solutions").glob("*.ipynb"))

# Parts of the files that `guide` and `full` fetch; not part of the repository.
GENUINE = REPOSITORY.parent / "shared" / "data"

# Eight virtual devices, each with two threads: with fewer they wait for each other.
EIGHT = {"XLA_FLAGS": "--xla_force_host_platform_device_count=8", "NPROC": "16"}


# First, because pytest-xdist reads the groups in this hook.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """In `make test-slow` two processes share the tests: a file's go to the same one, where
    they share what is slow to set up, but for those of the longest file."""
    for item in items:
        if item.path.stem != "test_series":
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


def start_python(*arguments, folder=REPOSITORY, **environment):
    """Starts Python in a process of its own; what it prints, errors included, is text."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    options |= {"cwd": folder, "env": {**os.environ, **environment}}
    return subprocess.Popen([sys.executable, *map(str, arguments)], **options)


def finish(process, seconds=600):
    """What a process prints, which must end well."""
    printed, _ = process.communicate(timeout=seconds)
    assert process.returncode == 0, printed
    return printed


def run_python(*arguments, **options):
    """What Python prints in a process of its own, which must end well."""
    return finish(start_python(*arguments, **options))


def moved(encoder):
    """Moves an encoder's weights, some of which are 0 at first, as a training does."""
    rng, weights = np.random.default_rng(0), encoder.get_weights()
    encoder.set_weights([each + rng.normal(0, 0.1, each.shape) for each in weights])
    return encoder


@pytest.fixture(scope="session")
def profile():
    """The sample profile's layers, as small as they can be."""
    return profiles.load_profile(
        vocabulary_size=1500,
        sequence_length=32,
        mask_rate=0.25,
        hidden_dim=16,
        intermediate_dim=32,
        num_layers=1,
        batch_size=16,
        pretraining_steps=12,
        sentence_lengths=(12, 24),
    )


@pytest.fixture(scope="session")
def texts(profile):
    return list(itertools.islice(corpora.read_corpus(profile), 300))


@pytest.fixture(scope="session")
def vocabulary(profile, texts):
    return preprocessing.learn_vocabulary(texts, profile)


@pytest.fixture(scope="session")
def rows(profile, texts, vocabulary):
    token_ids = preprocessing.tokenize(texts, vocabulary, profile)
    return preprocessing.pack(token_ids, profile.sequence_length)


@pytest.fixture
def artifacts(tmp_path, monkeypatch):
    """An empty folder of artifacts."""
    monkeypatch.setenv("TUTORIAL_ARTIFACTS", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="session")
def genuine():
    """The folder of the genuine data."""
    if not GENUINE.is_dir():
        pytest.skip("the genuine data are not part of the repository")
    return GENUINE
