"""Grammar at a distance: which of two words belongs in a place, and which word before it
decides that.

The number of a verb is that of its noun, which may stand far before it (Linzen, Dupoux and
Goldberg, 2016, https://aclanthology.org/Q16-1037/). Notebook 4 asks counts and encoders.
The words here are English; in a text without them there are no places.
"""

import numpy as np
import pandas as pd
import scipy.sparse
from sklearn.linear_model import SGDClassifier

from helpers import counting, models, wordpieces
from helpers.normalization import MASK, PAD, SEP

# The two words of a place: the first goes with a noun in the singular, or with a man.
VERBS = (("is", "are"), ("was", "were"))
PRONOUN = ("his", "her")

# Words for men and women that correspond to each other
GENDERED = (
    "actor actress, boy girl, brother sister, father mother, gentleman lady, guy gal, "
    "he she, hero heroine, husband wife, king queen, man woman, son daughter, uncle aunt"
)
IRREGULAR = "man men, woman women, child children, person people"

# A noun is a word that is preceded by *the* so often, in the singular and in the plural.
SHARE_AFTER_THE = 0.03
LEAST = 100  # occurrences of each form

# Between a noun and its verb there is no end of a sentence, and no other subject.
SUBJECTS = "i you he she it we they there this that these those what who which"
ENDS = (".", "!", "?", ";")

# What stands between noun and verb in made-up sentences, by the number of words
PHRASES = {
    0: ("",),
    1: ("here", "alone"),
    3: ("in the {other}", "of the {other}", "with the {other}", "from the {other}"),
    5: ("that the {other} talked about", "that came after the {other}"),
    8: (
        "from the first half of the same {other}",
        "that came with the rest of the {other}",
    ),
}
ADJECTIVES = "good bad great new old big small long short interesting"
SENTENCE_COLUMNS = ["text", "words", "plural", "distance", "misleads"]

# Words on either side of a place whose position the regression knows, and its penalties
REACH = 10
PENALTIES = 1e-5, 3e-5, 1e-4, 3e-4


def _pairs(words):
    """The pairs of words in a string, such as `"man men, child children"`: a list."""
    return [tuple(pair.split()) for pair in words.split(", ")]


def _goes_on(vocabulary):
    """Which pieces continue a word: bool `(vocabulary,)`."""
    return np.array([piece.startswith("##") for piece in vocabulary])


def _clues(vocabulary, pairs):
    """-1 for the first word of a pair, 1 for the second, 0 for all else: int8
    `(vocabulary,)`."""
    first, second = np.reshape(pairs, (-1, 2)).T  # also without any pair
    return np.isin(vocabulary, second).astype("int8") - np.isin(vocabulary, first)


def gender_clues(vocabulary):
    """What each token says about *his or her*: int8 `(vocabulary,)`, -1 for a word that
    means a man, 1 for one that means a woman, 0 for all else."""
    return _clues(vocabulary, _pairs(GENDERED))


def counterparts(vocabulary):
    """The token id of *actress* for that of *actor* and so on, both ways, and of all other
    tokens their own: int `(vocabulary,)`."""
    known = wordpieces.piece_ids(vocabulary)
    counterpart = np.arange(len(vocabulary))
    for man, woman in _pairs(GENDERED):
        if man in known and woman in known:
            counterpart[known[man]] = known[woman]
            counterpart[known[woman]] = known[man]
    return counterpart


def noun_pairs(vocabulary, stream):
    """The nouns of a text whose singular and plural are both frequent and whole words of
    the vocabulary, such as *film* and *films*.

    Args:
        vocabulary: list of strings.
        stream: int array, `(tokens,)`.

    Returns:
        A list of pairs of strings, those whose rarer form is most frequent first.
    """
    known = wordpieces.piece_ids(vocabulary)
    goes_on = _goes_on(vocabulary)
    is_whole = ~goes_on[np.append(stream[1:], SEP)] & ~goes_on[stream]
    size = len(vocabulary)
    counts = np.bincount(stream[is_whole], minlength=size)
    after_the = is_whole & np.append(False, stream[:-1] == known.get("the"))
    share = np.bincount(stream[after_the], minlength=size) / np.maximum(counts, 1)
    candidates = _pairs(IRREGULAR)
    for word in vocabulary:
        if word.isalpha():
            candidates.append((word, f"{word}s"))
            if word.endswith("y"):
                candidates.append((word, f"{word[:-1]}ies"))
    pairs = {}
    used = {"one", "other", "new", "u"}  # which are no nouns
    for pair in candidates:
        if used.isdisjoint(pair) and known.keys() >= set(pair):
            both = [known[pair[0]], known[pair[1]]]
            rarer = counts[both].min()
            if rarer >= LEAST and (share[both] >= SHARE_AFTER_THE).all():
                pairs[pair] = rarer
                used.update(pair)
    return sorted(pairs, key=pairs.get, reverse=True)


def number_clues(vocabulary, nouns):
    """What each token says about the number of a verb: int8 `(vocabulary,)`, -1 for a noun
    in the singular, 1 for one in the plural, 0 for all else."""
    return _clues(vocabulary, nouns)


def find_places(stream, words, vocabulary, length):
    """All places of a text with one of two words, which is masked.

    Args:
        stream: int array, `(tokens,)`, texts with [SEP] after each.
        words: a pair of strings.
        vocabulary: list of strings.
        length: int, the tokens that are shown of each place, two thirds of them before it;
            what belongs to another text is [PAD].

    Returns:
        Rows, int32 `(places, length)`; the position of the [MASK] in them, int; and
        whether the second word was there, bool `(places,)`.
    """
    position = 2 * length // 3
    if not set(words) <= set(vocabulary):
        return np.zeros((0, length), "int32"), position, np.zeros(0, bool)
    first, second = map(vocabulary.index, words)
    stream = np.asarray(stream, "int32")
    places = np.flatnonzero((stream == first) | (stream == second))
    # The word may go on in the next piece, as in *is ##nt*.
    goes_on = _goes_on(vocabulary)
    places = places[~goes_on[np.append(stream, SEP)[places + 1]]]
    is_end = stream == SEP
    text = np.cumsum(is_end) - is_end  # the number of each token's text
    shown = places[:, None] + np.arange(-position, length - position)
    inside = (shown >= 0) & (shown < len(stream))
    shown = shown.clip(0, len(stream) - 1)
    inside &= text[shown] == text[places][:, None]
    rows = np.where(inside, stream[shown], PAD).astype("int32")
    rows[:, position] = MASK
    return rows, position, stream[places] == second


def nearest_clue(rows, position, clues):
    """The clue before a place that is nearest to it.

    Args:
        rows: int array, `(places, length)`.
        position: int.
        clues: int array, `(vocabulary,)`, 0 for a token that is none.

    Returns:
        Its value, int `(places,)`, 0 if there is none; and how many tokens stand between.
    """
    values = clues[rows[:, :position]]
    where = np.where(values != 0, np.arange(position), -1).max(axis=1, initial=-1)
    value = np.where(where < 0, 0, values[np.arange(len(rows)), where])
    return value, position - 1 - where


def _may_be_subject(rows, position, distance, vocabulary):
    """Whether a noun, `distance` tokens before a verb, may be its subject, because no
    sentence ends between the two, and no other subject stands there: bool `(places,)`."""
    stops = np.isin(vocabulary, [*SUBJECTS.split(), *ENDS])
    between = np.arange(position) >= position - distance[:, None]
    return ~(stops[rows[:, :position]] & between).any(axis=1)


def is_misled(rows, position, is_second, clues, vocabulary):
    """Where the nearest noun before a verb, as far as it may be its subject, has the other
    number than the verb: bool `(places,)`.

    Args:
        rows, position, is_second: what `find_places` returns.
        clues: what `number_clues` returns.
        vocabulary: list of strings.
    """
    clue, distance = nearest_clue(rows, position, clues)
    fits = _may_be_subject(rows, position, distance, vocabulary)
    return fits & (clue != 0) & ((clue > 0) != is_second)


def made_up_sentences(vocabulary, nouns, rng, count=400):
    """Sentences in which a noun and its verb are some words apart, and a second noun
    between them has the same number or the other one.

    Args:
        vocabulary: list of strings. Words that it lacks are not used.
        nouns: what `noun_pairs` returns.
        rng: a NumPy random generator.
        count: int, sentences for each kind and distance, half of them in the plural.

    Returns:
        A DataFrame with the columns `text`, with [MASK] for the verb, `words`, the pair of
        forms that it may have, `plural`, bool, `distance`, int, and `misleads`, bool,
        whether the nearer noun has the other number.
    """
    known = {*vocabulary, "", "{other}"}
    adjectives = [word for word in ADJECTIVES.split() if word in known]
    verbs = [pair for pair in VERBS if set(pair) <= known]
    if not verbs or not adjectives or len(nouns) < 2:
        return pd.DataFrame([], columns=SENTENCE_COLUMNS)
    kinds = []
    for distance, phrases in PHRASES.items():
        phrases = [phrase for phrase in phrases if known.issuperset(phrase.split(" "))]
        if phrases:
            kinds.append((distance, False, phrases))
        if phrases and "{other}" in phrases[0]:
            kinds.append((distance, True, phrases))
    table = []
    for distance, misleads, phrases in kinds:
        for number in range(count):
            plural = number % 2
            subject, between = rng.choice(len(nouns), 2, replace=False)
            phrase = phrases[rng.integers(len(phrases))]
            phrase = phrase.format(other=nouns[between][(plural + misleads) % 2])
            adjective = adjectives[rng.integers(len(adjectives))]
            beginning = f"the {nouns[subject][plural]} {phrase}".strip()
            text = f"{beginning} [MASK] {adjective} ."
            words = verbs[number // 2 % len(verbs)]
            table.append((text, words, bool(plural), distance, misleads))
    return pd.DataFrame(table, columns=SENTENCE_COLUMNS)


def rows_of_sentences(texts, vocabulary, length):
    """Sentences made of whole words, as rows with a [SEP] on either side: int32
    `(sentences, length)`; and the position of the [MASK] in each."""
    known = wordpieces.piece_ids(vocabulary)
    rows = np.full((len(texts), length), PAD, "int32")
    for row, text in zip(rows, texts, strict=True):
        ids = [SEP]
        for word in text.split():
            ids.append(known[word])
        ids.append(SEP)
        row[: len(ids)] = ids
    return rows, (rows == MASK).argmax(axis=1)


def neighbours_prefer(rows, position, words, vocabulary, evidence, log_frequencies):
    """By how much the tokens before and after a place prefer the second of two words,
    float `(places,)`; see `counting.neighbour_scores`."""
    first, second = map(vocabulary.index, words)
    scores = []
    positions = np.broadcast_to(position, len(rows))
    for start in range(0, len(rows), 500):
        part = slice(start, start + 500)
        all_scores = counting.neighbour_scores(
            rows[part], positions[part], evidence, log_frequencies
        )
        scores.append(all_scores[:, second] - all_scores[:, first])
    return np.concatenate([np.zeros(0), *scores])


def _surroundings(rows, position, size):
    """Which tokens a row has, and which stand where within `REACH` of the place: a sparse
    0 or 1, `(places, (2 * REACH + 1) * size)`."""
    padded = np.pad(rows, ((0, 0), (REACH, REACH)), constant_values=PAD)
    offsets = [offset for offset in range(-REACH, REACH + 1) if offset]
    columns = np.zeros((len(rows), len(offsets) + rows.shape[1]), int)
    for number, offset in enumerate(offsets):
        tokens = padded[np.arange(len(rows)), position + REACH + offset]
        columns[:, number] = tokens + number * size
    columns[:, len(offsets) :] = rows + len(offsets) * size
    starts = np.arange(0, columns.size + 1, columns.shape[1])
    ones = np.ones(columns.size, "float32")
    shape = (len(rows), (len(offsets) + 1) * size)
    features = scipy.sparse.csr_matrix((ones, columns.ravel(), starts), shape=shape)
    features.sum_duplicates()
    features.data[:] = 1
    features.data[features.indices % size == PAD] = 0  # as if it weren't there
    features.eliminate_zeros()
    return features


def _choose_penalty(features, is_second, seed):
    """The best of `PENALTIES` on a tenth of the places, or the first if these are too few
    to tell."""
    measured = np.random.default_rng(seed).random(len(is_second)) < 0.1
    if not measured.any() or len(set(is_second[~measured])) < 2:
        return PENALTIES[0]
    candidates = []
    for penalty in PENALTIES:
        model = SGDClassifier(loss="log_loss", alpha=penalty, random_state=seed)
        model.fit(features[~measured], is_second[~measured])
        candidates.append((model.score(features[measured], is_second[measured]), penalty))
    return max(candidates)[1]


class WordRegression:
    """A logistic regression on the words of a row, and on where the nearest of them stand,
    trained on every such place of a text, with the penalty that suits it: what a weighted
    sum of words can know, if it is asked about nothing else.

    Args:
        rows, position, is_second: what `find_places` returns.
        size: int, the number of word pieces.
        seed: int.
    """

    def __init__(self, rows, position, is_second, size, seed):
        self.size = size
        features = _surroundings(rows, position, size)
        penalty = _choose_penalty(features, is_second, seed)
        self.model = SGDClassifier(loss="log_loss", alpha=penalty, random_state=seed)
        self.model.fit(features, is_second)

    def prefer(self, rows, position):
        """By how much it prefers the second word: float `(places,)`."""
        return self.model.decision_function(_surroundings(rows, position, self.size))


def encoder_prefers(model, rows, position, words, vocabulary):
    """By how much a pretraining model prefers the second of two words in a place, in nats:
    float32 `(places,)`.

    Args:
        model: what `models.build_pretraining_model` returns.
        rows: int array, `(places, length)`, with a [MASK] at `position`, int or an array.
        words: a pair of strings.
        vocabulary: list of strings.
    """
    first, second = map(vocabulary.index, words)
    positions = np.broadcast_to(position, len(rows)).astype("int32")[:, None]
    logits = models.predict(model, {"token_ids": rows, "mask_positions": positions})[:, 0]
    return logits[:, second] - logits[:, first]


def is_right(preference, is_second):
    """Where the right word is preferred, 1 or 0; a tie counts as a half: float
    `(places,)`."""
    return np.where(preference == 0, 0.5, (preference > 0) == is_second)


def share_right(preference, is_second):
    """The share of places where the right word is preferred, in percent: float, NaN without
    places."""
    if not len(preference):
        return float("nan")
    return 100 * float(is_right(preference, is_second).mean())
