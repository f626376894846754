"""The vocabulary of word pieces, and tokenisation."""

import functools
import pathlib
import re
import unicodedata
from collections import Counter

import keras_hub
import numpy as np
import tensorflow as tf
import tokenizers

from helpers import corpora, normalization, storage
from helpers.normalization import SPECIAL_TOKENS

# A vocabulary is learnt from a random sample of about this many characters. Its alphabet is
# the most frequent letters that cover this share of the sample.
VOCABULARY_CHARACTERS = 100_000_000
COVERAGE = 0.9999
ACCENT = re.compile(normalization.ACCENT)


def learn_vocabulary(texts, profile):
    """Learns a WordPiece vocabulary from a list of texts: `vocabulary_size` strings,
    special tokens first, then letters, words, and pieces; "##" marks one inside a word.

    Pieces are merged as in byte-pair encoding (Sennrich et al., 2016), which is how the
    `tokenizers` library trains WordPiece. Rare letters become [UNK], as in SentencePiece
    (Kudo and Richardson, 2018). Pieces that only served to merge longer ones are never
    used, and are replaced by others as long as the text has enough.
    """
    size = profile.vocabulary_size
    counts = Counter()
    for words in normalization.words(texts, profile):
        counts.update(words)
    alphabet = _find_alphabet(counts)
    counts = {word: counts[word] for word in sorted(counts) if alphabet.issuperset(word)}
    always = _pieces_of_letters(counts, alphabet)
    if len(always) > size:
        takes = f"its alphabet of {len(alphabet)} letters and signs takes {len(always)}"
        raise ValueError(f"`vocabulary_size` {size} is too small for the text: {takes}.")
    asked = size
    pieces = []
    while len(pieces) < size:
        tokenizer = _train(counts, always, asked)
        learnt = tokenizer.get_vocab(with_added_tokens=False)
        if len(learnt) < asked:  # the text gives no more
            pieces = sorted(learnt, key=learnt.get)
            break
        used = set(always)
        for word in counts:
            for token in tokenizer.model.tokenize(word):
                used.add(token.value)
        pieces = sorted(used, key=learnt.get)
        asked += size - len(pieces)
    if len(pieces) < size:
        given = f"The text gives {len(pieces)} word pieces, not {size}"
        raise ValueError(f"{given}: lower `vocabulary_size`, or take more text.")
    return pieces[:size]


def _find_alphabet(counts):
    """The most frequent letters that cover enough of the words, given with their counts: a
    set."""
    letters = Counter()
    for word, count in counts.items():
        letters.update(dict.fromkeys(word, count))
    total = letters.total()
    alphabet = set()
    covered = 0
    for letter, count in letters.most_common():
        if covered and covered / total >= COVERAGE:
            break
        alphabet.add(letter)
        covered += count
    return alphabet


def _pieces_of_letters(counts, alphabet):
    """The pieces that every vocabulary of these words has: special tokens, letters, and
    letters inside a word."""
    inside = set()
    for word in counts:
        if len(word) > 1:
            inside.update(word)
    pieces = list(SPECIAL_TOKENS)
    pieces += sorted(alphabet)
    for letter in sorted(inside):
        pieces.append(f"##{letter}")
    return pieces


def _train(counts, always, size):
    """A tokenizer with as many pieces, learnt from words with their counts."""
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordPiece(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    trainer = tokenizers.trainers.WordPieceTrainer(
        vocab_size=size, special_tokens=always, show_progress=False
    )
    repeated = (f"{word} " * count for word, count in counts.items())
    tokenizer.train_from_iterator(repeated, trainer)
    return tokenizer


def save_vocabulary(vocabulary, path):
    """Writes a vocabulary, one piece per line in UTF-8."""
    with storage.writing(path) as file:
        for piece in vocabulary:
            file.write(f"{piece}\n".encode())


def read_vocabulary(path):
    """Reads a vocabulary, one piece per line in UTF-8: a list of strings, which begins with
    the special tokens, wherever the file has them. A ValueError if a special token is
    missing, or if a piece is there twice."""
    path = pathlib.Path(path).expanduser()
    try:
        pieces = path.read_text("utf-8-sig").split()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"The vocabulary `{path}` can't be read ({error}).") from error
    missing = [token for token in SPECIAL_TOKENS if token not in pieces]
    if missing:
        wanted = f"give one piece per line, with {' '.join(SPECIAL_TOKENS)}"
        raise ValueError(f"The vocabulary `{path}` lacks {' '.join(missing)}: {wanted}.")
    ((piece, count),) = Counter(pieces).most_common(1)
    if count > 1:
        raise ValueError(f"The vocabulary `{path}` has `{piece}` twice: remove one.")
    others = [piece for piece in pieces if piece not in SPECIAL_TOKENS]
    return list(SPECIAL_TOKENS) + others


def piece_ids(vocabulary):
    """The token id of each piece: a dict of int by string."""
    return dict(zip(vocabulary, range(len(vocabulary)), strict=True))


def check_folding(vocabulary, path, lowercase, strip_accents):
    """Raises a ValueError if text that is cleaned with these settings can't be spelt with a
    vocabulary, because it has capitals, no capitals, or accents."""
    pieces = vocabulary[len(SPECIAL_TOKENS) :]
    capitals = [piece for piece in pieces if piece != piece.lower()]
    has_case = any(piece != piece.upper() for piece in pieces)
    accents = [p for p in pieces if ACCENT.search(unicodedata.normalize("NFD", p))]
    if lowercase and capitals:
        _contradiction("lowercase", True, path, f"has `{capitals[0]}` in it")
    if not lowercase and has_case and not capitals:
        _contradiction("lowercase", False, path, "has no capital in it")
    if strip_accents and accents:
        _contradiction("strip_accents", True, path, f"has `{accents[0]}` in it")


def _contradiction(setting, value, path, fact):
    advice = f"set it to {not value}"
    raise ValueError(
        f"`{setting}` is {value}, but the vocabulary `{path}` {fact}: {advice}."
    )


def load_vocabulary(profile):
    """The profile's vocabulary: learnt from its corpus, BERT's, or read from a file."""
    if profile.vocabulary == "learnt":
        return learn_vocabulary(corpora.draw_texts(profile, VOCABULARY_CHARACTERS), profile)
    path = profile.vocabulary
    if path == "bert":
        path = corpora.fetch("bert_vocab_uncased.txt")
    vocabulary = read_vocabulary(path)
    if len(vocabulary) != profile.vocabulary_size:
        sizes = f"{len(vocabulary)} word pieces, not {profile.vocabulary_size}"
        advice = f"set `vocabulary_size` to {len(vocabulary)}"
        raise ValueError(f"The vocabulary `{path}` has {sizes}: {advice}.")
    check_folding(vocabulary, path, profile.lowercase, profile.strip_accents)
    return vocabulary


@functools.lru_cache(maxsize=1)
def _tokenizer(vocabulary, lowercase, strip_accents):
    """A function from a batch of texts to a ragged tensor, built once per vocabulary."""
    tokenizer = keras_hub.tokenizers.WordPieceTokenizer(list(vocabulary))

    def read(texts):
        return tokenizer(normalization.normalize(texts, lowercase, strip_accents))

    return tf.function(read, input_signature=[tf.TensorSpec([None], tf.string)])


def tokenize(texts, vocabulary, profile):
    """Tokenises a list of texts on all cores, with the profile's `lowercase` and
    `strip_accents`: a list of int32 arrays, one per text."""
    return tokenize_with(texts, vocabulary, profile.lowercase, profile.strip_accents)


def tokenize_with(texts, vocabulary, lowercase, strip_accents):
    """As `tokenize`; workers elsewhere get these two settings alone."""
    if not len(texts):
        return []
    tokenizer = _tokenizer(tuple(vocabulary), lowercase, strip_accents)
    batches = tf.data.Dataset.from_tensor_slices(texts).batch(100)
    # Split in NumPy, because iterating over a ragged tensor is slow.
    ids = []
    lengths = []
    for batch in batches.map(tokenizer, num_parallel_calls=tf.data.AUTOTUNE):
        ids.append(batch.values.numpy())
        lengths.append(batch.row_lengths().numpy())
    ends = np.cumsum(np.concatenate(lengths))
    return np.split(np.concatenate(ids), ends[:-1])
