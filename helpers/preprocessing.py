"""Turns text into batches: vocabulary, tokens, word vectors, rows and masks.

Notebook 02 writes these steps out and checks that these functions agree with them.
"""

import collections
import concurrent.futures
import contextlib
import hashlib
import itertools
import pathlib
import shutil
import tempfile

import keras
import keras_hub
import numpy as np
import scipy.sparse
import tensorflow as tf
from sklearn.utils.extmath import randomized_svd
from tokenizers import (
    Tokenizer,
    models,
    normalizers,
    pre_tokenizers,
    trainers,
)

from helpers import corpora, devices

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")

# BERT's way with a chosen token (Devlin et al., 2019, section 3.1), and KerasHub's
# default: hidden in 80 % of cases, replaced by another in 10 %, left alone in 10 %.
MASK_TOKEN_RATE = 0.8
RANDOM_TOKEN_RATE = 0.1

# Standard deviation of the word vectors. Adam's steps have a fixed size, so that large
# vectors turn slowly, and keep in fine-tuning what the counts taught them.
VECTOR_SCALE = 0.2


# A vocabulary is learnt from about so many characters, spread over the corpus.
VOCABULARY_CHARACTERS = 100_000_000

# Characters in a shard: what is lost when a process is killed, and what is in memory.
SHARD_CHARACTERS = 16_000_000

# Shards that wait, as text in memory, for a worker.
WAITING = 4

# Rows that are counted at a time.
BLOCK = 100_000


class VocabularyError(ValueError):
    """A vocabulary that can't be learnt or used."""


def learn_vocabulary(texts, size):
    """Learns a WordPiece vocabulary: frequent words whole, others in pieces.

    Pieces are joined as in byte-pair encoding (Sennrich et al., 2016), which is what the
    `tokenizers` library means by training WordPiece.

    Args:
        texts: list of strings.
        size: int, pieces to learn, special tokens included.

    Returns:
        A list of strings: special tokens, then pieces; a piece inside a word begins
        with "##".

    Raises:
        VocabularyError: the text gives fewer pieces.
    """
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True, strip_accents=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    characters = set()
    for text in texts:
        characters.update(text)
    normalized = tokenizer.normalizer.normalize_str("".join(sorted(characters)))
    # Given in this order, because the trainer would number them differently each time.
    inner = [f"##{character}" for character in sorted(set(normalized) - {" "})]
    trainer = trainers.WordPieceTrainer(
        vocab_size=size,
        special_tokens=[*SPECIAL_TOKENS, *inner],
        limit_alphabet=len(inner),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer, length=len(texts))
    vocabulary = tokenizer.get_vocab(with_added_tokens=False)
    if len(vocabulary) != size:
        raise VocabularyError(
            f"The text gives {len(vocabulary)} word pieces, not {size}: set "
            f"`vocabulary_size` to a number that it can fill, or take more text."
        )
    return sorted(vocabulary, key=vocabulary.get)


def load_vocabulary(profile):
    """The profile's vocabulary: learnt from its corpus, BERT's, or one of your own.

    Args:
        profile: a `Profile`. Its `vocabulary` is "learnt", "bert", or the path of a UTF-8
            file with a piece in each line, `[PAD]` first.

    Returns:
        A list of strings.

    Raises:
        VocabularyError: the vocabulary can't be used, or hasn't the size that the profile
            says.
        CorpusError: the corpus, or BERT's vocabulary, can't be read.
    """
    if profile.vocabulary == "learnt":
        characters = sum(map(len, corpora.read_corpus(profile)))
        every = -(-characters // VOCABULARY_CHARACTERS)
        texts = itertools.islice(corpora.read_corpus(profile), 0, None, every)
        return learn_vocabulary(list(texts), profile.vocabulary_size)
    if profile.vocabulary == "bert":
        path = corpora.fetch("bert_vocab_uncased.txt")
    else:
        path = pathlib.Path(profile.vocabulary)
    try:
        vocabulary = path.read_text("utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise VocabularyError(
            f"The vocabulary `{profile.vocabulary}` can't be read ({error}): give learnt, "
            "bert, or the path of a UTF-8 file with a piece in each line."
        ) from error
    missing = [token for token in SPECIAL_TOKENS if token not in vocabulary]
    if missing or vocabulary[0] != "[PAD]" or len(set(vocabulary)) < len(vocabulary):
        raise VocabularyError(
            f"{path.name} is no WordPiece vocabulary: give one with each piece once, "
            f"[PAD] first, and {', '.join(SPECIAL_TOKENS[1:])} among them."
        )
    if len(vocabulary) != profile.vocabulary_size:
        raise VocabularyError(
            f"{path.name} has {len(vocabulary)} word pieces: set `vocabulary_size` to that."
        )
    return vocabulary


def word_piece_tokenizer(vocabulary):
    """The tokenizer of the series.

    Args:
        vocabulary: list of strings.

    Returns:
        A `keras_hub.tokenizers.WordPieceTokenizer`, lower-casing and without accents.
    """
    return keras_hub.tokenizers.WordPieceTokenizer(
        vocabulary=vocabulary,
        lowercase=True,
        strip_accents=True,
        special_tokens=list(SPECIAL_TOKENS),
    )


def tokenize(texts, vocabulary):
    """Tokenizes in a `tf.data` pipeline, on all cores.

    Args:
        texts: list of strings.
        vocabulary: list of strings.

    Returns:
        A list of int32 arrays, one array a text.
    """
    tokenizer = word_piece_tokenizer(vocabulary)
    batches = tf.data.Dataset.from_tensor_slices(texts).batch(100)
    # Split outside TensorFlow: a ragged tensor gives up its rows one by one, slowly.
    ids, ends = [], []
    for batch in batches.map(tokenizer, num_parallel_calls=tf.data.AUTOTUNE):
        ids.append(batch.values.numpy())
        ends.append(batch.row_lengths().numpy())
    return np.split(np.concatenate(ids), np.cumsum(np.concatenate(ends))[:-1])


def pad(token_ids, sequence_length):
    """Puts each text into a row of its own: cut, or filled up with [PAD].

    Args:
        token_ids: list of int arrays, one array a text.
        sequence_length: int, tokens in a row.

    Returns:
        An int32 array, `(texts, sequence)`.
    """
    rows = np.zeros((len(token_ids), sequence_length), dtype="int32")
    for row, ids in zip(rows, token_ids, strict=True):
        row[: len(ids)] = ids[:sequence_length]
    return rows


def pack(token_ids, sequence_length, separator):
    """Joins all texts, a separator after each, and cuts them into full rows.

    Less than one row is left over, at the end, and dropped.

    Args:
        token_ids: list of int arrays, one array a text.
        sequence_length: int, tokens in a row.
        separator: int, the id of [SEP].

    Returns:
        An int32 array, `(rows, sequence)`.
    """
    stream = np.concatenate([np.array([*ids, separator], "int32") for ids in token_ids])
    rows = len(stream) // sequence_length
    return stream[: rows * sequence_length].reshape(rows, sequence_length)


def corpus_rows(profile, texts, vocabulary):
    """Tokenizes texts and lays them out in rows, as the profile says.

    Args:
        profile: a `Profile`.
        texts: list of strings.
        vocabulary: list of strings.

    Returns:
        An int32 array, `(rows, sequence)`.
    """
    # A row of filling alone has nothing to attend to.
    token_ids = [ids for ids in tokenize(texts, vocabulary) if len(ids)]
    if not token_ids:
        return np.zeros((0, profile.sequence_length), "int32")
    if profile.packed:
        return pack(token_ids, profile.sequence_length, vocabulary.index("[SEP]"))
    return pad(token_ids, profile.sequence_length)


class ShardedRows:
    """Rows that lie in several files, mapped into memory when they are asked for.

    Like a NumPy array it has a length, and gives the rows of an array of numbers as int32,
    `(numbers, sequence)`. A slice gives other `ShardedRows`, and reads nothing;
    `numpy.asarray` reads all.

    Args:
        shards: list of int arrays, `(rows, sequence)`, perhaps memory-mapped.
    """

    def __init__(self, shards):
        self.shards = shards
        self.firsts = np.cumsum([0, *map(len, shards)])
        self.shape = int(self.firsts[-1]), shards[0].shape[1]

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, rows):
        if isinstance(rows, slice):
            start, stop, _ = rows.indices(len(self))
            return ShardedRows(
                [
                    shard[max(0, start - first) : max(0, stop - first)]
                    for shard, first in zip(self.shards, self.firsts[:-1], strict=True)
                ]
            )
        rows = np.asarray(rows)
        drawn = np.empty((len(rows), self.shape[1]), "int32")
        shard_of = np.searchsorted(self.firsts, rows, side="right") - 1
        for shard in np.unique(shard_of):
            here = shard_of == shard
            drawn[here] = self.shards[shard][rows[here] - self.firsts[shard]]
        return drawn

    def __array__(self, dtype=None, copy=None):
        return np.concatenate(self.shards).astype(dtype or "int32")


def chunks(texts, characters=SHARD_CHARACTERS):
    """Cuts a stream of texts into lists of about as many characters.

    Args:
        texts: iterable of strings.
        characters: int; a list ends with the text that reaches it.

    Returns:
        An iterator of lists of strings.
    """
    chunk, size = [], 0
    for text in texts:
        chunk.append(text)
        size += len(text)
        if size >= characters:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def store_rows(profile, vocabulary, texts, folder, executor=None):
    """Tokenizes a corpus of any size into shards on disk.

    Each shard holds the rows of one part of the text, under a name that tells the text and
    the vocabulary. So a shard that is there is whole and right, and isn't made again: a
    process that was killed goes on where it was. Other shards in the folder are removed.

    Args:
        profile: a `Profile`.
        vocabulary: list of strings.
        texts: iterable of strings; as much of it is in memory as a few shards hold.
        folder: a path, of a folder that holds nothing else.
        executor: a `concurrent.futures.Executor` to make the shards with, such as Dask's
            `Client.get_executor()`, whose workers see the same folder. By default they
            are made here, on all cores.

    Returns:
        The `ShardedRows`.

    Raises:
        CorpusError: the texts give no row, or the shards can't be stored.
    """
    folder = pathlib.Path(folder).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    recipe = repr((vocabulary, profile.packed, profile.sequence_length)).encode()
    paths, running = [], collections.deque()
    with contextlib.ExitStack() as stack:
        if executor is None:
            # One worker, because TensorFlow uses all cores; it works while text is read.
            executor = stack.enter_context(concurrent.futures.ThreadPoolExecutor(1))
        for number, chunk in enumerate(chunks(texts, SHARD_CHARACTERS)):
            contents = hashlib.sha256(recipe)
            for text in chunk:
                contents.update(text.encode() + b"\n")
            paths.append(folder / f"{number:05}-{contents.hexdigest()[:16]}.npy")
            if not paths[-1].exists():
                shard = profile, vocabulary, chunk, paths[-1]
                running.append(executor.submit(_store_shard, *shard))
            if len(running) > WAITING:
                running.popleft().result()
        while running:
            running.popleft().result()
    for path in set(folder.iterdir()) - set(paths):
        # Of another text, or what a killed process was writing.
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return open_rows(folder)


def _store_shard(profile, vocabulary, texts, path):
    """Writes one shard: beside its place, then into it."""
    rows = corpus_rows(profile, texts, vocabulary)
    if len(vocabulary) <= 2**16:
        rows = rows.astype("uint16")
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".shard-") as own:
            np.save(pathlib.Path(own, "shard.npy"), rows)
            pathlib.Path(own, "shard.npy").replace(path)
    except OSError as error:
        raise corpora.CorpusError(
            f"{path.name} can't be stored in {path.parent} ({error.strerror}): make room "
            "there, and run this again; the shards before it are kept."
        ) from error


def open_rows(folder):
    """Opens the shards of a folder, in their order; reads nothing.

    Args:
        folder: a path, which `store_rows` was given.

    Returns:
        The `ShardedRows`.

    Raises:
        CorpusError: there is no row.
    """
    paths = sorted(pathlib.Path(folder).glob("*.npy"))
    rows = ShardedRows([np.load(path, mmap_mode="r") for path in paths]) if paths else []
    if not len(rows):
        raise corpora.CorpusError(
            "The corpus gives not one row: take more text, or lower `sequence_length`."
        )
    return rows


def store_corpus(profile, vocabulary, folder, executor=None):
    """Tokenizes the profile's corpus into shards: one set to learn from, one to measure on.

    Args:
        profile: a `Profile`.
        vocabulary: list of strings.
        folder: a path.
        executor: as for `store_rows`.

    Returns:
        What `open_corpus` gives.

    Raises:
        CorpusError: the text can't be read, gives no row, or the shards can't be stored.
    """
    folder = pathlib.Path(folder)
    store_rows(
        profile, vocabulary, corpora.read_corpus(profile), folder / "training", executor
    )
    validation = corpora.read_validation_corpus(profile)
    if validation is None:
        # Perhaps left by another corpus.
        shutil.rmtree(folder / "validation", ignore_errors=True)
    else:
        store_rows(profile, vocabulary, validation, folder / "validation", executor)
    return open_corpus(profile, folder)


def open_corpus(profile, folder):
    """Opens what `store_corpus` has stored.

    Args:
        profile: a `Profile`.
        folder: a path.

    Returns:
        Two `ShardedRows`: those to learn from, and at most `validation_sequences` to
        measure on. These are the corpus' own for it, or else its first rows, which are
        then not among those to learn from.

    Raises:
        CorpusError: no row is left to learn from.
    """
    rows, kept = open_rows(folder / "training"), profile.validation_sequences
    if (folder / "validation").exists():
        return rows, open_rows(folder / "validation")[:kept]
    if len(rows) <= kept:
        raise corpora.CorpusError(
            f"The corpus gives {len(rows)} rows, and {kept} are kept to measure on: lower "
            "`validation_sequences`, or take more text."
        )
    return rows[kept:], rows[:kept]


def sentence_rows(profile, sentences, vocabulary):
    """Tokenizes sentences to classify and pads them.

    Args:
        profile: a `Profile`.
        sentences: iterable of strings.
        vocabulary: list of strings.

    Returns:
        An int32 array, `(sentences, sentence_length)`.
    """
    unknown = [vocabulary.index("[UNK]")]
    token_ids = tokenize(list(sentences), vocabulary)
    # An empty sentence, too, needs something to attend to.
    return pad([ids if len(ids) else unknown for ids in token_ids], profile.sentence_length)


def special_ids(vocabulary):
    """The ids of the special tokens.

    Args:
        vocabulary: list of strings.

    Returns:
        A list of int.
    """
    return [vocabulary.index(token) for token in SPECIAL_TOKENS]


def unmaskable_ids(vocabulary):
    """The ids of the tokens that are never hidden: all special ones but [UNK].

    Where [UNK] stands there was a word.

    Args:
        vocabulary: list of strings.

    Returns:
        A list of int.
    """
    return [vocabulary.index(token) for token in SPECIAL_TOKENS if token != "[UNK]"]


def log_frequencies(rows, vocabulary):
    """How likely each token is to be the hidden one, before anything is read.

    Args:
        rows: int array, `(rows, sequence)`, or `ShardedRows`.
        vocabulary: list of strings.

    Returns:
        A float32 array, `(vocabulary,)`: the logarithm of each token's share of the
        text, special tokens left out. One occurrence is added to every token, so that
        none is impossible.
    """
    counts = np.zeros(len(vocabulary))
    for first in range(0, len(rows), BLOCK):
        block = np.asarray(rows[first : first + BLOCK])
        counts += np.bincount(block.ravel(), minlength=len(vocabulary))
    counts[special_ids(vocabulary)] = 0
    counts += 1
    return np.log(counts / counts.sum()).astype("float32")


def cooccurrence_counts(rows, window, vocabulary):
    """Counts how often two tokens stand within a window of each other in one text.

    Args:
        rows: int array, `(rows, sequence)`, from `pack` or `pad`.
        window: int, the greatest distance that counts, in tokens.
        vocabulary: list of strings.

    Returns:
        A symmetric sparse float32 matrix, `(vocabulary, vocabulary)`.
    """
    stream = rows.ravel()
    text = np.cumsum(np.isin(stream, special_ids(vocabulary)))
    counts = scipy.sparse.csr_matrix((len(vocabulary),) * 2, dtype="float32")
    for distance in range(1, window + 1):
        same = text[:-distance] == text[distance:]
        # A special token opens the part that it is counted to; itself it doesn't count.
        same &= ~np.isin(stream[:-distance], special_ids(vocabulary))
        pair = stream[:-distance][same], stream[distance:][same]
        ones = np.ones(len(pair[0]), dtype="float32")
        counts += scipy.sparse.coo_matrix((ones, pair), shape=counts.shape).tocsr()
    return counts + counts.T


def word_vectors(counts, hidden_dim, seed):
    """Turns co-occurrence counts into word vectors.

    Positive pointwise mutual information, contexts smoothed by the power 0.75, and its
    leading singular vectors (Levy, Goldberg and Dagan, 2015, "Improving distributional
    similarity with lessons learned from word embeddings").

    Args:
        counts: symmetric sparse matrix, `(vocabulary, vocabulary)`.
        hidden_dim: int, numbers in a vector.
        seed: int, for the randomized decomposition.

    Returns:
        A float32 array, `(vocabulary, hidden_dim)`, with mean 0 and standard deviation
        `VECTOR_SCALE` over the tokens that occur; zeros for the others.
    """
    pairs = counts.tocoo()
    total = counts.sum(axis=1).A1
    context = total**0.75 / (total**0.75).sum()
    information = np.log(pairs.data / (total[pairs.row] * context[pairs.col]))
    positive = scipy.sparse.coo_matrix(
        (np.maximum(information, 0.0), (pairs.row, pairs.col)), shape=counts.shape
    ).tocsr()
    vectors, _, _ = randomized_svd(positive, hidden_dim, n_iter=4, random_state=seed)
    occurs = total > 0
    vectors[occurs] -= vectors[occurs].mean(axis=0)
    vectors[occurs] *= VECTOR_SCALE / vectors[occurs].std()
    vectors[~occurs] = 0.0
    return vectors.astype("float32")


class MaskedBatches(keras.utils.PyDataset):
    """Batches drawn from stored rows, with other tokens hidden in every pass.

    The game is that of `keras_hub.layers.MaskedLMMaskGenerator`. Batch number n depends on
    the seed and on n alone: it is the same whenever, and on whichever backend, it is made.
    On several hosts each process makes its part of every batch, and reads no other rows.

    Rows come in an order that is new in every pass, or as they stand if the profile
    doesn't `shuffle`. If it has a `neighbour_weight`, rows 2i and 2i + 1 of a batch follow
    each other in the text, and finding the one for the other is a second game.

    Args:
        rows: int32 array, `(rows, sequence)`, or `ShardedRows`.
        profile: a `Profile`.
        vocabulary: list of strings.
        steps: int, batches.
        salt: int, makes another series of batches from the same seed.
        first: int, the number of the first batch: those before it were trained on already.

    An item is what `fit` takes:

    - features, a dict of `token_ids`, int32 `(batch, sequence)`, and `mask_positions`,
      int32 `(batch, predictions)`;
    - labels, a dict of `masked_words`, the hidden ids, int32 `(batch, predictions)`, and
      perhaps `neighbours`, int32 `(batch / 2,)`;
    - weights, a dict with the same keys and shapes, float32: 1, or 0 for the filling after
      the last hidden token of a row.

    Raises:
        CorpusError: there are fewer rows than a batch has.
    """

    def __init__(self, rows, profile, vocabulary, steps, salt=0, first=0):
        super().__init__()
        if len(rows) < profile.batch_size:
            raise corpora.CorpusError(
                f"The corpus gives {len(rows)} rows, less than a batch of "
                f"{profile.batch_size}: lower `batch_size`, or take more text."
            )
        self.rows, self.profile, self.steps, self.first = rows, profile, steps, first
        self.part, self.parts = devices.part()
        self.seed = profile.seed, salt
        self.mask_id = vocabulary.index("[MASK]")
        self.maskable = np.ones(len(vocabulary), dtype=bool)
        self.maskable[unmaskable_ids(vocabulary)] = False
        self.order = None, None

    def __len__(self):
        return self.steps

    def __getitem__(self, step):
        if not 0 <= step < self.steps:
            raise IndexError(f"There are {self.steps} batches, numbered from 0.")
        step += self.first
        # Rows are drawn one by one, or in pairs of neighbours.
        together = 2 if self.profile.neighbour_weight else 1
        draws, units = self.profile.batch_size // together, len(self.rows) // together
        number, first = divmod(step, units // draws)
        if self.order[0] != number:
            rng = np.random.default_rng((*self.seed, 0, number))
            shuffled = self.profile.shuffle
            self.order = number, rng.permutation(units) if shuffled else np.arange(units)
        mine = self._mine(draws)
        drawn = self.order[1][first * draws : (first + 1) * draws][mine, None]
        rows = (together * drawn + np.arange(together)).ravel()
        rng = np.random.default_rng((*self.seed, 1, step))
        features, words, filled = self.mask(self.rows[rows], rng)
        labels, weights = {"masked_words": words}, {"masked_words": filled}
        if self.profile.neighbour_weight:
            labels["neighbours"] = np.arange(draws, dtype="int32")[mine]
            weights["neighbours"] = np.ones(draws, dtype="float32")[mine]
        return features, labels, weights

    def _mine(self, whole):
        """The part of so many things that this process makes, as a slice."""
        return slice(whole * self.part // self.parts, whole * (self.part + 1) // self.parts)

    def mask(self, token_ids, rng):
        """Hides tokens.

        Args:
            token_ids: int32 array, `(batch, sequence)`; on several hosts, a part of it.
            rng: a `numpy.random.Generator`, which draws for the whole batch.

        Returns:
            Features, labels and weights of the masked words, as above.
        """
        rows, length = token_ids.shape
        batch = rows * self.parts
        mine = self._mine(batch)
        predictions = self.profile.predictions_per_sequence
        candidate = self.maskable[token_ids]
        wanted = np.ceil(self.profile.mask_rate * candidate.sum(axis=1, keepdims=True))
        # A random number for each token, special ones last: the first few win.
        scores = rng.random((batch, length), dtype="float32")[mine] + ~candidate
        drawn = scores.argsort(axis=1)[:, :predictions].astype("int32")
        # In the order of the text; what is not wanted goes behind its end.
        chosen = np.arange(predictions) < wanted
        positions = np.sort(np.where(chosen, drawn, length), axis=1)
        chosen = positions < length
        positions[~chosen] = 0
        labels = np.take_along_axis(token_ids, positions, axis=1) * chosen

        dice = rng.random((batch, predictions), dtype="float32")[mine]
        shown = np.where(dice < MASK_TOKEN_RATE, self.mask_id, labels)
        replaced = (dice >= MASK_TOKEN_RATE) & (dice < MASK_TOKEN_RATE + RANDOM_TOKEN_RATE)
        others = rng.integers(len(self.maskable), size=(batch, predictions), dtype="int32")
        others = others[mine]
        shown = np.where(replaced, others, shown)
        row, column = np.nonzero(chosen)
        hidden = token_ids.copy()
        hidden[row, positions[row, column]] = shown[row, column]
        features = {"token_ids": hidden, "mask_positions": positions}
        return features, labels, chosen.astype("float32")
