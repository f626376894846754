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
def test_stored_rows_are_those_made_in_memory(
    profile, texts, vocabulary, rows, tmp_path, monkeypatch, workers
):
    monkeypatch.setattr(packing, "CHUNK", 77)
    path = tmp_path / "rows.bin"
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        executor = pool if workers else None
        packing.store_rows(iter(texts), vocabulary, profile, path, executor)
    learn, measured, counted = packing.open_rows(profile, path)
    # Two bytes per token are enough, and the rows are memory-mapped.
    assert isinstance(learn.rows, np.memmap)
    assert learn.rows.itemsize == 2
    assert len(measured) == len(rows) // 10
    assert counted == (300, 0)
    together = np.concatenate([learn[:], measured])
    assert sorted(together.tolist()) == sorted(rows.tolist())
    # What is broken off leaves what was there.
    before = path.read_bytes()

    def broken():
        yield from texts
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        packing.store_rows(broken(), vocabulary, profile, path)
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == before


@pytest.fixture
def opened(tmp_path, profile):
    """A function that stores texts, given as lists of ids, and opens their rows."""

    def store_and_open(texts, **changes):
        stream = []
        for text in texts:
            stream += [*text, SEP]
        np.array(stream, "uint16").tofile(tmp_path / "rows.bin")
        changed = dataclasses.replace(profile, **changes)
        return packing.open_rows(changed, tmp_path / "rows.bin")

    return store_and_open


def test_rows_to_measure_on_come_from_all_over_the_corpus(opened):
    """With a corpus sorted by language, a fifth of it in the first language, and with a
    repeated text."""
    rng = np.random.default_rng(0)
    texts = []
    for number in range(12_000):
        words = (5, 700) if number < 2400 else (700, 1499)
        text = rng.integers(*words, rng.integers(5, 55)).tolist()
        texts.append([1499] * 9 if number % 20 == 0 else text)
    learn, measured, counted = opened(texts)
    assert counted == (12_000, 600)
    assert measured.shape == (1024, 32)
    # The first language has its share, within three standard errors.
    first = (measured < 700).mean(axis=1) > 0.5
    assert abs(first.mean() - 0.2) < 3 * np.sqrt(0.2 * 0.8 / 1024)
    # None contains any of the repeated text.
    assert 1499 in learn[:]
    assert 1499 not in measured
    # They depend on the seed alone.
    assert (opened(texts)[1] == measured).all()
    assert (opened(texts, seed=1)[1] != measured).any()


@pytest.mark.parametrize("block", [7, 500, 10**6])
def test_repeated_texts_are_found_in_blocks(opened, monkeypatch, block):
    """Some are longer than a block, some differ in their length or order alone."""
    monkeypatch.setattr(packing, "BLOCK_TOKENS", block)
    rng = np.random.default_rng(0)
    texts = [[1400] * 900, [1400] * 900, [7] * 900, [7] * 901, [5, 6] * 99, [6, 5] * 99]
    for number in range(500):
        texts.append(rng.integers(5, 9, rng.integers(1, 9)).tolist())  # some come again
        texts.append([number + 10] * 40)
    is_repeated = [texts.count(text) > 1 for text in texts]
    _, measured, counted = opened(texts, sequence_length=8)
    assert counted == (len(texts), sum(is_repeated))
    assert 1400 not in measured


def test_there_are_whole_batches_for_validation_or_too_few_rows(opened):
    texts = [[7] * 7] * 6000
    learn, measured, _ = opened(texts, batch_size=2000, sequence_length=8)
    assert 2000 <= len(measured) <= len(learn)
    with pytest.raises(
        ValueError, match=r"6000 rows .* batches of 4096: lower `batch_size`"
    ):
        opened(texts, batch_size=4096, sequence_length=8)


def test_a_block_of_rows_has_padding_for_what_is_held_out():
    rows = packing.Rows(np.arange(1, 13).reshape(6, 2), np.array([2, 3]))
    assert rows[-3].tolist() == [3, 4]
    assert len(rows) == 4
    assert rows[:].tolist() == [[1, 2], [3, 4], [9, 10], [11, 12]]
    assert rows[np.array([2, 0])].tolist() == [[9, 10], [1, 2]]
    assert rows.block(1, 5).tolist() == [[3, 4], [0, 0], [0, 0], [9, 10], [0, 0]]
    assert rows.block(4, 99).tolist() == [[9, 10], [11, 12], [0, 0]]


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
