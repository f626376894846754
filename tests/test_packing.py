"""Rows of tokens: packed, stored, and set aside for validation."""

import concurrent.futures
import dataclasses
import os
import re
import signal
import sys
import time

import numpy as np
import pytest

from conftest import REPOSITORY, finish, run_python, start_python
from helpers import corpora, packing, profiles, storage, wordpieces
from helpers.normalization import SEP


def test_padding_cuts_and_fills_and_packing_joins():
    ids = [np.array([5, 6]), np.array([], int), np.array([7, 8, 9]), np.array([5])]
    assert packing.pad(ids, 2).tolist() == [[5, 6], [0, 0], [7, 8], [5, 0]]
    assert packing.pack(ids, 4).tolist() == [[5, 6, SEP, 7], [8, 9, SEP, 5]]
    assert packing.pack([], 4).shape == (0, 4)


@pytest.mark.parametrize("workers", [0, 3])
def test_stored_texts_are_those_tokenised_in_memory(
    profile, texts, vocabulary, tmp_path, monkeypatch, workers
):
    monkeypatch.setattr(packing, "CHUNK", 77)
    path = tmp_path / "rows.bin"
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        executor = pool if workers else None
        packing.store_rows(iter(texts), vocabulary, profile, path, executor)
    small = dataclasses.replace(profile, batch_size=4)
    rows, validation_rows, held_out = packing.open_rows(small, path)
    # Two bytes per token are enough, and the rows are memory-mapped.
    assert isinstance(rows, np.memmap)
    assert rows.itemsize == 2
    for_training = [text for text in texts if not packing.is_held_out(text)]
    for_validation = [text for text in texts if packing.is_held_out(text)]
    assert 0 < len(for_validation) < len(texts) / 8
    for side, stored in ((for_training, rows), (for_validation, held_out)):
        ids = wordpieces.tokenize(side, vocabulary, profile)
        by_hand = packing.pack(ids, 1).ravel()
        assert np.array_equal(stored.ravel(), by_hand[: stored.size])
        assert by_hand.size - stored.size < 32
    assert np.array_equal(validation_rows[0], held_out[:32])
    # What is broken off leaves what was there.
    before = path.read_bytes()

    def broken():
        yield from texts
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        packing.store_rows(broken(), vocabulary, profile, path)
    assert set(tmp_path.iterdir()) == {path, packing.held_out_path(path)}
    assert path.read_bytes() == before


def test_a_text_that_occurs_twice_is_on_one_side(profile, vocabulary, tmp_path):
    texts = [f"film number {number} is good" for number in range(200)]
    path = tmp_path / "rows.bin"
    packing.store_rows(texts + texts, vocabulary, profile, path)
    small = dataclasses.replace(profile, batch_size=1, sequence_length=8)
    _, _, held_out = packing.open_rows(small, path)
    half = len(held_out) // 2
    assert half
    assert np.array_equal(held_out[:half], held_out[half:])


def store(path, tokens, held_out):
    """Stores so many tokens on either side, numbered within it."""
    (np.arange(tokens) % 500 + 5).astype("uint16").tofile(path)
    of_validation = (np.arange(held_out) % 500 + 600).astype("uint16")
    of_validation.tofile(packing.held_out_path(path))


def test_validation_rows_are_spread_over_the_held_out_texts(profile, tmp_path):
    path = tmp_path / "rows.bin"
    store(path, 32 * 9000, 32 * 5000)
    rows, validation_rows, held_out = packing.open_rows(profile, path)
    assert (len(rows), len(validation_rows)) == (9000, packing.VALIDATION_ROWS)
    assert np.array_equal(validation_rows[-1], held_out[-32:])


def test_without_enough_held_out_texts_the_last_rows_are_for_validation(profile, tmp_path):
    path = tmp_path / "rows.bin"
    store(path, 32 * 3000, 32)
    rows, validation_rows, _ = packing.open_rows(profile, path)
    assert (len(rows), len(validation_rows)) == (2700, 300)
    assert validation_rows.max() < 600
    store(path, 32 * 3000, 0)
    large = dataclasses.replace(profile, batch_size=2000)
    with pytest.raises(
        ValueError, match=r"3000 rows .* batches of 2000: lower `batch_size`"
    ):
        packing.open_rows(large, path)


@pytest.fixture
def corpus(tmp_path, texts):
    """A file with the texts, many times."""
    file = tmp_path / "corpus.txt"
    lines = [text.replace("\n", " ") + "\n" for text in texts]
    file.write_text("".join(lines) * 60, "utf-8")
    return file


@pytest.mark.slow
def test_a_cluster_stores_the_same_though_a_worker_is_killed(corpus, vocabulary, tmp_path):
    distributed = pytest.importorskip("distributed")
    wordpieces.save_vocabulary(vocabulary, tmp_path / "vocabulary.txt")
    here = tmp_path / "here.bin"
    there = tmp_path / "there.bin"
    local = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(**local) as cluster:
        with distributed.Client(cluster) as client:
            victim = next(iter(client.run(os.getpid).values()))
        files = corpus, tmp_path / "vocabulary.txt", there
        program = REPOSITORY / "scripts" / "tokenize_corpus.py"
        process = start_python(program, cluster.scheduler_address, *files)
        until = time.monotonic() + 300
        while not any(path.stat().st_size for path in storage.unfinished(there)):
            assert process.poll() is None, process.stdout.read()
            assert time.monotonic() < until
            time.sleep(0.01)
        os.kill(victim, signal.SIGKILL)
        finish(process)
    profile = profiles.load_profile(corpus=str(corpus))
    packing.store_rows(corpora.read_corpus(profile), vocabulary, profile, here)
    assert here.read_bytes() == there.read_bytes()


MEMORY = """
import itertools, pathlib, re, sys
from helpers import corpora, packing, profiles, wordpieces

profile = profiles.load_profile(corpus=sys.argv[1])
vocabulary = wordpieces.read_vocabulary(sys.argv[2])
# Even the small corpus fills the queue of waiting chunks.
for times in 2, 6:
    many = (corpora.read_corpus(profile) for _ in range(times))
    texts = itertools.chain.from_iterable(many)
    packing.store_rows(texts, vocabulary, profile, sys.argv[3])
    # Not getrusage, whose maximum includes the parent process.
    status = pathlib.Path("/proc/self/status").read_text()
    print("peak", int(re.search(r"VmHWM:\\s+(\\d+)", status)[1]) // 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_does_not_grow_with_the_corpus(tmp_path, corpus, vocabulary):
    wordpieces.save_vocabulary(vocabulary, tmp_path / "vocabulary.txt")
    files = corpus, tmp_path / "vocabulary.txt", tmp_path / "rows"
    printed = run_python("-c", MEMORY, *files)
    first, second = map(int, re.findall(r"peak (\d+)", printed))
    megabytes = 6 * corpus.stat().st_size / 2**20
    assert megabytes > 80
    assert second < 2048, (first, second)
    # Text in memory would take this much, and its tokens twice as much.
    assert second - first < megabytes / 2, (first, second)
