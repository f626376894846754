"""The vocabulary, and tokenisation."""

import dataclasses

import numpy as np
import pytest

from helpers import corpora, normalization, packing, profiles, wordpieces
from helpers.normalization import SPECIAL_TOKENS


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["a few words only"], r"gives \d+ word pieces, not 250: lower `vocabulary_size`"),
        (list(map(chr, range(0x4E00, 0x4F2C))), r"250 is too small .* of 300 .* takes 305"),
    ],
)
def test_a_size_that_does_not_suit_the_text_is_named(texts, message):
    with pytest.raises(ValueError, match=message):
        wordpieces.learn_vocabulary(texts, profiles.load_profile(vocabulary_size=250))


PIECES = [*SPECIAL_TOKENS, "a", "film"]


@pytest.mark.parametrize(
    ("pieces", "settings", "message"),
    [
        # Special tokens may be anywhere in it, as in BERT's.
        (["a", *SPECIAL_TOKENS, "film"], {}, None),
        (PIECES[1:], {}, r"lacks \[PAD\]: give one piece per line, with \[PAD\] \[UNK\]"),
        ([*PIECES, "a"], {}, "has `a` twice: remove one"),
        (PIECES, {"vocabulary_size": 9}, "has 7 word pieces, not 9: set `vocab"),
        ([*PIECES, "Film"], {}, "`lowercase` is True, but .* has `Film` in it: set"),
        (PIECES, {"lowercase": False}, "`lowercase` is False, .* no capital .* to True"),
        ([*PIECES, "##й"], {}, "`strip_accents` is True, but .* has `##й` in it"),
        ([*PIECES, "Film"], {"lowercase": False}, None),
        ([*PIECES, "café"], {"strip_accents": False}, None),
        ([*PIECES, "##ß", "が"], {}, None),
    ],
)
def test_a_vocabulary_of_ones_own_fits_or_is_named(tmp_path, pieces, settings, message):
    file = tmp_path / "vocabulary.txt"
    wordpieces.save_vocabulary(pieces, file)
    settings = {"vocabulary": str(file), "vocabulary_size": len(pieces), **settings}
    asked = profiles.load_profile(**settings)
    if message is None:
        assert wordpieces.load_vocabulary(asked) == PIECES + pieces[7:]
    else:
        with pytest.raises(ValueError, match=message):
            wordpieces.load_vocabulary(asked)


def test_the_genuine_vocabulary_of_bert_fits(genuine, monkeypatch):
    file = genuine / "vocab" / "bert_vocab_uncased.txt"
    monkeypatch.setattr(corpora, "fetch", lambda name: file)
    pieces = wordpieces.load_vocabulary(profiles.load_profile("guide"))
    assert set(pieces) == set(file.read_text("utf-8").split())


def test_neither_special_tokens_nor_nothing_disturb_tokenisation(profile, vocabulary):
    (ids,) = wordpieces.tokenize(["a [MASK] here [SEP] [PAD]"], vocabulary, profile)
    assert len(ids) >= 11
    assert not np.isin(ids, normalization.NEVER_HIDDEN).any()
    assert wordpieces.tokenize([], vocabulary, profile) == []
    assert list(normalization.words([], profile)) == []
    assert packing.sentence_rows([], vocabulary, profile).shape == (0, 24)
    # An empty sentence has something to attend to.
    short = dataclasses.replace(profile, sentence_lengths=(1, 2))
    rows = packing.sentence_rows(["", "film"], vocabulary, short)
    assert rows.tolist() == [[normalization.UNK, 0], [vocabulary.index("film"), 0]]
