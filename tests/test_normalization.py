"""Text of any language is split in the same way for learning and for tokenising."""
# ruff: noqa: RUF001

import json
import sys
import unicodedata

import keras_hub
import numpy as np
import pytest
import tensorflow as tf
import tokenizers

from helpers import normalization, profiles, wordpieces

# Words of each language; below, spaces are removed for scripts that have none.
LANGUAGES = {
    "French": "Où est la gare ? « Là-bas », dit-il : l'été, 20 % ont reçu un cœur à Noël !",
    "German and Greek": "Die Straße ist groß und heißt ΟΔΟΣ Ὀδός ὁδός , Ähre , ﬁnden",
    "Turkish": "İstanbul'da ılık bir İlkbahar günü Iğdır'dan gelen kız şiir ISPARTA ağaç",
    "Hindi": "हिन्दी भारत की एक प्रमुख भाषा है। क्या ज़मीन पर फूल खिले हैं, लड़के फ़िल्म अच्छी लगी!",
    "Thai": "ภาษา ไทย เป็น ภาษา ที่ มี วรรณยุกต์ ผม ชอบ ดู หนัง นี้ น้ำ ตก สวย ที่สุด เด็ก ๆ ๒๕๖๙",
    "Japanese": "東京 は 都市 。 ゲーム が 、 面白 ！ ｶﾞｷﾞ ガラス コップ 「 葛󠄀城 」 か ？",
    "emoji": "👍🏽 !!! ❤️ the 👨‍👩‍👧‍👦 🇩🇪 🏴‍☠️ 😂😂 #1️⃣ (｡◕‿◕｡) cake🎂 :-) <3 ☕️ 🧑🏿‍🚀",
    "log": "[WARN] 20:13:01.123Z https://example.org/a_b?c=1c6e6f5d0b7a1c6e6f5d0b7a1c&d=2#top",
}


def lines_of(language):
    """Twenty random lines; without spaces they are longer than WordPiece accepts."""
    rng = np.random.default_rng(0)
    words = LANGUAGES[language].split()
    if language in ("Thai", "Japanese"):
        return ["".join(rng.choice(words, 150)) for _ in range(20)]
    return [" ".join(rng.choice(words, 12)) for _ in range(20)]


def normalize(texts, lowercase=True, strip_accents=True):
    """The words of each text, as a tensor's strings have them."""
    cleaned = normalization.normalize(tf.constant(texts), lowercase, strip_accents)
    return [text.decode().split() for text in cleaned.numpy()]


@pytest.mark.parametrize("folded", [True, False])
def test_text_of_any_language_is_read_as_it_was_learnt(folded, tmp_path):
    texts = [line for language in LANGUAGES for line in lines_of(language)]
    words = normalize(texts, folded, folded)
    # Composed and decomposed letters are the same.
    for form in "NFC", "NFD":
        rewritten = [unicodedata.normalize(form, text) for text in texts]
        assert normalize(rewritten, folded, folded) == words
    file = tmp_path / "vocabulary.txt"
    settings = {"lowercase": folded, "strip_accents": folded, "vocabulary": str(file)}
    profile = profiles.load_profile(vocabulary_size=700, **settings)
    vocabulary = wordpieces.learn_vocabulary(texts, profile)
    # Read from a file, it fits the same settings.
    wordpieces.save_vocabulary(vocabulary, file)
    assert wordpieces.load_vocabulary(profile) == vocabulary
    # Nothing is lost: no word is [UNK], and the pieces spell the text.
    token_ids = [ids.tolist() for ids in wordpieces.tokenize(texts, vocabulary, profile)]
    for ids, of_text in zip(token_ids, words, strict=True):
        spelt = "".join(vocabulary[number].removeprefix("##") for number in ids)
        assert spelt == "".join(of_text)
    # Every piece is used, except letters that only occur in longer pieces.
    unused = set(range(5, len(vocabulary))).difference(*token_ids)
    assert not [vocabulary[n] for n in unused if len(vocabulary[n].strip("#")) > 1]
    # KerasHub's own tokenizer gives the same.
    tokenizer = keras_hub.tokenizers.WordPieceTokenizer(vocabulary)
    cleaned = normalization.normalize(tf.constant(texts), folded, folded)
    assert tokenizer(cleaned) == token_ids
    # So does the exported one, as it is read from its file.
    exported = normalization.as_tokenizer(vocabulary, folded, folded).to_str()
    tokenizer = tokenizers.Tokenizer.from_str(exported)
    assert [text.ids for text in tokenizer.encode_batch(texts)] == token_ids
    # Letters that the vocabulary lacks take no replacements, which take time.
    unknown = tokenizer.encode_batch(["", " \u200b", "Đaђ 漢 ʁ"])
    assert [set(text.tokens) for text in unknown] == [set(), set(), {"[UNK]"}]
    assert len(json.loads(exported)["normalizer"]["normalizers"]) < 60


CAFE = "Café Ёлка ÅSTRÖM Việt Άγιος"
# Marks that distinguish letters, in NFC
OTHER_LETTERS = "が ギ ぱ हिन्दी ज़मीन की น้ เรื่อง آب مُدّ إلى שָׁלוֹם 한글 বাংলা தமிழ்"


@pytest.mark.parametrize(
    ("text", "lowercase", "strip_accents", "expected"),
    [
        (CAFE, True, True, "cafe елка astrom viet αγιοσ"),
        (CAFE, True, False, "café ёлка åström việt άγιοσ"),
        (CAFE, False, True, "Cafe Елка ASTROM Viet Αγιος"),
        (CAFE, False, False, CAFE),
        (OTHER_LETTERS, True, True, OTHER_LETTERS),
        ("Straße STRASSE ΟΔΟΣ ﬁn ｶﾞ", True, False, "strasse strasse οδοσ fin ガ"),
        ("İzmir IĞDIR ılık", True, True, "izmir igdir ılık"),
        ("l'été,dit-il…😂😂电", False, False, "l ' été , dit - il . . . 😂 😂 电"),
        ("a_b=c^2~$5+`", False, False, "a _ b = c ^ 2 ~ $ 5 + `"),
        # Emoji of years to come
        ("good\U0001faea ok\U0001faff", True, True, "good \U0001faea ok \U0001faff"),
    ],
)
def test_case_and_accents_are_settings(text, lowercase, strip_accents, expected):
    expected = unicodedata.normalize("NFC", expected).split()
    assert normalize([text], lowercase, strip_accents) == [expected]


def test_every_blank_ends_a_word_and_what_is_invisible_is_not_read():
    blanks = list(filter(str.isspace, map(chr, range(sys.maxunicode + 1))))
    blanks += ["\u200b", "\0"]
    split = normalize([f"no{blank}de" for blank in blanks])
    assert split == [["no", "de"]] * len(blanks)
    # A soft hyphen, joiners, direction marks and variation selectors
    invisible = "\u00ad\u200c\u200d\u200e\u2060\ufeff\ufe0f\U000e0100"
    joined = normalize([f"no{character}de" for character in invisible])
    assert joined == [["node"]] * len(invisible)


BETWEEN = " \ue000 "  # a letter for private use


@pytest.mark.slow
@pytest.mark.parametrize("lowercase", [True, False])
@pytest.mark.parametrize("strip_accents", [True, False])
def test_the_exported_tokenizer_reads_all_characters_as_keras_does(
    lowercase, strip_accents
):
    """But for capitals that only the newer tables of `tokenizers` know as such."""
    options = lowercase, strip_accents
    characters = normalization._characters()
    letters = [*normalization.SPECIAL_TOKENS, *characters]
    tokenizer = normalization.as_tokenizer(letters, *options)
    lower = tokenizers.normalizers.Lowercase().normalize_str
    texts = [f"{character} a{character}b" for character in characters]
    for first in range(0, len(texts), 200):  # at once, because each call takes a while
        batch = texts[first : first + 200]
        wanted = [" ".join(words) for words in normalize(batch, *options)]
        cleaned = tokenizer.normalizer.normalize_str(BETWEEN.join(batch))
        words = [word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(cleaned)]
        read = " ".join(words).split(BETWEEN)
        for text, expected, found in zip(batch, wanted, read, strict=True):
            if found != expected:
                # Keras leaves it as it is.
                assert lowercase, hex(ord(text[0]))
                assert (expected, found) == (text, lower(text)), hex(ord(text[0]))
