"""Turns text into rows of numbers: vocabulary, tokens, rows, and word vectors.

Notebook 2 writes these steps out and checks that these functions agree with them.
"""

import collections
import concurrent.futures
import functools
import itertools
import pathlib

import keras_hub
import numpy as np
import scipy.sparse
import tensorflow as tf
import tokenizers
from sklearn.utils.extmath import randomized_svd

import helpers
from helpers import corpora

# They begin every vocabulary, in this order.
SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
PAD, UNK, CLS, SEP, MASK = range(5)
# Where [UNK] stands there was a word: it may be hidden.
NEVER_HIDDEN = (PAD, CLS, SEP, MASK)

# A vocabulary is learnt from about so many characters, spread over the corpus.
VOCABULARY_CHARACTERS = 100_000_000
# Texts that are tokenized at a time, and how many such chunks wait for it in memory.
CHUNK, WAITING = 2000, 4
# Rows that are set aside to measure on, at most, and rows that are counted at a time.
VALIDATION_ROWS, BLOCK = 1024, 100_000


def learn_vocabulary(texts, size):
    """Learns a WordPiece vocabulary from a list of texts: a list of `size` strings, special
    tokens first, then frequent words and pieces of others, "##" before one inside a word.

    Pieces are joined as in byte-pair encoding (Sennrich et al., 2016), which is what the
    `tokenizers` library means by training WordPiece.
    """
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = tokenizers.normalizers.BertNormalizer(strip_accents=True)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    letters = tokenizer.normalizer.normalize_str("".join(sorted(set().union(*texts))))
    # Given in this order, because the trainer would number them differently each time.
    inner = [f"##{letter}" for letter in sorted(set(letters) - {" "})]
    options = {"limit_alphabet": len(inner), "show_progress": False}
    options["special_tokens"] = [*SPECIAL_TOKENS, *inner]
    trainer = tokenizers.trainers.WordPieceTrainer(vocab_size=size, **options)
    tokenizer.train_from_iterator(texts, trainer, length=len(texts))
    vocabulary = tokenizer.get_vocab(with_added_tokens=False)
    if len(vocabulary) != size:
        given = f"The text gives {len(vocabulary)} word pieces, not {size}"
        raise ValueError(f"{given}: lower `vocabulary_size`, or take more text.")
    return sorted(vocabulary, key=vocabulary.get)


def load_vocabulary(profile):
    """The profile's vocabulary: learnt from its corpus, BERT's, or one of your own.

    A file has a piece in each line, in UTF-8. The special tokens come first in what is
    returned, wherever the file has them.
    """
    if profile.vocabulary == "learnt":
        characters = sum(map(len, corpora.read_corpus(profile)))
        every = -(-characters // VOCABULARY_CHARACTERS)
        texts = itertools.islice(corpora.read_corpus(profile), 0, None, every)
        return learn_vocabulary(list(texts), profile.vocabulary_size)
    path, size = profile.vocabulary, profile.vocabulary_size
    if path == "bert":
        path = corpora.fetch("bert_vocab_uncased.txt")
    pieces = pathlib.Path(path).read_text("utf-8").split()
    if not len(pieces) == len({*pieces, *SPECIAL_TOKENS}) == size:
        wanted = f"{size} (`vocabulary_size`), each once, with {' '.join(SPECIAL_TOKENS)}"
        raise ValueError(f"`{path}` has {len(pieces)} word pieces: give {wanted}.")
    return [*SPECIAL_TOKENS, *(piece for piece in pieces if piece not in SPECIAL_TOKENS)]


@functools.lru_cache(maxsize=1)
def _tokenizer(vocabulary):
    """A function from a batch of texts to a ragged tensor, made once for a vocabulary."""
    options = {"lowercase": True, "strip_accents": True, "special_tokens": SPECIAL_TOKENS}
    tokenizer = keras_hub.tokenizers.WordPieceTokenizer(list(vocabulary), **options)
    return tf.function(tokenizer.call, input_signature=[tf.TensorSpec([None], tf.string)])


def tokenize(texts, vocabulary):
    """Tokenizes a list of texts on all cores: a list of int32 arrays, one a text."""
    tokenizer = _tokenizer(tuple(vocabulary))
    batches = tf.data.Dataset.from_tensor_slices(texts).batch(100)
    # Split outside TensorFlow: a ragged tensor gives up its rows one by one, slowly.
    ids, ends = [], []
    for batch in batches.map(tokenizer, num_parallel_calls=tf.data.AUTOTUNE):
        ids.append(batch.values.numpy())
        ends.append(batch.row_lengths().numpy())
    return np.split(np.concatenate(ids), np.cumsum(np.concatenate(ends))[:-1])


def pad(token_ids, length):
    """Puts each text into a row of its own, cut or filled up: int32 `(texts, length)`."""
    rows = np.full((len(token_ids), length), PAD, dtype="int32")
    for row, ids in zip(rows, token_ids, strict=True):
        row[: len(ids)] = ids[:length]
    return rows


def _join(token_ids):
    """Joins texts to one stream of tokens, with a [SEP] after each: int32 `(tokens,)`."""
    parts = [part for ids in token_ids if len(ids) for part in (ids, [SEP])]
    return np.concatenate([*parts, []]).astype("int32")


def pack(token_ids, length):
    """Joins texts and cuts the stream into full rows: int32 `(rows, length)`. Less than
    one row is left over, at the end, and dropped."""
    stream = _join(token_ids)
    return stream[: len(stream) // length * length].reshape(-1, length)


def _stream(texts, vocabulary):
    """Tokenizes and joins texts, as the smallest whole numbers that hold them."""
    dtype = np.min_scalar_type(len(vocabulary) - 1)
    return _join(tokenize(texts, vocabulary)).astype(dtype)


def store_rows(texts, vocabulary, path, executor=None):
    """Tokenizes a corpus of any size into one file: a stream of texts, [SEP] after each.

    Args:
        texts: iterable of strings, of which some chunks are in memory at a time.
        vocabulary: list of strings.
        path: a path. It holds the whole stream in the end, or what it held before.
        executor: a `concurrent.futures.Executor` that tokenizes, such as Dask's
            `Client.get_executor()`; the file is the same. By default all cores do it here.
    """
    texts, waiting = iter(texts), collections.deque()
    # One worker, because TensorFlow uses all cores; it works while text is read.
    here = concurrent.futures.ThreadPoolExecutor(1)
    bar = helpers.progress(unit=" texts", unit_scale=CHUNK)
    with here, bar, helpers.writing(path) as file:
        while chunk := list(itertools.islice(texts, CHUNK)):
            waiting.append((executor or here).submit(_stream, chunk, vocabulary))
            if len(waiting) > WAITING:
                file.write(waiting.popleft().result().tobytes())
                bar.update()
        for stream in waiting:
            file.write(stream.result().tobytes())


def open_rows(profile, path):
    """Maps what `store_rows` stored into memory: two int arrays, `(rows, sequence)`, the
    rows to learn from and, the first of the file, some to measure on."""
    length, least = profile.sequence_length, profile.batch_size
    dtype = np.min_scalar_type(profile.vocabulary_size - 1)
    stream = np.memmap(path, dtype, mode="r")
    rows = stream[: len(stream) // length * length].reshape(-1, length)
    kept = min(VALIDATION_ROWS, max(least, len(rows) // 10))
    if len(rows) < kept + least:
        few = f"The corpus gives {len(rows)} rows of {length} tokens; a batch has {least}"
        raise ValueError(f"{few}: lower `batch_size`, or take more text.")
    return rows[kept:], rows[:kept]


def sentence_rows(sentences, vocabulary, length):
    """Tokenizes sentences to classify and pads them: int32 `(sentences, length)`."""
    # An empty sentence, too, needs something to attend to.
    token_ids = tokenize(list(sentences), vocabulary)
    return pad([ids if len(ids) else [UNK] for ids in token_ids], length)


def log_frequencies(rows, size):
    """The logarithm of each token's share of the text in int rows, float32 `(size,)`, but
    for special tokens; one occurrence is added to every token: none is impossible."""
    counts = np.ones(size)
    for first in range(0, len(rows), BLOCK):
        counts += np.bincount(rows[first : first + BLOCK].ravel(), minlength=size)
    counts[: len(SPECIAL_TOKENS)] = 1
    return np.log(counts / counts.sum()).astype("float32")


def cooccurrence_counts(rows, window, size):
    """Counts how often two tokens stand within a window of each other in one text.

    Args:
        rows: int array, `(rows, sequence)`, from `pack` or `pad`.
        window: int, the greatest distance that counts, in tokens.
        size: int, of the vocabulary; the result is symmetric, sparse, `(size, size)`.
    """
    stream = rows.ravel().astype("int32")
    special = stream < len(SPECIAL_TOKENS)
    text = np.cumsum(special)
    counts = scipy.sparse.csr_matrix((size, size), dtype="float32")
    for distance in range(1, window + 1):
        # A special token opens the part that it is counted to; itself it doesn't count.
        same = (text[:-distance] == text[distance:]) & ~special[:-distance]
        pair = stream[:-distance][same], stream[distance:][same]
        ones = np.ones(len(pair[0]), dtype="float32")
        counts += scipy.sparse.coo_matrix((ones, pair), shape=counts.shape).tocsr()
    return counts + counts.T


def word_vectors(counts, hidden_dim, seed, scale=0.2):
    """Turns co-occurrence counts into word vectors.

    Positive pointwise mutual information, contexts smoothed by the power 0.75, and its
    leading singular vectors (Levy, Goldberg and Dagan, 2015, "Improving distributional
    similarity with lessons learned from word embeddings").

    Args:
        counts: symmetric sparse matrix, `(vocabulary, vocabulary)`.
        hidden_dim: int, numbers in a vector: the result is float32 `(vocabulary,
            hidden_dim)`, with zeros for tokens that don't occur.
        seed: int, for the randomized decomposition.
        scale: float, the vectors' standard deviation. Adam's steps have a fixed size, so
            that large vectors turn slowly, and keep what the counts taught them.
    """
    pairs = counts.tocoo()
    total = counts.sum(axis=1).A1
    context = total**0.75 / (total**0.75).sum()
    information = np.log(pairs.data / (total[pairs.row] * context[pairs.col]))
    pairs.data = np.maximum(information, 0.0)
    vectors, *_ = randomized_svd(pairs.tocsr(), hidden_dim, n_iter=4, random_state=seed)
    occurs = total > 0
    vectors -= vectors[occurs].mean(axis=0)
    vectors *= scale / vectors[occurs].std()
    return (vectors * occurs[:, None]).astype("float32")
