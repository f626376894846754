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

# A few sentences of each. Below, spaces are removed for scripts that have none.
SENTENCES = {
    "French": "Où est la gare ? « Là-bas », dit-il : l'été dernier, 20 % des élèves ont "
    "reçu un cadeau à Noël ! Le cœur a ses raisons que la raison ne connaît point. Ça va ?",
    "Turkish": "İstanbul'da ılık bir İlkbahar günü Iğdır'dan gelen kız şiir okudu. Ağaçlar "
    "çiçek açtı, İzmir ışıl ışıldı. Diyarbakır'ın ISPARTA ile ilgisi var mı?",
    "Hindi": "हिन्दी भारत की एक प्रमुख भाषा है। क्या आप चाय पीना चाहेंगे? ज़मीन पर फूल खिले "
    "हैं, लड़के पढ़ाई करते हैं। मुझे यह फ़िल्म बहुत अच्छी लगी!",
    "Thai": "ภาษา ไทย เป็น ภาษา ที่ มี วรรณยุกต์ ผม ชอบ ดู หนัง เรื่อง นี้ มาก น้ำ ตก สวย ที่สุด "
    "คุณ จะ ไป ทำงาน หรือ เปล่า เด็ก ๆ กิน ข้าว แล้ว ๒๕๖๙",
    "Japanese": "東京 は とても 大きな 都市 です 。 ゲーム を した が 、 面白 かった ！ ｶﾞｷﾞ "
    "が ガラス の コップ で ビール を 飲む 。 「 葛󠄀城 」 へ 行き ません か ？",
    "emoji": "So good 👍🏽 !!! love ❤️ the family 👨‍👩‍👧‍👦 and flags 🇩🇪 🏴‍☠️ lol😂😂 #1️⃣ "
    "(｡◕‿◕｡) ok👌 see you soon ✈️ bring cake🎂 for everyone :-) <3 ☕️ 🧑🏿‍🚀 best day ever",
    "log": "2026-11-25T20:13:01.123Z [WARN] GET https://www.example.org/path_to/"
    "item?session=1c6e6f5d0b7a1c6e6f5d0b7a1c6e6f5d0b7a&page=2#top 404 0x00000000000000ff",
}
WITHOUT_BLANKS = "Thai", "Japanese"
KEEPS_CASE_AND_ACCENTS = "French", "Japanese"


def lines_of(language):
    """A hundred random lines; without spaces they are longer than WordPiece accepts."""
    rng = np.random.default_rng(0)
    words = SENTENCES[language].split()
    lines = []
    for _ in range(100):
        if language in WITHOUT_BLANKS:
            lines.append("".join(rng.choice(words, 150)))
        else:
            lines.append(" ".join(rng.choice(words, 12)))
    return lines


def normalize(texts, lowercase=True, strip_accents=True):
    """The words of each text, as a tensor's strings have them."""
    cleaned = normalization.normalize(tf.constant(texts), lowercase, strip_accents)
    return [text.decode().split() for text in cleaned.numpy()]


@pytest.mark.parametrize("language", SENTENCES)
def test_text_of_any_language_is_read_as_it_was_learnt(language, tmp_path):
    folded = language not in KEEPS_CASE_AND_ACCENTS
    texts = lines_of(language)
    words = normalize(texts, folded, folded)
    # Room for all letters, and for half as many pieces as longer words
    different = set().union(*words)
    longer = [word for word in different if len(word) > 1]
    size = len(normalization.SPECIAL_TOKENS) + len(set("".join(different)))
    size += len(set("".join(longer))) + len(longer) // 2
    file = tmp_path / "vocabulary.txt"
    settings = {"vocabulary": str(file), "vocabulary_size": size}
    profile = profiles.load_profile(lowercase=folded, strip_accents=folded, **settings)
    assert list(normalization.words(texts, profile)) == words
    vocabulary = wordpieces.learn_vocabulary(texts, profile)
    # Read from a file, it fits the same settings.
    wordpieces.save_vocabulary(vocabulary, file)
    assert wordpieces.load_vocabulary(profile) == vocabulary
    token_ids = wordpieces.tokenize(texts, vocabulary, profile)
    # Nothing is lost: no word is [UNK], and the pieces spell the text.
    for ids, of_text in zip(token_ids, words, strict=True):
        spelt = "".join(vocabulary[number].removeprefix("##") for number in ids)
        assert spelt == "".join(of_text)
    # Every piece is used, except letters that only occur in longer pieces.
    unused = set(range(5, size)).difference(np.concatenate(token_ids).tolist())
    assert not [vocabulary[n] for n in unused if len(vocabulary[n].strip("#")) > 1]
    # KerasHub's own tokenizer gives the same.
    tokenizer = keras_hub.tokenizers.WordPieceTokenizer(vocabulary)
    cleaned = normalization.normalize(tf.constant(texts[:5]), folded, folded)
    assert [ids.tolist() for ids in token_ids[:5]] == tokenizer(cleaned)
    # Composed and decomposed letters are the same.
    for form in "NFC", "NFD":
        rewritten = [unicodedata.normalize(form, text) for text in texts]
        assert normalize(rewritten, folded, folded) == words


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
    different = []
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
                different.append(text)
    # With the installed versions, 28 of Unicode 17: three Latin ones, and Beria Erfe.
    assert len(different) < 50


@pytest.mark.parametrize("folded", [True, False])
def test_ids_of_the_exported_tokenizer_are_those_of_keras_hub(folded):
    texts = ["", " \u200b"]
    for language in SENTENCES:
        # Without separators between them, for what a letter does to its neighbours.
        texts += lines_of(language)[:10]
    profile = profiles.load_profile(lowercase=folded, strip_accents=folded)
    letters = set()
    for words in normalization.words(texts, profile):
        letters.update("".join(words))
    letters = sorted(letters - set("aя学"))
    inside = [f"##{letter}" for letter in letters]
    vocabulary = [*normalization.SPECIAL_TOKENS, *letters, *inside]
    tokenizer = normalization.as_tokenizer(vocabulary, folded, folded)
    # As it is read from its file
    tokenizer = tokenizers.Tokenizer.from_str(tokenizer.to_str())
    wanted = wordpieces.tokenize(texts, vocabulary, profile)
    encoded = tokenizer.encode_batch(texts)
    assert [text.ids for text in encoded] == [ids.tolist() for ids in wanted]
    # Letters that a vocabulary lacks take no replacements, which take time.
    assert len(json.loads(tokenizer.to_str())["normalizer"]["normalizers"]) < 60
