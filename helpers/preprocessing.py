"""Turns text into batches: vocabulary, tokens, word vectors, rows and masks.

Notebook 02 writes these steps out and checks that these functions agree with them.
"""

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

from helpers import corpora

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")

# BERT's way with a chosen token (Devlin et al., 2019, section 3.1), and KerasHub's
# default: hidden in 80 % of cases, replaced by another in 10 %, left alone in 10 %.
MASK_TOKEN_RATE = 0.8
RANDOM_TOKEN_RATE = 0.1

# Standard deviation of the word vectors. Adam's steps have a fixed size, so that large
# vectors turn slowly, and keep in fine-tuning what the counts taught them.
VECTOR_SCALE = 0.2


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


def load_vocabulary(profile, texts):
    """The profile's vocabulary: BERT's, or one learnt from the texts.

    Args:
        profile: a `Profile`.
        texts: list of strings.

    Returns:
        A list of strings.

    Raises:
        VocabularyError: the vocabulary hasn't the size that the profile says.
    """
    if profile.vocabulary == "learnt":
        return learn_vocabulary(texts, profile.vocabulary_size)
    vocabulary = corpora.fetch("bert_vocab_uncased.txt").read_text("utf-8").split()
    if len(vocabulary) != profile.vocabulary_size:
        raise VocabularyError(
            f"BERT's vocabulary has {len(vocabulary)} word pieces: set "
            "`vocabulary_size` to that."
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
    """Tokenizes the corpus and lays it out in rows, as the profile says.

    Args:
        profile: a `Profile`.
        texts: list of strings.
        vocabulary: list of strings.

    Returns:
        An int32 array, `(rows, sequence)`.
    """
    # A row of filling alone has nothing to attend to.
    token_ids = [ids for ids in tokenize(texts, vocabulary) if len(ids)]
    if profile.packed:
        return pack(token_ids, profile.sequence_length, vocabulary.index("[SEP]"))
    return pad(token_ids, profile.sequence_length)


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
    """The ids of the special tokens, which are never masked.

    Args:
        vocabulary: list of strings.

    Returns:
        A list of int.
    """
    return [vocabulary.index(token) for token in SPECIAL_TOKENS]


def log_frequencies(rows, vocabulary):
    """How likely each token is to be the hidden one, before anything is read.

    Args:
        rows: int array, `(rows, sequence)`.
        vocabulary: list of strings.

    Returns:
        A float32 array, `(vocabulary,)`: the logarithm of each token's share of the
        text, special tokens left out. One occurrence is added to every token, so that
        none is impossible.
    """
    counts = np.bincount(rows.ravel(), minlength=len(vocabulary)).astype(float)
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

    If the profile has a `neighbour_weight`, rows 2i and 2i + 1 of a batch follow each other
    in the text, and finding the one for the other is a second game.

    Args:
        rows: int32 array, `(rows, sequence)`.
        profile: a `Profile`.
        vocabulary: list of strings.
        steps: int, batches.
        salt: int, makes another series of batches from the same seed.

    An item is what `fit` takes:

    - features, a dict of `token_ids`, int32 `(batch, sequence)`, and `mask_positions`,
      int32 `(batch, predictions)`;
    - labels, a dict of `masked_words`, the hidden ids, int32 `(batch, predictions)`, and
      perhaps `neighbours`, int32 `(batch / 2,)`;
    - weights, a dict with the same keys and shapes, float32: 1, or 0 for the filling after
      the last hidden token of a row.

    Raises:
        ValueError: there are fewer rows than a batch has.
    """

    def __init__(self, rows, profile, vocabulary, steps, salt=0):
        super().__init__()
        if len(rows) < profile.batch_size:
            raise ValueError(
                f"The corpus gives {len(rows)} rows, less than a batch of "
                f"{profile.batch_size}: lower `batch_size`, or take more text."
            )
        self.rows, self.profile, self.steps = rows, profile, steps
        self.seed = profile.seed, salt
        self.mask_id = vocabulary.index("[MASK]")
        self.maskable = np.ones(len(vocabulary), dtype=bool)
        self.maskable[special_ids(vocabulary)] = False
        self.order = None, None

    def __len__(self):
        return self.steps

    def __getitem__(self, step):
        if not 0 <= step < self.steps:
            raise IndexError(f"There are {self.steps} batches, numbered from 0.")
        # Rows are drawn one by one, or in pairs of neighbours.
        together = 2 if self.profile.neighbour_weight else 1
        draws, units = self.profile.batch_size // together, len(self.rows) // together
        number, first = divmod(step, units // draws)
        if self.order[0] != number:
            rng = np.random.default_rng((*self.seed, 0, number))
            self.order = number, rng.permutation(units)
        drawn = self.order[1][first * draws : (first + 1) * draws, None]
        rows = (together * drawn + np.arange(together)).ravel()
        rng = np.random.default_rng((*self.seed, 1, step))
        features, words, filled = self.mask(self.rows[rows], rng)
        labels, weights = {"masked_words": words}, {"masked_words": filled}
        if self.profile.neighbour_weight:
            labels["neighbours"] = np.arange(draws, dtype="int32")
            weights["neighbours"] = np.ones(draws, dtype="float32")
        return features, labels, weights

    def mask(self, token_ids, rng):
        """Hides tokens.

        Args:
            token_ids: int32 array, `(batch, sequence)`.
            rng: a `numpy.random.Generator`.

        Returns:
            Features, labels and weights of the masked words, as above.
        """
        batch, length = token_ids.shape
        predictions = self.profile.predictions_per_sequence
        candidate = self.maskable[token_ids]
        wanted = np.ceil(self.profile.mask_rate * candidate.sum(axis=1, keepdims=True))
        # A random number for each token, special ones last: the first few win.
        scores = rng.random((batch, length), dtype="float32") + ~candidate
        drawn = scores.argsort(axis=1)[:, :predictions].astype("int32")
        # In the order of the text; what is not wanted goes behind its end.
        chosen = np.arange(predictions) < wanted
        positions = np.sort(np.where(chosen, drawn, length), axis=1)
        chosen = positions < length
        positions[~chosen] = 0
        labels = np.take_along_axis(token_ids, positions, axis=1) * chosen

        dice = rng.random((batch, predictions), dtype="float32")
        shown = np.where(dice < MASK_TOKEN_RATE, self.mask_id, labels)
        replaced = (dice >= MASK_TOKEN_RATE) & (dice < MASK_TOKEN_RATE + RANDOM_TOKEN_RATE)
        others = rng.integers(len(self.maskable), size=shown.shape, dtype="int32")
        shown = np.where(replaced, others, shown)
        row, column = np.nonzero(chosen)
        hidden = token_ids.copy()
        hidden[row, positions[row, column]] = shown[row, column]
        features = {"token_ids": hidden, "mask_positions": positions}
        return features, labels, chosen.astype("float32")
