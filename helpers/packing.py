"""Rows of token ids: packed and stored once, memory-mapped, and held out for validation."""

import collections
import concurrent.futures
import itertools
import os
import pathlib
import zlib

import keras
import numpy as np

import helpers
from helpers import storage, wordpieces
from helpers.normalization import NEVER_HIDDEN, SEP, UNK

# Texts that are tokenised at a time, and how many such chunks may wait in memory.
CHUNK = 2000
WAITING = 4

# One text in so many is held out, and so many rows of these texts are for validation.
HELD_OUT = 20
VALIDATION_ROWS = 1024

# Rows that are counted at a time
BLOCK = 100_000


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


def is_held_out(text):
    """Whether a text is for validation: one in `HELD_OUT`, by its checksum. A text that
    occurs twice is on the same side both times."""
    return zlib.crc32(text.encode("utf-8", "surrogatepass")) % HELD_OUT == 0


def _streams(texts, vocabulary, lowercase, strip_accents):
    """Tokenises and joins the texts to train on, and those that are held out, in the
    smallest integer type that fits the ids."""
    dtype = np.min_scalar_type(len(vocabulary) - 1)
    token_ids = wordpieces.tokenize_with(texts, vocabulary, lowercase, strip_accents)
    sides = [], []
    for text, ids in zip(texts, token_ids, strict=True):
        sides[is_held_out(text)].append(ids)
    return [_join(side).astype(dtype).tobytes() for side in sides]


def store_rows(texts, vocabulary, profile, path, executor=None):
    """Tokenises a corpus of any size into two files, one of them beside `path` for the
    texts that are held out: a stream of texts each, [SEP] after every text.

    Args:
        texts: iterable of strings; only a few chunks are in memory at a time.
        vocabulary: list of strings.
        profile: a `Profile`; see `tokenize`.
        path: a path. Both files are written atomically.
        executor: a `concurrent.futures.Executor` that tokenises, such as Dask's
            `Client.get_executor()`, into the same files; by default, all cores here.
    """
    texts = iter(texts)
    lowercase = profile.lowercase
    strip_accents = profile.strip_accents
    waiting = collections.deque()
    # One worker, because TensorFlow uses all cores; it runs while text is read.
    here = concurrent.futures.ThreadPoolExecutor(1)
    bar = helpers.progress(unit=" texts", unit_scale=CHUNK)
    with (
        here,
        bar,
        storage.writing(path) as file,
        storage.writing(held_out_path(path)) as held_out,
    ):

        def write_first():
            for_training, for_validation = waiting.popleft().result()
            file.write(for_training)
            held_out.write(for_validation)
            bar.update()

        while chunk := list(itertools.islice(texts, CHUNK)):
            job = (executor or here).submit(
                _streams, chunk, vocabulary, lowercase, strip_accents
            )
            waiting.append(job)
            if len(waiting) > WAITING:
                write_first()
        while waiting:
            write_first()


def held_out_path(path):
    """Where `store_rows` stores the texts held out for validation, beside the others."""
    return pathlib.Path(path).with_suffix(".held-out.bin")


def open_rows(profile, path):
    """Memory-maps what `store_rows` stored.

    Returns:
        The training rows, int `(rows, sequence)`; the validation rows, int
        `(rows, sequence)`, from all over the held-out texts; and these texts as one stream,
        int `(tokens,)`. If they are too few for a batch, the validation rows are the last
        ones of the training text instead, and are not trained on.
    """
    length = profile.sequence_length
    batch = profile.batch_size
    rows = _in_rows(_open_stream(profile, path), length)
    held_out = open_held_out(profile, path)
    validation_rows = _in_rows(held_out, length)
    if len(validation_rows) < batch:
        count = max(batch, min(VALIDATION_ROWS, len(rows) // 10))
        if count > len(rows) - count:
            few = f"{len(rows)} rows of {length} tokens are too few for batches of {batch}"
            raise ValueError(f"{few}: lower `batch_size`, or take more text.")
        rows, validation_rows = rows[:-count], rows[-count:]
    count = min(len(validation_rows), max(batch, VALIDATION_ROWS))
    spread = np.linspace(0, len(validation_rows) - 1, count).astype(int)
    return rows, validation_rows[spread], held_out


def open_held_out(profile, path):
    """Memory-maps the held-out texts that `store_rows` stored: int `(tokens,)`."""
    return _open_stream(profile, held_out_path(path))


def _open_stream(profile, path):
    """Memory-maps a file of tokens: int `(tokens,)`."""
    dtype = np.min_scalar_type(profile.vocabulary_size - 1)
    if not os.path.getsize(path):  # which can't be mapped
        return np.zeros(0, dtype)
    return np.memmap(path, dtype, mode="r")


def _in_rows(stream, length):
    """Cuts a stream into full rows, int `(rows, length)`."""
    return stream[: len(stream) // length * length].reshape(-1, length)


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
