import concurrent.futures
import dataclasses
import hashlib
import os
import re
import signal
import sys
import time

import keras_hub
import numpy as np
import pytest

from conftest import REPOSITORY, finish, run_python, start_python
from helpers import corpora, preprocessing, profiles
from helpers.preprocessing import SEP, SPECIAL_TOKENS, UNK


def test_the_vocabulary_is_the_same_in_another_process(profile, vocabulary):
    assert vocabulary[:5] == list(SPECIAL_TOKENS)
    assert len(vocabulary) == len(set(vocabulary)) == profile.vocabulary_size
    program = (
        "import hashlib; from helpers import corpora, preprocessing, profiles;"
        "from itertools import islice;"
        "texts = list(islice(corpora.read_corpus(profiles.load_profile()), 300));"
        f"pieces = preprocessing.learn_vocabulary(texts, {profile.vocabulary_size});"
        "print(hashlib.sha256(repr(pieces).encode()).hexdigest())"
    )
    expected = hashlib.sha256(repr(vocabulary).encode()).hexdigest()
    assert run_python("-c", program).split()[-1] == expected


def test_a_vocabulary_is_learnt_from_all_parts_of_a_large_corpus(tmp_path, monkeypatch):
    file = tmp_path / "mine.txt"
    file.write_text("abab\n" * 500 + "cdcd\n" * 500, "utf-8")
    monkeypatch.setattr(preprocessing, "VOCABULARY_CHARACTERS", 1000)
    asked = profiles.load_profile(corpus=str(file), vocabulary_size=15)
    # Its letters come from the whole of the sample, whatever else has room.
    assert set("abcd") <= set("".join(preprocessing.load_vocabulary(asked)))
    with pytest.raises(ValueError, match="not 5000: lower `vocabulary_size`"):
        preprocessing.learn_vocabulary(["a few words only"], 5000)


def test_a_vocabulary_of_ones_own_is_checked(tmp_path, vocabulary):
    file = tmp_path / "vocabulary.txt"

    def load(pieces):
        file.write_text("\n".join(pieces) + "\n", "utf-8")
        asked = profiles.load_profile(vocabulary=str(file), vocabulary_size=1500)
        return preprocessing.load_vocabulary(asked)

    # Special tokens may stand anywhere in it, as in BERT's.
    assert load([*vocabulary[5:], *vocabulary[4::-1]]) == vocabulary
    for wrong in vocabulary[1:], [*vocabulary[1:], "aword"], [*vocabulary[:-1], "the"]:
        with pytest.raises(ValueError, match=r"give 1500 .*each once, with \[PAD\]"):
            load(wrong)


def test_tokenize_gives_what_the_tokenizer_gives(texts, vocabulary):
    options = {"lowercase": True, "strip_accents": True}
    tokenizer = keras_hub.tokenizers.WordPieceTokenizer(vocabulary, **options)
    several = [*texts[:150], "", "Ünïcode ½ 映画!"]
    for text, ids in zip(several, preprocessing.tokenize(several, vocabulary), strict=True):
        assert ids.tolist() == list(tokenizer(text))
    # Text can't smuggle in a special token.
    (ids,) = preprocessing.tokenize(["a [MASK] here [SEP] [PAD]"], vocabulary)
    assert len(ids) >= 11
    assert not np.isin(ids, [0, 2, 3, 4]).any()


def test_padding_cuts_and_fills_and_packing_joins(vocabulary):
    ids = [np.array([5, 6]), np.array([], int), np.array([7, 8, 9]), np.array([5])]
    assert preprocessing.pad(ids, 2).tolist() == [[5, 6], [0, 0], [7, 8], [5, 0]]
    assert preprocessing.pack(ids, 4).tolist() == [[5, 6, SEP, 7], [8, 9, SEP, 5]]
    assert preprocessing.pack(ids[1:2], 4).shape == (0, 4)
    # An empty sentence has something to attend to.
    rows = preprocessing.sentence_rows(["", "film"], vocabulary, 2)
    assert rows.tolist() == [[UNK, 0], [vocabulary.index("film"), 0]]


@pytest.mark.parametrize(("chunk", "workers"), [(77, 0), (77, 3), (1000, 0)])
def test_stored_rows_are_those_made_in_memory(
    profile, texts, vocabulary, rows, tmp_path, monkeypatch, chunk, workers
):
    monkeypatch.setattr(preprocessing, "CHUNK", chunk)
    path = tmp_path / "rows.bin"
    with concurrent.futures.ThreadPoolExecutor(workers or 1) as pool:
        preprocessing.store_rows(iter(texts), vocabulary, path, pool if workers else None)
    learn, kept = preprocessing.open_rows(profile, path)
    assert isinstance(learn, np.memmap)
    assert [one.name for one in tmp_path.iterdir()] == ["rows.bin"]
    # Two bytes a token are enough; the first rows are kept to measure on.
    assert learn.itemsize == 2
    assert len(kept) == len(rows) // 10
    np.testing.assert_array_equal(np.concatenate([kept, learn]), rows)


def test_storing_that_is_broken_off_leaves_what_was_there(vocabulary, tmp_path):
    path = tmp_path / "rows.bin"
    path.write_bytes(b"before")
    # Seven chunks, of which the first are written before the last text fails.
    broken = ("a film" if number < 13_500 else 1 / 0 for number in range(14_000))
    with pytest.raises(ZeroDivisionError):
        preprocessing.store_rows(broken, vocabulary, path)
    assert [one.read_bytes() for one in tmp_path.iterdir()] == [b"before"]


def test_too_few_rows_for_a_batch_are_refused(profile, vocabulary, tmp_path):
    path = tmp_path / "rows.bin"
    preprocessing.store_rows(["a film"] * 100, vocabulary, path)
    few = dataclasses.replace(profile, sequence_length=10)
    learn, kept = preprocessing.open_rows(dataclasses.replace(few, batch_size=14), path)
    assert (len(learn), len(kept)) == (16, 14)
    with pytest.raises(ValueError, match=r"gives 30 rows .* lower `batch_size`"):
        preprocessing.open_rows(few, path)


@pytest.fixture
def corpus(tmp_path, texts):
    """A file with the texts, many times."""
    file = tmp_path / "corpus.txt"
    lines = [text.replace("\n", " ") + "\n" for text in texts]
    with file.open("w", encoding="utf-8") as opened:
        for _ in range(60):
            opened.writelines(lines)
    return file


@pytest.mark.slow
def test_a_cluster_stores_the_same_though_a_worker_is_killed(corpus, vocabulary, tmp_path):
    distributed = pytest.importorskip("distributed")
    (tmp_path / "vocabulary.txt").write_text("\n".join(vocabulary), "utf-8")
    here, there = tmp_path / "here.bin", tmp_path / "there.bin"
    local = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(**local) as cluster:
        with distributed.Client(cluster) as client:
            victim = next(iter(client.run(os.getpid).values()))
        files = corpus, tmp_path / "vocabulary.txt", there
        program = REPOSITORY / "scripts" / "tokenize_corpus.py"
        process = start_python(program, cluster.scheduler_address, *files)
        partial, until = there.with_name("there.bin.partial"), time.monotonic() + 300
        while not (partial.exists() and partial.stat().st_size):
            assert process.poll() is None, process.stdout.read()
            assert time.monotonic() < until
            time.sleep(0.01)
        os.kill(victim, signal.SIGKILL)
        finish(process)
    texts = corpora.read_corpus(profiles.load_profile(corpus=str(corpus)))
    preprocessing.store_rows(texts, vocabulary, here)
    assert here.read_bytes() == there.read_bytes()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_does_not_grow_with_the_corpus(tmp_path, corpus, vocabulary):
    # The small corpus fills the queue of chunks that wait, too.
    program = (
        "import itertools, re; from helpers import corpora, preprocessing, profiles\n"
        f"vocabulary = {vocabulary!r}\n"
        f"profile = profiles.load_profile(corpus={str(corpus)!r})\n"
        "for times in 2, 6:\n"
        "    many = (corpora.read_corpus(profile) for _ in range(times))\n"
        "    texts = itertools.chain.from_iterable(many)\n"
        f"    preprocessing.store_rows(texts, vocabulary, {str(tmp_path / 'rows')!r})\n"
        # Not getrusage: its maximum includes the process that started this one.
        "    status = open('/proc/self/status').read()\n"
        "    print('peak', int(re.search(r'VmHWM:\\s+(\\d+)', status)[1]) // 1024)\n"
    )
    first, second = map(int, re.findall(r"peak (\d+)", run_python("-c", program)))
    megabytes = 6 * corpus.stat().st_size / 2**20
    assert megabytes > 80
    assert second < 2048, (first, second)
    # The text alone would take as many megabytes as it has, its tokens twice as many.
    assert second - first < megabytes / 2, (first, second)


def test_counts_are_those_of_counting():
    a, b, c, d = range(5, 9)
    rows = np.array([[a, b, c, SEP], [d, a, b, SEP]])
    counts = preprocessing.cooccurrence_counts(rows, 2, 9).toarray()
    expected = np.zeros((9, 9))
    for one, other in (a, b), (b, c), (a, c), (d, a), (a, b), (d, b):
        expected[one, other] += 1
        expected[other, one] += 1
    np.testing.assert_array_equal(counts, expected)


def test_word_vectors_are_zero_where_nothing_was_counted():
    rows = np.random.default_rng(0).integers(5, 13, (200, 16))
    counts = preprocessing.cooccurrence_counts(rows, 4, 14)
    vectors = preprocessing.word_vectors(counts, 2, seed=0, scale=0.3)
    assert not vectors[[0, 1, 2, 3, 4, 13]].any()
    assert abs(vectors[5:13].std() - 0.3) < 1e-6


def test_frequencies_are_probabilities(rows, vocabulary, monkeypatch):
    log_frequencies = preprocessing.log_frequencies(rows, len(vocabulary))
    assert abs(np.exp(log_frequencies).sum() - 1) < 1e-4
    the = vocabulary.index("the")
    assert abs(np.exp(log_frequencies[the]) - (rows == the).mean()) < 0.01
    assert log_frequencies[:5] == pytest.approx(log_frequencies.min())
    monkeypatch.setattr(preprocessing, "BLOCK", 7)
    again = preprocessing.log_frequencies(rows, len(vocabulary))
    np.testing.assert_array_equal(again, log_frequencies)
