"""Places where another word decides which of two words is right."""

import numpy as np

from helpers import agreement
from helpers.normalization import MASK, PAD, SEP, SPECIAL_TOKENS

WORDS = "the film films actor actress is are his her good in ##nt . it bad of with from"
VOCABULARY = [*SPECIAL_TOKENS, *WORDS.split()]


def ids(text):
    """The token ids of a text made of whole words."""
    return np.array([VOCABULARY.index(word) for word in text.split()])


def stream(*texts):
    """Texts with [SEP] after each."""
    parts = []
    for text in texts:
        parts += [ids(text), [SEP]]
    return np.concatenate(parts)


def test_places_show_their_own_text_and_not_the_word():
    tokens = stream("the film is good", "it are", "bad", "are ##nt bad is")
    rows, position, is_second = agreement.find_places(tokens, ("is", "are"), VOCABULARY, 6)
    # *are ##nt* is another word.
    assert is_second.tolist() == [False, True, False]
    assert position == 4
    assert (rows[:, position] == MASK).all()
    assert rows[0].tolist() == [PAD, PAD, *ids("the film"), MASK, ids("good")[0]]
    assert rows[1].tolist() == [PAD, PAD, PAD, ids("it")[0], MASK, SEP]
    assert rows[2, 2:4].tolist() == ids("##nt bad").tolist()
    rows, _, is_second = agreement.find_places(tokens, ("was", "were"), VOCABULARY, 6)
    assert len(rows) == len(is_second) == 0


def test_a_noun_is_no_subject_across_a_sentence_or_a_pronoun():
    number = agreement.number_clues(VOCABULARY, [("film", "films")])
    for text, is_misled in (
        ("the films of actor [MASK]", True),
        ("films . the actor [MASK]", False),
        ("films it the actor [MASK]", False),
    ):
        row = ids(text)[None]
        misled = agreement.is_misled(row, 4, np.array([False]), number, VOCABULARY)
        assert misled.tolist() == [is_misled]


def test_nouns_occur_with_the_in_both_numbers():
    tokens = stream(*["the film is the films are good"] * 120)
    assert agreement.noun_pairs(VOCABULARY, tokens) == [("film", "films")]
    assert agreement.noun_pairs(VOCABULARY, tokens[:50]) == []


def test_made_up_sentences_are_balanced():
    rng = np.random.default_rng(0)
    nouns = [("film", "films"), ("actor", "actress")]
    table = agreement.made_up_sentences(VOCABULARY, nouns, rng, count=20)
    # 20 next to each other, and twice 20 across words that the vocabulary has
    assert len(table) == 60
    assert table.plural.mean() == 0.5
    rows, positions = agreement.rows_of_sentences(table.text, VOCABULARY, 12)
    assert (rows[np.arange(len(rows)), positions] == MASK).all()
    plurals = table.text.str.count("films|actress")
    assert (plurals[table.misleads] == 1).all()  # one of both nouns
    assert len(agreement.made_up_sentences(VOCABULARY, [], rng)) == 0


def test_a_tie_is_half_an_answer():
    preference = np.array([0.0, 1.0, -1.0, 1.0])
    assert agreement.share_right(preference, np.array([1, 1, 1, 0], bool)) == 37.5
    assert np.isnan(agreement.share_right(np.zeros(0), np.zeros(0, bool)))
