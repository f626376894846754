"""What the tests share: a small profile, some text, and what is learnt from it."""

import itertools
import pathlib
import subprocess
import sys

import helpers

helpers.choose_backend("jax")

import pytest  # noqa: E402

from helpers import corpora, preprocessing, profiles  # noqa: E402

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]

# Parts of the files that `guide` and `full` fetch; not part of the repository.
GENUINE = REPOSITORY.parent / "shared" / "data"


def run_python(program, environment=None):
    """What a program prints in a process of its own, which must end well."""
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def start_python(program):
    """A program in a process of its own, whose standard output is text."""
    command = [sys.executable, "-c", program]
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)


@pytest.fixture(scope="session")
def profile():
    """The sample profile's layers, as small as they can be."""
    return profiles.load_profile(
        vocabulary_size=1500,
        sequence_length=32,
        mask_rate=0.25,
        predictions_per_sequence=8,
        hidden_dim=16,
        intermediate_dim=32,
        batch_size=16,
        pretraining_steps=12,
        sentence_length=24,
    )


@pytest.fixture(scope="session")
def texts(profile):
    return list(itertools.islice(corpora.read_corpus(profile), 300))


@pytest.fixture(scope="session")
def vocabulary(profile, texts):
    return preprocessing.learn_vocabulary(texts, profile.vocabulary_size)


@pytest.fixture(scope="session")
def rows(profile, texts, vocabulary):
    return preprocessing.corpus_rows(profile, texts, vocabulary)


@pytest.fixture
def artifacts(tmp_path, monkeypatch):
    """An empty folder of artifacts."""
    monkeypatch.setenv("TUTORIAL_ARTIFACTS", str(tmp_path))
    return tmp_path
