"""Shared fixtures and helpers: a small profile, some text, its vocabulary and rows."""

import collections
import itertools
import os
import pathlib
import re
import subprocess
import sys
import zipfile

import helpers

helpers.choose_backend("jax")

import numpy as np  # noqa: E402
import pytest  # noqa: E402

from helpers import corpora, packing, profiles, wordpieces  # noqa: E402

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("0*.ipynb"))
UNNUMBERED = sorted((REPOSITORY / "notebooks").glob("[!0]*.ipynb"))
SOLUTIONS = sorted((REPOSITORY / "notebooks" / "solutions").glob("*.ipynb"))

# Parts of the files that `guide` and `full` download; not part of the repository.
GENUINE = REPOSITORY.parent / "shared" / "data"

# Eight virtual devices with two threads each; with fewer they wait for each other.
EIGHT = {"XLA_FLAGS": "--xla_force_host_platform_device_count=8", "NPROC": "16"}


def plain(cell):
    """A cell's code without the lines that only IPython understands."""
    return re.sub(r"^( *)[!%].*", r"\1pass", cell.source, flags=re.MULTILINE)


def start_python(*arguments, folder=REPOSITORY, **environment):
    """Starts Python in another process, which prints output and errors to one stream."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    options |= {"cwd": folder, "env": {**os.environ, **environment}}
    return subprocess.Popen([sys.executable, *map(str, arguments)], **options)


def finish(process, seconds=1200):
    """Waits for a process, which must succeed, and returns its output."""
    printed, _ = process.communicate(timeout=seconds)
    assert process.returncode == 0, printed
    return printed


def run_python(*arguments, **options):
    """Runs Python in another process, which must succeed, and returns its output."""
    return finish(start_python(*arguments, **options))


def moved(encoder):
    """Perturbs an encoder's weights, as training does; some of them start at 0."""
    rng = np.random.default_rng(0)
    perturbed = []
    for weight in encoder.get_weights():
        perturbed.append(weight + rng.normal(0, 0.1, weight.shape))
    encoder.set_weights(perturbed)
    return encoder


def some_of(*classes, count=20):
    """A CSV with `count` rows of each class."""
    content = "text,label\n"
    for label in classes:
        for number in range(count):
            content += f"text {label} {number},{label}\n"
    return content


@pytest.fixture(scope="session")
def profile():
    """The profile `sample` with the smallest possible layers."""
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
    return wordpieces.learn_vocabulary(texts, profile)


@pytest.fixture(scope="session")
def rows(profile, texts, vocabulary):
    token_ids = wordpieces.tokenize(texts, vocabulary, profile)
    return packing.pack(token_ids, profile.sequence_length)


@pytest.fixture
def artifacts(tmp_path, monkeypatch):
    """An empty folder of artifacts."""
    monkeypatch.setenv("TUTORIAL_ARTIFACTS", str(tmp_path))
    return tmp_path


@pytest.fixture
def compilations():
    """Counts how often JAX compiles each function: a Counter."""
    jax = pytest.importorskip("jax")
    counts = collections.Counter()

    def count(event, seconds, fun_name="", **_):
        counts[fun_name] += event == "/jax/core/compile/backend_compile_duration"

    jax.monitoring.register_event_duration_secs_listener(count)
    yield counts
    jax.monitoring.unregister_event_duration_listener(count)


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """A function that makes an archive of files, as if it were what is downloaded."""

    def make(members):
        with zipfile.ZipFile(tmp_path / "archive.zip", "w") as opened:
            for member, content in members.items():
                opened.writestr(member, content)
        monkeypatch.setattr(corpora, "fetch", lambda name: tmp_path / "archive.zip")

    return make


@pytest.fixture(scope="session")
def genuine():
    """The folder with parts of the genuine data sets."""
    if not GENUINE.is_dir():
        pytest.skip("the genuine data are not part of the repository")
    return GENUINE
