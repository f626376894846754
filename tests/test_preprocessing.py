import concurrent.futures
import dataclasses
import hashlib
import os
import re
import signal
import sys
import time

import numpy as np
import pytest

from conftest import REPOSITORY, finish, run_python, start_python
from helpers import corpora, normalization, packing, profiles, storage, wordpieces
from helpers.normalization import SEP, SPECIAL_TOKENS, UNK


def test_the_vocabulary_is_the_same_in_another_process(profile, vocabulary):
    assert vocabulary[:5] == list(SPECIAL_TOKENS)
    assert len(vocabulary) == len(set(vocabulary)) == profile.vocabulary_size
    program = (
        "import hashlib; from helpers import corpora, profiles, wordpieces;"
        "from itertools import islice;"
        "texts = list(islice(corpora.read_corpus(profiles.load_profile()), 300));"
        f"profile = profiles.load_profile(vocabulary_size={profile.vocabulary_size});"
        "pieces = wordpieces.learn_vocabulary(texts, profile);"
        "print(hashlib.sha256(repr(pieces).encode()).hexdigest())"
    )
    expected = hashlib.sha256(repr(vocabulary).encode()).hexdigest()
    assert run_python("-c", program).split()[-1] == expected


def test_a_vocabulary_is_learnt_from_all_parts_of_a_large_corpus(tmp_path, monkeypatch):
    file = tmp_path / "mine.txt"
    file.write_text("abab\n" * 500 + "cdcd\n" * 500, "utf-8")
    monkeypatch.setattr(wordpieces, "VOCABULARY_CHARACTERS", 1000)
    asked = profiles.load_profile(corpus=str(file), vocabulary_size=15)
    # The alphabet comes from the whole sample, even if there is room for little else.
    assert set("abcd") <= set("".join(wordpieces.load_vocabulary(asked)))
    large = dataclasses.replace(asked, vocabulary_size=5000)
    with pytest.raises(ValueError, match="not 5000: lower `vocabulary_size`"):
        wordpieces.learn_vocabulary(["a few words only"], large)


def own_vocabulary(path, pieces, **settings):
    """Loads the vocabulary of a profile whose file has these pieces."""
    path.write_text("\n".join(pieces) + "\n", "utf-8")
    settings = {"vocabulary": str(path), "vocabulary_size": len(pieces), **settings}
    return wordpieces.load_vocabulary(profiles.load_profile(**settings))


def test_a_vocabulary_of_ones_own_is_checked(tmp_path, vocabulary):
    file = tmp_path / "vocabulary.txt"
    # Special tokens may be anywhere in it, as in BERT's.
    assert own_vocabulary(file, [*vocabulary[5:], *vocabulary[4::-1]]) == vocabulary
    for wrong, message in (
        (vocabulary[1:], r"lacks \[PAD\]: give one piece per line, with \[PAD\] \[UNK\]"),
        ([*vocabulary, "the"], "has `the` twice: remove one"),
        ([*vocabulary, "aword"], "has 1501 word pieces, not 1500: set `vocabulary_size`"),
    ):
        with pytest.raises(ValueError, match=message):
            own_vocabulary(file, wrong, vocabulary_size=1500)
    with pytest.raises(ValueError, match=r"`.*nowhere.txt` can't be read"):
        wordpieces.read_vocabulary(tmp_path / "nowhere.txt")


def test_a_saved_vocabulary_is_read_back(tmp_path, vocabulary):
    wordpieces.save_vocabulary(vocabulary, tmp_path / "saved.txt")
    assert wordpieces.read_vocabulary(tmp_path / "saved.txt") == vocabulary


@pytest.mark.parametrize(
    ("piece", "settings", "message"),
    [
        ("Film", {}, "`lowercase` is True, but .* has `Film` in it: set it to False"),
        ("##É", {"strip_accents": False}, "`lowercase` is True, .* `##É` .* to False"),
        (
            "file",
            {"lowercase": False},
            "`lowercase` is False, .* has no capital in it: set it to True",
        ),
        ("café", {}, "`strip_accents` is True, but .* has `café` in it: set it to False"),
        ("##й", {}, "`strip_accents` is True, but .* has `##й` in it: set it to False"),
        ("Film", {"lowercase": False}, None),
        ("café", {"strip_accents": False}, None),
        ("##ß", {}, None),
        ("が", {}, None),
        ("हिन्दी", {}, None),
    ],
)
def test_a_vocabulary_that_contradicts_settings_is_refused(
    tmp_path, piece, settings, message
):
    pieces, file = [*SPECIAL_TOKENS, "a", "film", piece], tmp_path / "vocabulary.txt"
    if message is None:
        assert own_vocabulary(file, pieces, **settings) == pieces
    else:
        with pytest.raises(ValueError, match=message):
            own_vocabulary(file, pieces, **settings)


def test_the_genuine_vocabulary_of_bert_fits(genuine, monkeypatch):
    file = genuine / "vocab" / "bert_vocab_uncased.txt"
    monkeypatch.setattr(corpora, "fetch", lambda name: file)
    pieces = wordpieces.load_vocabulary(profiles.load_profile("guide"))
    assert {*pieces} == {*file.read_text("utf-8").split()}
    with pytest.raises(ValueError, match=r"`lowercase` is False, .* set it to True"):
        wordpieces.load_vocabulary(profiles.load_profile("guide", lowercase=False))


def test_text_cannot_smuggle_in_a_special_token(profile, vocabulary):
    (ids,) = wordpieces.tokenize(["a [MASK] here [SEP] [PAD]"], vocabulary, profile)
    assert len(ids) >= 11
    assert not np.isin(ids, [0, 2, 3, 4]).any()


def test_padding_cuts_and_fills_and_packing_joins(profile, vocabulary):
    ids = [np.array([5, 6]), np.array([], int), np.array([7, 8, 9]), np.array([5])]
    assert packing.pad(ids, 2).tolist() == [[5, 6], [0, 0], [7, 8], [5, 0]]
    assert packing.pack(ids, 4).tolist() == [[5, 6, SEP, 7], [8, 9, SEP, 5]]
    assert packing.pack(ids[1:2], 4).shape == (0, 4)
    # An empty sentence has something to attend to.
    short = dataclasses.replace(profile, sentence_lengths=(1, 2))
    rows = packing.sentence_rows(["", "film"], vocabulary, short)
    assert rows.tolist() == [[UNK, 0], [vocabulary.index("film"), 0]]


def pairs_of(rows):
    """The set of pairs of rows, and their number."""
    rows = np.asarray(rows, "int32")
    pairs = rows[: len(rows) // 2 * 2].reshape(-1, 2 * rows.shape[1])
    return {pair.tobytes() for pair in pairs}, len(pairs)


@pytest.mark.parametrize(("chunk", "workers"), [(77, 0), (77, 3), (1000, 0)])
def test_stored_rows_are_those_made_in_memory(
    profile, texts, vocabulary, rows, tmp_path, monkeypatch, chunk, workers
):
    monkeypatch.setattr(packing, "CHUNK", chunk)
    path = tmp_path / "rows.bin"
    with concurrent.futures.ThreadPoolExecutor(workers or 1) as pool:
        executor = pool if workers else None
        packing.store_rows(iter(texts), vocabulary, profile, path, executor)
    learn, measured, counted = packing.open_rows(profile, path)
    assert [one.name for one in tmp_path.iterdir()] == ["rows.bin"]
    # Two bytes per token are enough, and the rows are memory-mapped.
    assert isinstance(learn.rows, np.memmap)
    assert learn.rows.itemsize == 2
    assert len(measured) == len(rows) // 20 * 2
    assert counted == (300, 0)
    (whole, count), (some, others) = (
        pairs_of(rows),
        (pairs_of(learn[:]), pairs_of(measured)),
    )
    assert some[0] | others[0] == whole
    assert some[1] + others[1] == count


def test_storing_that_is_broken_off_leaves_what_was_there(profile, vocabulary, tmp_path):
    path = tmp_path / "rows.bin"
    path.write_bytes(b"before")
    # Seven chunks; the first are written before the last text fails.
    broken = ("a film" if number < 13_500 else 1 / 0 for number in range(14_000))
    with pytest.raises(ZeroDivisionError):
        packing.store_rows(broken, vocabulary, profile, path)
    assert [one.read_bytes() for one in tmp_path.iterdir()] == [b"before"]


@pytest.fixture
def opened(tmp_path, profile):
    """A function that stores texts, given as lists of ids, and opens their rows."""

    def opened(texts, **changes):
        stream = np.concatenate([[*text, SEP] for text in texts])
        stream.astype("uint16").tofile(tmp_path / "rows.bin")
        changed = dataclasses.replace(profile, **changes)
        return stream, *packing.open_rows(changed, tmp_path / "rows.bin")

    return opened


def test_rows_to_measure_on_come_from_all_over_the_corpus(opened):
    """With a corpus sorted by language, a fifth of it in the first language, and with a
    repeated text."""
    rng, again = np.random.default_rng(0), [1499] * 9
    texts = [
        again if number % 20 == 0 else rng.integers(*words, rng.integers(5, 55)).tolist()
        for words, count in (((5, 700), 2400), ((700, 1499), 9600))
        for number in range(count)
    ]
    stream, learn, measured, counted = opened(texts)
    assert counted == (12_000, 600)
    assert measured.shape == (1024, 32)
    # The first language has its share, within three standard errors.
    first = (measured.reshape(512, 64) < 700).mean(axis=1) > 0.5
    assert abs(first.mean() - 0.2) < 3 * np.sqrt(0.2 * 0.8 / 512)
    # None contains any of the repeated text.
    assert 1499 in learn[:]
    assert 1499 not in measured
    # Pairs are neighbours, and each is either for training or for validation.
    rows = stream[: len(stream) // 32 * 32].reshape(-1, 32)
    (whole, count), (some, many), (others, few) = map(pairs_of, (rows, learn[:], measured))
    assert some | others == whole
    assert (many + few, few) == (count, 512)
    # They depend on the seed alone.
    assert (opened(texts)[2] == measured).all()
    assert (opened(texts, seed=1)[2] != measured).any()


@pytest.mark.parametrize("block", [7, 64, 500, 10**6])
def test_repeated_texts_are_found_in_blocks(opened, monkeypatch, block):
    """Some are longer than a block, some differ in their length or order alone."""
    monkeypatch.setattr(packing, "BLOCK_TOKENS", block)
    rng = np.random.default_rng(0)
    texts = [rng.integers(5, 9, rng.integers(1, 9)).tolist() for _ in range(2000)]
    texts += [[7] * 900, [8] * 900, [7] * 900, [7] * 901, [5, 6] * 300, [6, 5] * 300]
    stream, learn, measured, (count, repeated) = opened(texts)
    often = [texts.count(text) > 1 for text in texts]
    assert (count, repeated) == (2006, sum(often))
    of_token = np.repeat(often, [len(text) + 1 for text in texts])
    pairs = stream[: len(stream) // 64 * 64].reshape(-1, 64)
    assert len(learn) + len(measured) == 2 * len(pairs)
    repeated_pairs = of_token[: pairs.size].reshape(pairs.shape).any(axis=1)
    unique = {pair.tobytes() for pair in pairs[~repeated_pairs].astype("int32")}
    if len(unique) >= len(measured) // 2:
        assert pairs_of(measured)[0] <= unique


def test_where_all_texts_come_again_they_are_measured_on(opened):
    """All texts occur twice, or too few occur once."""
    texts = np.random.default_rng(0).integers(5, 1500, (200, 40)).tolist()
    for repeated, counted in (
        ([*texts, *texts], (400, 400)),
        (texts + texts[:190], (390, 380)),
    ):
        _, learn, measured, found = opened(repeated)
        assert found == counted
        assert len(measured) == len(repeated) * 41 // 64 // 10 * 2
        assert len(learn) + len(measured) == len(repeated) * 41 // 64 * 2


def test_too_few_rows_for_a_batch_are_refused(profile, vocabulary, tmp_path):
    path = tmp_path / "rows.bin"
    packing.store_rows(["a film"] * 100, vocabulary, profile, path)
    few = dataclasses.replace(profile, sequence_length=10)
    learn, kept, _ = packing.open_rows(dataclasses.replace(few, batch_size=14), path)
    assert (len(learn), len(kept)) == (16, 14)
    with pytest.raises(ValueError, match=r"30 rows .* lower `batch_size`"):
        packing.open_rows(few, path)


@pytest.mark.parametrize("batch_size", [2, 33, 512, 1024, 2000, 4096])
def test_there_are_whole_batches_for_validation(profile, tmp_path, batch_size):
    """Or too few rows, which is said."""
    rows = np.full((6000, 8), 7, dtype=np.min_scalar_type(1499))
    rows[:, -1] = SEP
    rows.tofile(tmp_path / "rows.bin")
    changes = {"batch_size": batch_size, "sequence_length": 8, "neighbour_weight": 0.0}
    asked = dataclasses.replace(profile, **changes)
    if batch_size > 3000:
        with pytest.raises(ValueError, match=r"6000 rows .* too few for batches of 4096"):
            packing.open_rows(asked, tmp_path / "rows.bin")
    else:
        learn, kept, _ = packing.open_rows(asked, tmp_path / "rows.bin")
        assert len(kept) >= batch_size
        assert len(learn) >= len(kept)


def test_a_block_of_rows_has_padding_for_what_is_held_out(tmp_path):
    rows = packing.Rows(np.arange(1, 13).reshape(6, 2), np.array([2, 3]))
    assert len(rows) == 4
    assert rows[:].tolist() == [[1, 2], [3, 4], [9, 10], [11, 12]]
    assert rows[np.array([2, 0])].tolist() == [[9, 10], [1, 2]]
    assert rows.block(1, 5).tolist() == [[3, 4], [0, 0], [0, 0], [9, 10], [0, 0]]
    assert rows.block(4, 99).tolist() == [[9, 10], [11, 12], [0, 0]]


def test_no_text_is_no_tokens(profile, vocabulary):
    assert wordpieces.tokenize([], vocabulary, profile) == []
    assert packing.sentence_rows([], vocabulary, profile).shape == (0, 24)
    assert [*normalization.words([], profile)] == []
    assert packing.pack([], 8).shape == (0, 8)


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
    wordpieces.save_vocabulary(vocabulary, tmp_path / "vocabulary.txt")
    here, there = tmp_path / "here.bin", tmp_path / "there.bin"
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
    texts = corpora.read_corpus(profile)
    packing.store_rows(texts, vocabulary, profile, here)
    assert here.read_bytes() == there.read_bytes()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_does_not_grow_with_the_corpus(tmp_path, corpus, vocabulary):
    # Even the small corpus fills the queue of waiting chunks.
    program = (
        "import itertools, re; from helpers import corpora, packing, profiles\n"
        f"vocabulary = {vocabulary!r}\n"
        f"profile = profiles.load_profile(corpus={str(corpus)!r})\n"
        "for times in 2, 6:\n"
        "    many = (corpora.read_corpus(profile) for _ in range(times))\n"
        "    texts = itertools.chain.from_iterable(many)\n"
        f"    path = {str(tmp_path / 'rows')!r}\n"
        "    packing.store_rows(texts, vocabulary, profile, path)\n"
        # Not getrusage, whose maximum includes the parent process.
        "    status = open('/proc/self/status').read()\n"
        "    print('peak', int(re.search(r'VmHWM:\\s+(\\d+)', status)[1]) // 1024)\n"
    )
    first, second = map(int, re.findall(r"peak (\d+)", run_python("-c", program)))
    megabytes = 6 * corpus.stat().st_size / 2**20
    assert megabytes > 80
    assert second < 2048, (first, second)
    # Text in memory would take this much, and its tokens twice as much.
    assert second - first < megabytes / 2, (first, second)


def test_frequencies_are_probabilities(rows, vocabulary, monkeypatch):
    log_frequencies = packing.log_frequencies(rows, len(vocabulary))
    assert abs(np.exp(log_frequencies).sum() - 1) < 1e-4
    the = vocabulary.index("the")
    assert abs(np.exp(log_frequencies[the]) - (rows == the).mean()) < 0.01
    # [UNK] stands for a word; the other special tokens are never predicted.
    never = list(normalization.NEVER_HIDDEN)
    assert log_frequencies[never] == pytest.approx(log_frequencies.min())
    many = packing.log_frequencies(np.where(rows == the, UNK, rows), len(vocabulary))
    assert many[UNK] > log_frequencies[the] - 0.1
    monkeypatch.setattr(packing, "BLOCK", 7)
    again = packing.log_frequencies(rows, len(vocabulary))
    np.testing.assert_array_equal(again, log_frequencies)
