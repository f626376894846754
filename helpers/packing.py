"""Rows of token ids: packed and stored once, memory-mapped, and held out for validation."""

import collections
import concurrent.futures
import itertools
import math
import tempfile

import keras
import numpy as np
import pandas as pd

import helpers
from helpers import profiles, storage, wordpieces
from helpers.normalization import NEVER_HIDDEN, PAD, SEP, UNK

# Texts that are tokenised at a time, and how many such chunks may wait in memory.
CHUNK = 2000
WAITING = 4

# The most rows that are set aside for validation, and rows that are counted at a time.
VALIDATION_ROWS = 1024
BLOCK = 100_000

# Tokens or texts that are looked at together, in the search for repeated texts.
BLOCK_TOKENS = 2_000_000


def pad(token_ids, length):
    """Truncates or pads each text to a row of its own: int32 `(texts, length)`."""
    if not len(token_ids):
        return np.zeros((0, length), dtype="int32")
    return keras.utils.pad_sequences(token_ids, length, padding="post", truncating="post")


def _join(token_ids):
    """Joins texts into one stream of tokens, with a [SEP] after each: int32 `(tokens,)`."""
    parts = [np.zeros(0, "int32")]
    for ids in token_ids:
        if len(ids):
            parts += [ids, np.array([SEP], "int32")]
    return np.concatenate(parts).astype("int32")


def pack(token_ids, length):
    """Joins texts and cuts the stream into full rows: int32 `(rows, length)`."""
    stream = _join(token_ids)
    return stream[: len(stream) // length * length].reshape(-1, length)


def _stream(texts, vocabulary, lowercase, strip_accents):
    """Tokenises and joins texts, in the smallest integer type that fits the ids."""
    dtype = np.min_scalar_type(len(vocabulary) - 1)
    return _join(
        wordpieces.tokenize_with(texts, vocabulary, lowercase, strip_accents)
    ).astype(dtype)


def store_rows(texts, vocabulary, profile, path, executor=None):
    """Tokenises a corpus of any size into one file: a stream of texts, [SEP] after each.

    Args:
        texts: iterable of strings; only a few chunks are in memory at a time.
        vocabulary: list of strings.
        profile: a `Profile`; see `tokenize`.
        path: a path, which is written atomically.
        executor: a `concurrent.futures.Executor` that tokenises, such as Dask's
            `Client.get_executor()`, into the same file; by default, all cores here.
    """
    texts = iter(texts)
    lowercase = profile.lowercase
    strip_accents = profile.strip_accents
    waiting = collections.deque()
    # One worker, because TensorFlow uses all cores; it runs while text is read.
    here = concurrent.futures.ThreadPoolExecutor(1)
    bar = helpers.progress(unit=" texts", unit_scale=CHUNK)
    with here, bar, storage.writing(path) as file:
        while chunk := list(itertools.islice(texts, CHUNK)):
            job = (executor or here).submit(
                _stream, chunk, vocabulary, lowercase, strip_accents
            )
            waiting.append(job)
            if len(waiting) > WAITING:
                file.write(waiting.popleft().result().tobytes())
                bar.update()
        for stream in waiting:
            file.write(stream.result().tobytes())


class Rows:
    """All rows of an array but some, which are read only when they are indexed.

    Args:
        rows: int array, `(rows, sequence)`, possibly memory-mapped.
        left_out: increasing int array, the numbers of the rows that are left out.
    """

    def __init__(self, rows, left_out):
        self.rows = rows
        self.left_out = left_out
        # How many of the others stand before each row that is left out
        self.others_before = left_out - np.arange(len(left_out))

    def __len__(self):
        return len(self.rows) - len(self.left_out)

    def __getitem__(self, places):
        if isinstance(places, slice):
            start, stop, step = places.indices(len(self))
            places = np.arange(start, stop, step)
        places = np.where(np.less(places, 0), np.add(places, len(self)), places)
        left_out_before = np.searchsorted(self.others_before, places, side="right")
        return self.rows[places + left_out_before]

    def block(self, start, stop):
        """Rows `start` to `stop` of the whole array, int `(rows, sequence)`, as they follow
        each other in the text. A row that is left out is all [PAD], and so is one that is
        added at the end: what stands on its two sides doesn't follow each other."""
        block = np.pad(self.rows[start:stop], ((0, 1), (0, 0)), constant_values=PAD)
        first, last = np.searchsorted(self.left_out, (start, stop))
        block[self.left_out[first:last] - start] = PAD
        return block


def _text_checksums(stream):
    """Yields a checksum of each text in a stream, uint64 arrays, a block at a time: the sum
    of numbers that are made from each token and its place in the text."""
    # Of a text that goes on in the next block
    length = 0
    total = np.uint64(0)
    for first in range(0, len(stream), BLOCK_TOKENS):
        ids = stream[first : first + BLOCK_TOKENS].astype("uint64")
        ends = np.flatnonzero(ids == SEP)
        starts = np.concatenate([[-length], ends + 1])
        tokens = np.diff(np.concatenate([[0], ends + 1, [len(ids)]]))
        places = np.arange(len(ids)) - np.repeat(starts, tokens)
        numbers = (places.astype("uint64") << np.uint64(32)) + ids
        totals = total + np.cumsum(pd.util.hash_array(numbers), dtype="uint64")
        at_ends = np.append(totals[ends], totals[-1])
        checksums = np.diff(at_ends, prepend=np.uint64(0))
        yield checksums[:-1]
        total = checksums[-1]
        length = len(ids) - starts[-1]


def _find_repeated(stream):
    """Whether each text in a stream occurs more than once, bool `(texts,)`. Checksums are
    kept in a file, and sorted in parts, so that memory doesn't grow with the corpus (but
    for this byte a text)."""
    with tempfile.TemporaryFile() as file:
        for checksums in _text_checksums(stream):
            file.write(checksums.tobytes())
        file.flush()
        count = file.tell() // 8
        repeated = np.zeros(count, bool)
        if not count:
            return repeated
        checksums = np.memmap(file, "uint64", mode="r")
        parts = np.uint64(math.ceil(count / BLOCK_TOKENS))
        for part in range(parts):
            places = []
            for first in range(0, count, BLOCK_TOKENS):
                in_part = checksums[first : first + BLOCK_TOKENS] % parts == part
                places.append(first + np.flatnonzero(in_part))
            places = np.concatenate(places)
            repeated[places] = pd.Series(checksums[places]).duplicated(keep=False)
    return repeated


def _find_rows_with(repeated, stream, length):
    """Which rows of `length` tokens have a part of a repeated text: bool `(rows,)`."""
    repeated = np.append(repeated, False)  # for a text that has no [SEP] yet
    has_repeated = []
    text = 0
    block = max(1, BLOCK_TOKENS // length) * length
    for first in range(0, len(stream) // length * length, block):
        ids = stream[first : first + block]
        ids = ids[: len(ids) // length * length]
        is_end = ids == SEP
        texts = text + np.cumsum(is_end) - is_end  # the number of each token's text
        has_repeated.append(repeated[texts].reshape(-1, length).any(axis=1))
        text = texts[-1] + is_end[-1]
    return np.concatenate(has_repeated)


def open_rows(profile, path):
    """Memory-maps what `store_rows` stored, and sets rows aside for validation.

    Returns:
        The training rows, `Rows`; the validation rows, int `(rows, sequence)`, drawn at
        random by seed, but not from texts that occur more than once if there are enough
        others; and the number of texts, and of those that occur more than once.
    """
    length = profile.sequence_length
    least = profile.batch_size
    stream = np.memmap(path, np.min_scalar_type(profile.vocabulary_size - 1), mode="r")
    count = len(stream) // length  # of rows
    # A batch at least, if that leaves as many for training.
    held_out = max(least, min(VALIDATION_ROWS, count // 10))
    if held_out > count - held_out:
        few = f"{count} rows of {length} tokens are too few for batches of {least}"
        raise ValueError(f"{few}: lower `batch_size`, or take more text.")
    repeated = _find_repeated(stream)
    free = ~_find_rows_with(repeated, stream, length)
    if free.sum() < held_out:  # nearly all texts are repeated
        free[:] = True
    rng = profiles.random_stream(profile.seed, "validation rows")
    measured = np.sort(rng.choice(np.flatnonzero(free), held_out, replace=False))
    rows = stream[: count * length].reshape(-1, length)
    return Rows(rows, measured), rows[measured], (len(repeated), repeated.sum())


def sentence_rows(sentences, vocabulary, profile):
    """Tokenises sentences to classify and pads them to the longest of `sentence_lengths`:
    int32 `(sentences, length)`."""
    # An empty sentence becomes [UNK], because attention needs at least one token.
    texts = wordpieces.tokenize(list(sentences), vocabulary, profile)
    texts = [ids if len(ids) else [UNK] for ids in texts]
    return pad(texts, profile.sentence_lengths[-1])


def log_frequencies(rows, size):
    """Log unigram frequencies in int rows, float32 `(size,)`. One occurrence is added to
    every token, so that none is impossible. Special tokens that are never predicted, all
    but [UNK], have only this one."""
    counts = np.ones(size)
    for first in range(0, len(rows), BLOCK):
        counts += np.bincount(rows[first : first + BLOCK].ravel(), minlength=size)
    counts[list(NEVER_HIDDEN)] = 1
    return np.log(counts / counts.sum()).astype("float32")
