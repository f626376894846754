"""Text of any language is split in the same way for learning and for tokenising."""
# ruff: noqa: RUF001

import dataclasses
import functools
import itertools
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
    "German": "Die Straße war naß, groß und schön. Müßte er draußen mit bloßen Füßen über "
    "die Wiese gehen? Die Donaudampfschifffahrtsgesellschaft grüßt Maß und Masse!",
    "Greek": "Η Αθήνα είναι η πρωτεύουσα της Ελλάδας. Ο ΟΔΟΣ και ο δρόμος: καλημέρα σας! "
    "Τι ώρα είναι; Μαΐου, γαϊδούρι και λόγος του ανθρώπου, όλους τους φίλους.",
    "Turkish": "İstanbul'da ılık bir İlkbahar günü Iğdır'dan gelen kız şiir okudu. Ağaçlar "
    "çiçek açtı, İzmir ışıl ışıldı. Diyarbakır'ın ISPARTA ile ilgisi var mı?",
    "Russian": "Ёжик нашёл в лесу ещё один гриб. Мой чай остыл, а подъезд пуст! Всё это "
    "хорошо, но зелёный йогурт съели дети. Где мой щенок?",
    "Arabic": "اللُّغَةُ العَرَبِيَّةُ جميلة جداً. أين المكتبة؟ القرآن والآداب، مئة كتاب في "
    "البيت الكبـير. ذهب الولد إلى المدرسة صباحاً، ولم يعد ٢٠٢٦!",
    "Hindi": "हिन्दी भारत की एक प्रमुख भाषा है। क्या आप चाय पीना चाहेंगे? ज़मीन पर फूल खिले "
    "हैं, लड़के पढ़ाई करते हैं। मुझे यह फ़िल्म बहुत अच्छी लगी!",
    "Thai": "ภาษา ไทย เป็น ภาษา ที่ มี วรรณยุกต์ ผม ชอบ ดู หนัง เรื่อง นี้ มาก น้ำ ตก สวย ที่สุด "
    "คุณ จะ ไป ทำงาน หรือ เปล่า เด็ก ๆ กิน ข้าว แล้ว ๒๕๖๙",
    "Chinese": "我 喜欢 看 电影 。 今天 天气 很 好 ， 我们 去 KTV 唱歌 吧 ！ 這 是 臺灣 的 "
    "電影 ， 票房 超過 一千 萬 元 。 你 看 过 《 红楼梦 》 吗 ？ 𠮷野家 3D １２",
    "Japanese": "東京 は とても 大きな 都市 です 。 ゲーム を した が 、 面白 かった ！ ｶﾞｷﾞ "
    "が ガラス の コップ で ビール を 飲む 。 「 葛󠄀城 」 へ 行き ません か ？",
    "Korean": "안녕하세요, 저는 한국어를 공부합니다. 영화가 정말 재미있었어요! 값이 싸고 "
    "닭고기가 맛있는 식당은 어디에 있습니까? 읽다, 없다, 앉다. 서울특별시",
    "emoji": "So good 👍🏽 !!! love ❤️ the family 👨‍👩‍👧‍👦 and flags 🇩🇪 🏴‍☠️ lol😂😂 #1️⃣ "
    "(｡◕‿◕｡) ok👌 see you soon ✈️ bring cake🎂 for everyone :-) <3 ☕️ 🧑🏿‍🚀 best day ever",
    "DNA": "A C G T",
    "Gothic": "𐌰 𐌱 𐌲 𐌳 𐌴 𐌵",
    "Burmese": "က ခ ဂ ဃ င စ ဆ ဇ",
}
WITHOUT_BLANKS = "Thai", "Chinese", "Japanese", "DNA", "Gothic", "Burmese"


def lines(language):
    """A hundred random lines; without spaces they are longer than WordPiece accepts."""
    rng = np.random.default_rng(0)
    if language == "log":
        address = "https://www.example.org/path_to/item?session={0:x}{0:X}&page={1}#top"
        entry = f"2026-11-25T20:13:01.123Z\t[WARN]\tGET {address} 404 0x{{1:032x}}"
        return [entry.format(*pair) for pair in rng.integers(2**62, size=(100, 2)).tolist()]
    between, count = ("", 150) if language in WITHOUT_BLANKS else (" ", 12)
    words = SENTENCES[language].split()
    return [between.join(rng.choice(words, count)) for _ in range(100)]


def size_for(words):
    """A vocabulary size for all letters, and for half as many pieces as longer words."""
    longer = {word for word in words if len(word) > 1}
    letters = len({*"".join(words)}) + len({*"".join(longer)})
    return len(normalization.SPECIAL_TOKENS) + letters + len(longer) // 2


def normalize(texts, lowercase=True, strip_accents=True):
    """The words of each text."""
    found = normalization.normalize(tf.constant(texts), lowercase, strip_accents)
    return [text.decode().split() for text in found.numpy()]


@pytest.mark.parametrize("kept", [False, True], ids=["folded", "kept"])
@pytest.mark.parametrize("language", [*SENTENCES, "log"])
def test_text_of_any_language_is_read_as_it_was_learnt(language, kept, tmp_path):
    profile = profiles.load_profile(lowercase=not kept, strip_accents=not kept)
    texts, file = lines(language), tmp_path / "vocabulary.txt"
    words = list(normalization.words(texts, profile))
    size = size_for({*itertools.chain(*words)})
    profile = dataclasses.replace(profile, vocabulary_size=size, vocabulary=str(file))
    vocabulary = wordpieces.learn_vocabulary(texts, profile)
    assert vocabulary == wordpieces.learn_vocabulary(texts, profile)
    # Read from a file, it fits the same settings.
    file.write_text("\n".join(vocabulary), "utf-8")
    assert vocabulary == wordpieces.load_vocabulary(profile)
    read = wordpieces.tokenize(texts, vocabulary, profile)
    # Nothing is lost: no word is [UNK], and the pieces spell the text.
    for ids, text in zip(read, words, strict=True):
        spelt = "".join(vocabulary[number].removeprefix("##") for number in ids)
        assert spelt == "".join(text)
    # Every piece is used, except letters that only occur in longer pieces.
    unused = {*range(5, len(vocabulary))} - {*np.concatenate(read).tolist()}
    assert not [vocabulary[n] for n in unused if len(vocabulary[n].strip("#")) > 1]
    # KerasHub's own tokenizer gives the same.
    tokenizer = keras_hub.tokenizers.WordPieceTokenizer(vocabulary)
    cleaned = normalization.normalize(tf.constant(texts[:5]), not kept, not kept)
    assert [ids.tolist() for ids in read[:5]] == tokenizer(cleaned)
    # Composed and decomposed letters are the same.
    for form in "NFC", "NFD":
        other = [unicodedata.normalize(form, text) for text in texts]
        assert normalize(other, not kept, not kept) == normalize(texts, not kept, not kept)


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
        (OTHER_LETTERS, False, False, OTHER_LETTERS),
        ("Straße STRASSE ΟΔΟΣ ﬁn ｶﾞ", True, False, "strasse strasse οδοσ fin ガ"),
        ("İzmir IĞDIR ılık", True, True, "izmir igdir ılık"),
        ("l'été,dit-il…😂😂电影", False, False, "l ' été , dit - il . . . 😂 😂 电 影"),
        ("a_b=c^2~$5+`", False, False, "a _ b = c ^ 2 ~ $ 5 + `"),
        # Emoji of Unicode 16, 17 and of years to come
        (
            "good\U0001fae9\U0001faea ok\U0001faff",
            True,
            True,
            "good \U0001fae9 \U0001faea ok \U0001faff",
        ),
    ],
)
def test_case_and_accents_are_settings(text, lowercase, strip_accents, expected):
    expected = unicodedata.normalize("NFC", expected).split()
    assert normalize([text], lowercase, strip_accents) == [expected]


def test_every_blank_ends_a_word_and_what_is_invisible_is_not_read():
    blanks = [*filter(str.isspace, map(chr, range(sys.maxunicode + 1))), "\u200b", "\0"]
    # A soft hyphen, joiners, direction marks and variation selectors
    joined = "\u00ad\u200c\u200d\u200e\u2060\ufeff\ufe0f\U000e0100"
    for kept in False, True:
        for between, expected in (blanks, ["no", "de"]), (joined, ["node"]):
            found = normalize([f"no{one}de" for one in between], not kept, not kept)
            found = dict(zip(map(hex, map(ord, between)), found, strict=True))
            assert found == dict.fromkeys(found, expected)


def test_words_of_one_alphabet_are_cut_only_where_wordpiece_would_give_up():
    for letter, most in ("a", 50), ("é", 50), ("ж", 50), ("ก", 25), ("𐌰", 25):
        for count in 2, 24, most - 1, most, 101, 1000:
            (parts,) = normalize([letter * count], strip_accents=False)
            assert "".join(parts) == letter * count
            assert max(len(part.encode()) for part in parts) <= 100
            # No more parts than needed. Alphabets may be mixed.
            assert len(parts) == -(-count // most)
            (mixed,) = normalize([f"a{letter}" * count], strip_accents=False)
            assert max(len(part.encode()) for part in mixed) <= 100


def test_a_word_that_mixes_alphabets_may_be_cut_earlier():
    """RE2 can't count bytes: here 26 letters of one byte and one of three."""
    (parts,) = normalize(["a" * 26 + "ა"], strip_accents=False)
    assert "".join(parts) == "a" * 26 + "ა"
    assert len(parts) <= 2


# Not for private use. In the planes that are left out, no character is in use yet.
CHARACTERS = [
    *map(chr, [*range(0xD800), *range(0xF900, 0x40000), *range(0xE0000, 0xE1000)])
]
END = "\ue000"  # a letter for private use, which stands between texts


@functools.cache
def exported(lowercase, strip_accents):
    """The tokenizer as notebook 5 exports it, with a vocabulary that has all letters."""
    letters = [*normalization.SPECIAL_TOKENS, *CHARACTERS]
    return normalization.as_tokenizer(letters, lowercase, strip_accents)


def exported_words(texts, lowercase, strip_accents):
    """The words of each text, by the exported tokenizer."""
    tokenizer, found = exported(lowercase, strip_accents), []
    for first in range(0, len(texts), 200):  # at once, because each call takes a while
        cleaned = tokenizer.normalizer.normalize_str(
            f" {END} ".join(texts[first : first + 200])
        )
        words = [word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(cleaned)]
        ends = [place for place, word in enumerate(words) if word == END]
        for start, end in itertools.pairwise([-1, *ends, len(words)]):
            found.append(words[start + 1 : end])
    return found


@pytest.mark.parametrize("form", ["{}", "a{}b"], ids=["alone", "between letters"])
@pytest.mark.parametrize(
    "options",
    [
        (True, True),
        (False, False),
        pytest.param((True, False), marks=pytest.mark.slow),
        pytest.param((False, True), marks=pytest.mark.slow),
    ],
)
def test_the_exported_tokenizer_reads_all_characters_as_keras_does(form, options):
    """But for capitals that only the newer tables of `tokenizers` know as such."""
    texts = [form.format(character) for character in CHARACTERS]
    wanted, found = normalize(texts, *options), exported_words(texts, *options)
    lower = tokenizers.normalizers.Lowercase().normalize_str
    different = []
    for character, ours, theirs in zip(CHARACTERS, wanted, found, strict=True):
        if ours != theirs:
            assert options[0], hex(ord(character))
            # Keras leaves it as it is.
            assert ours == [form.format(character)], hex(ord(character))
            assert theirs == [form.format(lower(character))], hex(ord(character))
            different.append(character)
    # With the installed versions, 28 of Unicode 17: three Latin ones, and Beria Erfe.
    assert len(different) < 50, [hex(ord(character)) for character in different]


@pytest.mark.parametrize("kept", [False, True], ids=["folded", "kept"])
@pytest.mark.parametrize("language", [*SENTENCES, "log"])
def test_the_exported_tokenizer_reads_any_language_as_keras_does(language, kept):
    texts = lines(language)
    # Without separators between them, for what a letter does to its neighbours.
    options = not kept, not kept
    assert exported_words(texts, *options) == normalize(texts, *options)


def test_ids_of_the_exported_tokenizer_are_those_of_keras_hub():
    texts = [line for language in SENTENCES for line in lines(language)[:10]] + [
        "",
        " \u200b",
    ]
    profile = profiles.load_profile()
    words = list(normalization.words(texts, profile))
    letters = sorted({*"".join(itertools.chain(*words))} - {*"aя学"})
    pieces = [*letters, *(f"##{letter}" for letter in letters)]
    vocabulary = [*normalization.SPECIAL_TOKENS, *pieces]
    tokenizer = normalization.as_tokenizer(vocabulary, True, True)
    # As it is read from its file
    tokenizer = tokenizers.Tokenizer.from_str(tokenizer.to_str())
    wanted = wordpieces.tokenize(texts, vocabulary, profile)
    found = [encoded.ids for encoded in tokenizer.encode_batch(texts)]
    assert found == [ids.tolist() for ids in wanted]


def test_letters_that_a_vocabulary_lacks_take_no_replacements():
    """Each takes time in every sentence."""

    def steps(vocabulary):
        tokenizer = normalization.as_tokenizer(vocabulary, True, True)
        return len(json.loads(tokenizer.to_str())["normalizer"]["normalizers"])

    cherokee = [*map(chr, range(0x13A0, 0x13F6))]
    assert steps([*normalization.SPECIAL_TOKENS, *cherokee]) > 80
    assert steps([*normalization.SPECIAL_TOKENS, *"abc"]) < 30


def test_rare_letters_get_no_piece_and_all_others_one():
    profile = profiles.load_profile(vocabulary_size=13)
    texts = ["abc ba"] * 20_000 + ["aжb"]
    vocabulary = wordpieces.learn_vocabulary(texts, profile)
    assert {*"abc"} == {piece for piece in vocabulary if len(piece) == 1}
    (ids,) = wordpieces.tokenize(["aжb ba"], vocabulary, profile)
    assert vocabulary[ids[0]] == "[UNK]"
    # One in two thousand is frequent enough.
    assert "ж" in wordpieces.learn_vocabulary(texts[-500:], profile)


def test_an_alphabet_larger_than_the_vocabulary_is_named():
    letters = [chr(0x4E00 + number) for number in range(300)]
    profile = profiles.load_profile(vocabulary_size=250)
    with pytest.raises(
        ValueError, match=r"250 is too small .* alphabet of 300 .* takes 305"
    ):
        wordpieces.learn_vocabulary(letters, profile)
