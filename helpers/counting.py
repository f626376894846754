"""Counts of neighbouring tokens: word vectors from them, and what they predict.

Notebook 2 computes the vectors and notebook 3 the predictions in the same way, and checks
that these functions agree.
"""

import numpy as np
import scipy.sparse
from sklearn.utils.extmath import randomized_svd

from helpers.normalization import NEVER_HIDDEN, PAD

# The share of its frequency in what a neighbour predicts of a token.
FREQUENCY_SHARE = 0.2


def followers(rows, distance, size):
    """How often one token follows another at this distance in a text.

    Args:
        rows: int array, `(rows, sequence)`, which follow each other in the text.
        distance: int, 1 for the next token.
        size: int, the number of word pieces.

    Returns:
        A sparse float32 matrix `(size, size)`: the first token by the second.
    """
    stream = rows.ravel().astype("int32")
    special = np.isin(stream, NEVER_HIDDEN)  # not [UNK], which is a word
    text = np.cumsum(special)  # the number of the text that a token is in
    same = (text[:-distance] == text[distance:]) & ~special[:-distance]
    pair = stream[:-distance][same], stream[distance:][same]
    ones = np.ones(len(pair[0]), dtype="float32")
    return scipy.sparse.coo_matrix((ones, pair), shape=(size, size)).tocsr()


def positive_pmi(counts):
    """The pointwise mutual information of each pair where it is positive, else 0: sparse,
    like the counts. Frequencies of the second token are raised to the power 0.75 (Levy,
    Goldberg and Dagan, 2015, https://aclanthology.org/Q15-1016/)."""
    pairs = counts.tocoo()
    of_first = np.asarray(counts.sum(axis=1)).ravel()
    of_second = np.asarray(counts.sum(axis=0)).ravel() ** 0.75
    expected = of_first[pairs.row] * (of_second / of_second.sum())[pairs.col]
    pairs.data = np.maximum(np.log(pairs.data / expected), 0.0)
    return pairs.tocsr()


def decompose(matrix, width, seed):
    """A truncated singular value decomposition: a short vector for each row of a sparse
    matrix, float `(rows, width)`, filled up with zeros if the matrix has a lower rank."""
    rank = min(width, min(matrix.shape))
    vectors, values, _ = randomized_svd(matrix, rank, n_iter=4, random_state=seed)
    return np.pad(vectors * np.sqrt(values), ((0, 0), (0, width - rank)))


def same_length(vectors, scale=0.1):
    """Vectors of the same root mean square `scale`, float32; zero where they were zero."""
    size = np.sqrt((vectors**2).mean(axis=1, keepdims=True))
    return (scale * vectors / np.maximum(size, 1e-9) * (size > 1e-9)).astype("float32")


def mean_vectors(token_ids, vectors):
    """The mean of the word vectors of each sentence, without padding.

    Args:
        token_ids: int array, `(sentences, length)`.
        vectors: float array, `(vocabulary, hidden)`.

    Returns:
        A float array `(sentences, hidden)`.
    """
    means = []
    for row in token_ids:
        means.append(vectors[row[row != PAD]].mean(axis=0))
    return np.stack(means)


def pair_evidence(next_one, frequencies):
    """How much likelier a token becomes next to another one, in nats: log(1 + 4 r), where
    r is the ratio of the pair's count to what would be expected if the two were
    independent, because a fifth of the token's frequency is mixed into each prediction.

    Args:
        next_one: sparse matrix, the `followers` at distance 1.
        frequencies: float array, `(vocabulary,)`, unigram frequencies.

    Returns:
        A sparse float matrix like `next_one`, 0 where a pair was never seen.
    """
    pairs = next_one.tocoo()
    seen = np.maximum(frequencies * pairs.sum(), 1e-9)
    ratio = pairs.data / (seen[pairs.row] * frequencies[pairs.col])
    evidence = np.log1p((1 - FREQUENCY_SHARE) / FREQUENCY_SHARE * ratio)
    return scipy.sparse.coo_matrix(
        (evidence, (pairs.row, pairs.col)), shape=pairs.shape
    ).tocsr()


def neighbour_scores(token_ids, positions, evidence, log_frequencies):
    """Scores of all tokens at one position of each row, from the tokens before and after
    it, taken to be independent: float `(rows, vocabulary)`.

    Args:
        token_ids: int array, `(rows, sequence)`.
        positions: int array, `(rows,)`.
        evidence: what `pair_evidence` returns.
        log_frequencies: float array, `(vocabulary,)`.
    """
    padded = np.pad(token_ids, [[0, 0], [1, 1]])
    rows = np.arange(len(token_ids))
    before = padded[rows, positions]
    after = padded[rows, positions + 2]
    return log_frequencies + (evidence[before] + evidence[:, after].T).toarray()
