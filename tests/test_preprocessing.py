import dataclasses
import errno
import hashlib
import os
import pathlib
import signal
import sys

import keras_hub
import numpy as np
import pytest
import tensorflow as tf
from conftest import run_python, start_python

from helpers import corpora, devices, preprocessing, profiles


def test_the_vocabulary_begins_with_the_special_tokens(profile, vocabulary):
    assert vocabulary[:5] == list(preprocessing.SPECIAL_TOKENS)
    assert len(vocabulary) == len(set(vocabulary)) == profile.vocabulary_size


def test_the_vocabulary_is_the_same_in_another_process(profile, vocabulary):
    program = (
        "import hashlib; from helpers import corpora, preprocessing, profiles, profiles;"
        "from itertools import islice;"
        "texts = list(islice(corpora.read_corpus(profiles.load_profile()), 300));"
        f"pieces = preprocessing.learn_vocabulary(texts, {profile.vocabulary_size});"
        "print(hashlib.sha256(repr(pieces).encode()).hexdigest())"
    )
    printed = run_python(program)
    assert printed.strip() == hashlib.sha256(repr(vocabulary).encode()).hexdigest()


def test_a_vocabulary_that_the_text_cannot_fill_is_refused():
    with pytest.raises(preprocessing.VocabularyError, match="`vocabulary_size`"):
        preprocessing.learn_vocabulary(["a few words only"], 5000)


def test_tokenize_gives_what_the_tokenizer_gives(texts, vocabulary):
    tokenizer = preprocessing.word_piece_tokenizer(vocabulary)
    several = [*texts[:5], "", "Ünïcode ½ 映画!"]
    for text, ids in zip(several, preprocessing.tokenize(several, vocabulary), strict=True):
        assert ids.tolist() == list(tokenizer(text))


def test_text_cannot_smuggle_in_a_special_token(vocabulary):
    (ids,) = preprocessing.tokenize(["a [MASK] here [SEP]"], vocabulary)
    assert not np.isin(ids, preprocessing.special_ids(vocabulary)[2:]).any()


def test_padding_cuts_and_fills():
    rows = preprocessing.pad([np.array([5, 6, 7]), np.array([8])], 2)
    assert rows.tolist() == [[5, 6], [8, 0]]


def test_packing_loses_and_repeats_no_token(texts, vocabulary):
    ids = preprocessing.tokenize(texts, vocabulary)
    separator = vocabulary.index("[SEP]")
    rows = preprocessing.pack(ids, 32, separator)
    stream = [id_ for text in ids for id_ in (*text, separator)]
    assert rows.ravel().tolist() == stream[: rows.size]
    assert len(stream) - rows.size < 32


def test_shards_are_as_one_array():
    rows = np.arange(60).reshape(20, 3)
    sharded = preprocessing.ShardedRows([rows[:7], rows[7:8], rows[8:8], rows[8:]])
    assert len(sharded) == 20
    assert sharded.shape == (20, 3)
    np.testing.assert_array_equal(np.asarray(sharded), rows)
    drawn = [19, 0, 7, 7, 6, 8]
    np.testing.assert_array_equal(sharded[drawn], rows[drawn])
    for part in slice(5), slice(5, None), slice(7, 9), slice(-3, None), slice(9, 4):
        np.testing.assert_array_equal(np.asarray(sharded[part]), rows[part])
    np.testing.assert_array_equal(sharded[5:][[0, 3]], rows[[5, 8]])


def test_chunks_keep_every_text():
    texts = ["aaa", "bb", "", "cccccc", "d"]
    assert list(preprocessing.chunks(texts, 4)) == [texts[:2], texts[2:4], texts[4:]]


@pytest.fixture
def small_shards(monkeypatch, texts):
    """Shards of which the texts make eight or so."""
    monkeypatch.setattr(preprocessing, "SHARD_CHARACTERS", sum(map(len, texts)) // 8 + 1)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("packed", [True, False])
def test_stored_rows_are_those_made_in_memory(
    profile, texts, vocabulary, tmp_path, small_shards, packed
):
    asked = dataclasses.replace(profile, packed=packed, neighbour_weight=0.0)
    rows = preprocessing.store_rows(asked, vocabulary, iter(texts), tmp_path)
    assert 6 <= len(rows.shards) <= 8
    assert all(isinstance(shard, np.memmap) for shard in rows.shards)
    made = [
        preprocessing.corpus_rows(asked, chunk, vocabulary)
        for chunk in preprocessing.chunks(texts, preprocessing.SHARD_CHARACTERS)
    ]
    np.testing.assert_array_equal(np.asarray(rows), np.concatenate(made))


def test_shards_that_are_there_are_not_made_again(
    profile, texts, vocabulary, tmp_path, small_shards
):
    preprocessing.store_rows(profile, vocabulary, texts, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    lost = sorted(before)[3]
    lost.unlink()
    (tmp_path / ".shard-killed").mkdir()
    changed = [*texts[:-1], "another text"]
    preprocessing.store_rows(profile, vocabulary, changed, tmp_path)
    after = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    # The last one, of another text, and the lost one are new; the old last one is gone.
    assert len(after) == len(before)
    same = [path for path in after if after[path] == before.get(path)]
    assert sorted(same) == sorted({*before} - {lost, max(before)})


def store(profile, texts, vocabulary, folder):
    """A program that stores the texts in shards, slowly, and prints a dot for each."""
    (folder / "texts.txt").write_text("\n".join(texts), "utf-8")
    (folder / "vocabulary.txt").write_text("\n".join(vocabulary), "utf-8")
    return (
        "import pathlib, time; from helpers import preprocessing, profiles\n"
        f"folder = pathlib.Path({str(folder)!r})\n"
        f"preprocessing.SHARD_CHARACTERS = {preprocessing.SHARD_CHARACTERS}\n"
        "texts = (folder / 'texts.txt').read_text('utf-8').split('\\n')\n"
        "vocabulary = (folder / 'vocabulary.txt').read_text('utf-8').split('\\n')\n"
        f"profile = profiles.load_profile(sequence_length={profile.sequence_length})\n"
        "make = preprocessing._store_shard\n"
        "def slowly(*shard):\n"
        "    make(*shard)\n"
        "    print('.', flush=True)\n"
        "    time.sleep(0.5)\n"
        "preprocessing._store_shard = slowly\n"
        "preprocessing.store_rows(profile, vocabulary, texts, folder / 'rows')\n"
    )


def test_a_killed_process_goes_on_where_it_was(
    profile, texts, vocabulary, tmp_path, small_shards
):
    texts = [text.replace("\n", " ") for text in texts]
    program = store(profile, texts, vocabulary, tmp_path)
    with start_python(program) as process:
        for _ in range(3):
            assert process.stdout.readline() == ".\n"
        process.kill()
    stored = {path: path.stat().st_mtime_ns for path in (tmp_path / "rows").glob("*.npy")}
    assert 3 <= len(stored) < 7
    run_python(program)
    for path, time in stored.items():
        assert path.stat().st_mtime_ns == time
    preprocessing.store_rows(profile, vocabulary, texts, tmp_path / "whole")
    assert contents(tmp_path / "rows") == contents(tmp_path / "whole")


def test_some_rows_are_kept_to_measure_on(profile, vocabulary, tmp_path):
    corpus = tmp_path / "texts.txt"
    corpus.write_text("a film of words\n" * 400, "utf-8")
    (tmp_path / "rows" / "validation").mkdir(parents=True)  # left by another corpus
    own = dataclasses.replace(profile, corpus=str(corpus), validation_sequences=10)
    learn, measure = preprocessing.store_corpus(own, vocabulary, tmp_path / "rows")
    every = preprocessing.open_rows(tmp_path / "rows" / "training")
    assert len(measure) == 10
    np.testing.assert_array_equal(every, np.concatenate([measure, learn]))
    own = dataclasses.replace(own, validation_sequences=len(every))
    with pytest.raises(corpora.CorpusError, match="lower `validation_sequences`"):
        preprocessing.open_corpus(own, tmp_path / "rows")


def test_a_full_disk_keeps_the_shards_before_it(
    profile, texts, vocabulary, tmp_path, small_shards, monkeypatch
):
    save, saved = np.save, []

    def full(path, rows):
        if len(saved) == 2:
            pathlib.Path(path).write_bytes(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        saved.append(path)
        save(path, rows)

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(corpora.CorpusError, match=r"No space left.*make room") as caught:
        preprocessing.store_rows(profile, vocabulary, texts, tmp_path)
    assert "\n" not in str(caught.value)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_cluster_writes_the_same_shards_though_a_worker_is_killed(
    profile, texts, vocabulary, tmp_path, small_shards
):
    distributed = pytest.importorskip("distributed")
    preprocessing.store_rows(profile, vocabulary, texts, tmp_path / "here")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        victim = next(iter(client.run(os.getpid).values()))

        def watched():
            """The texts; kills a worker when a third of them are given away."""
            for number, text in enumerate(texts):
                if number == len(texts) // 3:
                    os.kill(victim, signal.SIGKILL)
                yield text

        preprocessing.store_rows(
            profile, vocabulary, watched(), tmp_path / "there", client.get_executor()
        )
    assert contents(tmp_path / "here") == contents(tmp_path / "there")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_does_not_grow_with_the_corpus(tmp_path, texts, vocabulary):
    small, large = tmp_path / "small", tmp_path / "large"
    # The small one fills the queue of shards that wait, too.
    for folder, times in (small, 250), (large, 750):
        folder.mkdir()
        with open(folder / "corpus.txt", "w", encoding="utf-8") as file:
            for _ in range(times):
                file.writelines(text.replace("\n", " ") + "\n" for text in texts)
    program = (
        "import re; from helpers import preprocessing, profiles\n"
        "preprocessing.SHARD_CHARACTERS = 4_000_000\n"
        f"vocabulary = {vocabulary!r}\n"
        f"for corpus in {str(small)!r}, {str(large)!r}:\n"
        "    profile = profiles.load_profile(corpus=corpus)\n"
        "    preprocessing.store_corpus(profile, vocabulary, corpus + '-rows')\n"
        # Not getrusage: its maximum includes the process that started this one.
        "    status = open('/proc/self/status').read()\n"
        "    print(int(re.search(r'VmHWM:\\s+(\\d+)', status)[1]) // 1024)\n"
    )
    first, second = map(int, run_python(program).split())
    megabytes = (large / "corpus.txt").stat().st_size / 2**20
    assert megabytes > 50
    assert second < 2048, (first, second)
    # The text alone would take as many megabytes as it has, its tokens twice as many.
    assert second - first < megabytes / 2, (first, second)


def test_a_vocabulary_of_ones_own_is_checked(tmp_path, vocabulary):
    file = tmp_path / "vocabulary.txt"

    def load(pieces, size=1500):
        file.write_text("\n".join(pieces), "utf-8")
        asked = profiles.load_profile(vocabulary=str(file), vocabulary_size=size)
        return preprocessing.load_vocabulary(asked)

    assert load(vocabulary) == vocabulary
    for wrong, message in (
        (vocabulary[1:], "is no WordPiece vocabulary"),
        (vocabulary[::-1], r"\[PAD\] first"),
        ([*vocabulary, "film"], "each piece once"),
        (vocabulary[:-1], r"has 1499 word pieces: set `vocabulary_size`"),
    ):
        with pytest.raises(preprocessing.VocabularyError, match=message):
            load(wrong)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(preprocessing.VocabularyError, match="can't be read"):
        preprocessing.load_vocabulary(profiles.load_profile(vocabulary=str(file)))


def test_a_vocabulary_is_learnt_from_all_parts_of_a_large_corpus(tmp_path, monkeypatch):
    file = tmp_path / "mine.txt"
    file.write_text("abab\n" * 500 + "cdcd\n" * 500, "utf-8")
    monkeypatch.setattr(preprocessing, "VOCABULARY_CHARACTERS", 1000)
    asked = profiles.load_profile(corpus=str(file), vocabulary_size=15)
    # Its letters come from the whole of the sample, whatever else has room.
    letters = {"a", "b", "c", "d"}
    assert letters <= set("".join(preprocessing.load_vocabulary(asked)))


def batches(rows, profile, vocabulary, steps=6, salt=0):
    """Features, labels and weights of the masked words, batch by batch."""
    made = preprocessing.MaskedBatches(rows, profile, vocabulary, steps, salt)
    return [(x, y["masked_words"], w["masked_words"]) for x, y, w in made]


def test_masks_hold_to_the_rate(rows, profile, vocabulary):
    for features, labels, weights in batches(rows, profile, vocabulary):
        assert features["token_ids"].shape == (16, 32)
        assert labels.shape == weights.shape == (16, 8)
        # 8 of 32; one fewer in a row with a [SEP] or two
        assert weights.sum(axis=1).min() >= 6
        assert weights.sum(axis=1).max() == 8


def test_ids_are_restored_from_labels(rows, profile, vocabulary):
    known = {row.tobytes() for row in rows.astype("int32")}
    for features, labels, weights in batches(rows, profile, vocabulary):
        restored = features["token_ids"].copy()
        row, column = np.nonzero(weights)
        restored[row, features["mask_positions"][row, column]] = labels[row, column]
        assert all(one.tobytes() in known for one in restored)


def test_special_tokens_are_never_masked(profile, vocabulary):
    rng = np.random.default_rng(0)
    rows = rng.integers(5, len(vocabulary), (64, 32))
    rows[:, ::3] = rng.integers(0, 5, rows[:, ::3].shape)
    unknown = vocabulary.index("[UNK]")
    for _, labels, weights in batches(rows, profile, vocabulary):
        hidden = labels[weights == 1]
        assert ((hidden >= 5) | (hidden == unknown)).all()
        assert unknown in hidden  # where it stands there was a word


def test_weights_are_zero_where_nothing_is_left_to_mask(profile, vocabulary):
    rows = np.zeros((64, 32), dtype="int32")
    rows[:, :4] = 7
    for features, labels, weights in batches(rows, profile, vocabulary):
        assert (weights.sum(axis=1) == 1).all()  # a quarter of four tokens
        assert not labels[weights == 0].any()
        assert not features["mask_positions"][weights == 0].any()


def test_a_row_of_padding_is_left_alone(profile, vocabulary):
    rows = np.zeros((64, 32), dtype="int32")
    for features, _, weights in batches(rows, profile, vocabulary):
        assert not weights.any()
        assert not features["token_ids"].any()


def test_the_game_is_that_of_keras_hub(profile, vocabulary):
    """Shares of [MASK], kept and random tokens, over 64,000 places."""
    rows = np.random.default_rng(0).integers(5, len(vocabulary), (512, 32))
    generator = keras_hub.layers.MaskedLMMaskGenerator(
        vocabulary_size=len(vocabulary),
        mask_selection_rate=profile.mask_rate,
        mask_selection_length=profile.predictions_per_sequence,
        mask_token_id=vocabulary.index("[MASK]"),
        unselectable_token_ids=preprocessing.unmaskable_ids(vocabulary),
    )
    shares = []
    keys = "token_ids", "mask_positions", "mask_ids", "mask_weights"
    # Inside tf.data; called directly, the layer picks each token by a dice of its own.
    dataset = tf.data.Dataset.from_tensor_slices(rows).batch(512).map(generator)
    outputs = dataset.get_single_element()
    theirs = [outputs[key].numpy() for key in keys]
    ours = batches(rows, profile, vocabulary, steps=32)
    parts = [(*batch[0].values(), *batch[1:]) for batch in ours]
    for token_ids, positions, labels, weights in (
        theirs,
        map(np.concatenate, zip(*parts, strict=True)),
    ):
        picked = weights == 1
        shown = np.take_along_axis(token_ids, positions.astype(int), axis=1)[picked]
        shares.append(
            [
                picked.mean(),
                (shown == vocabulary.index("[MASK]")).mean(),
                (shown == labels[picked]).mean(),
                np.bincount(positions[picked], minlength=32).std() / picked.sum(),
            ]
        )
    # 4,096 places at least: the standard error of a share of 0.8 is 0.006
    np.testing.assert_allclose(shares[0], shares[1], atol=0.03)


def test_the_same_seed_gives_the_same_batches(rows, profile, vocabulary):
    first, second = (batches(rows, profile, vocabulary) for _ in range(2))
    other = batches(rows, dataclasses.replace(profile, seed=1), vocabulary)
    for one, two, three in zip(first, second, other, strict=True):
        np.testing.assert_equal(one, two)
        assert (one[1] != three[1]).any()


def test_every_pass_has_its_own_order_and_masks(profile, vocabulary):
    rows = np.random.default_rng(0).integers(5, len(vocabulary), (32, 32))
    made = batches(rows, profile, vocabulary, steps=4)  # two passes of two batches
    assert (made[0][1] != made[2][1]).any()


def test_without_shuffling_rows_come_as_they_stand(profile, vocabulary):
    asked = dataclasses.replace(profile, shuffle=False, neighbour_weight=0.0, mask_rate=0.0)
    rows = np.random.default_rng(0).integers(5, len(vocabulary), (40, 32))
    seen = [x["token_ids"] for x, *_ in batches(rows, asked, vocabulary, steps=4)]
    # Two batches of 16 a pass; the eight rows that are left make none.
    np.testing.assert_array_equal(np.concatenate(seen), np.tile(rows[:32], (2, 1)))


def test_neighbours_come_in_pairs(profile, vocabulary):
    rows = np.repeat(np.arange(5, 69)[:, None], 32, axis=1)  # row n holds n + 5
    made = preprocessing.MaskedBatches(rows, profile, vocabulary, 8)
    firsts = []
    for features, labels, weights in made:
        # Most tokens of a row are shown as they are.
        first, second = np.median(features["token_ids"], axis=1).reshape(-1, 2).T
        assert (second == first + 1).all()
        firsts.append(first)
        assert labels["neighbours"].tolist() == list(range(8))
        assert weights["neighbours"].tolist() == [1.0] * 8
    # Two passes, each over all pairs, in another order
    assert sorted(np.concatenate(firsts[:4])) == sorted(np.concatenate(firsts[4:]))
    assert (np.concatenate(firsts[:4]) != np.concatenate(firsts[4:])).any()

    alone = dataclasses.replace(profile, neighbour_weight=0.0)
    _, labels, weights = preprocessing.MaskedBatches(rows, alone, vocabulary, 1)[0]
    assert [*labels] == [*weights] == ["masked_words"]


def test_hosts_make_the_parts_of_one_batch(rows, profile, vocabulary, monkeypatch):
    def flat(batch):
        return [array for part in batch for array in part.values()]

    whole = preprocessing.MaskedBatches(rows, profile, vocabulary, 3)
    parts = []
    for number in range(4):
        monkeypatch.setattr(devices, "part", lambda number=number: (number, 4))
        parts.append(preprocessing.MaskedBatches(rows, profile, vocabulary, 3))
    for step in range(3):
        one = zip(*(flat(part[step]) for part in parts), strict=True)
        for array, pieces in zip(flat(whole[step]), one, strict=True):
            np.testing.assert_array_equal(array, np.concatenate(pieces))


def test_batches_can_begin_anywhere(rows, profile, vocabulary):
    whole = preprocessing.MaskedBatches(rows, profile, vocabulary, 9)
    later = preprocessing.MaskedBatches(rows, profile, vocabulary, 4, first=5)
    assert len(later) == 4
    for step in range(4):
        for one, other in zip(whole[step + 5], later[step], strict=True):
            for name in one:
                np.testing.assert_array_equal(one[name], other[name])


def test_too_few_rows_for_a_batch(rows, profile, vocabulary):
    with pytest.raises(corpora.CorpusError, match="lower `batch_size`"):
        preprocessing.MaskedBatches(rows[:3], profile, vocabulary, 1)


def test_counts_are_those_of_counting():
    vocabulary = [*preprocessing.SPECIAL_TOKENS, "a", "b", "c", "d"]
    a, b, c, d = range(5, 9)
    separator = vocabulary.index("[SEP]")
    rows = np.array([[a, b, c, separator], [d, a, b, separator]])
    counts = preprocessing.cooccurrence_counts(rows, 2, vocabulary).toarray()
    expected = np.zeros((9, 9))
    for one, other in (a, b), (b, c), (a, c), (d, a), (a, b), (d, b):
        expected[one, other] += 1
        expected[other, one] += 1
    np.testing.assert_array_equal(counts, expected)


def test_word_vectors_put_company_together():
    vocabulary = [*preprocessing.SPECIAL_TOKENS, *"abcdefgh", "unseen"]
    rng = np.random.default_rng(0)
    # Two circles of words that never meet.
    rows = np.concatenate([rng.integers(5, 9, (200, 16)), rng.integers(9, 13, (200, 16))])
    rows[:, -1] = vocabulary.index("[SEP]")
    counts = preprocessing.cooccurrence_counts(rows, 4, vocabulary)
    vectors = preprocessing.word_vectors(counts, 2, seed=0)
    similarity = vectors[5:13] @ vectors[5:13].T
    circle = np.arange(8) < 4
    same = circle[:, None] == circle
    assert similarity[same].min() > similarity[~same].max()
    assert not vectors[:5].any()
    assert not vectors[13].any()
    assert abs(vectors[5:13].std() - preprocessing.VECTOR_SCALE) < 1e-6


def test_frequencies_are_probabilities(rows, vocabulary):
    log_frequencies = preprocessing.log_frequencies(rows, vocabulary)
    assert abs(np.exp(log_frequencies).sum() - 1) < 1e-4
    the = vocabulary.index("the")
    assert abs(np.exp(log_frequencies[the]) - (rows == the).mean()) < 0.01
