"""Cleans text and splits it into words, in the same way for vocabulary, tokens, bag of
words and duplicates."""

import tensorflow as tf
import tensorflow_text as tf_text

# Every vocabulary begins with these, in this order.
SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
PAD, UNK, CLS, SEP, MASK = range(5)

# RE2 patterns (https://github.com/google/re2/wiki/Syntax). Unicode spaces and control
# characters end a word; so does the zero-width space, as in Thai and Khmer.
BLANK = r"[\s\x0B\x{200B}\p{Z}\p{Cc}]+"
# Soft hyphens, joiners, direction marks and variation selectors are removed.
INVISIBLE = r"[\p{Cf}\x{34F}\x{180B}-\x{180F}\x{FE00}-\x{FE0F}\x{E0100}-\x{E01EF}]"
# The accents of Latin, Greek and Cyrillic. In other scripts, such as Hindi, Thai, Arabic or
# Japanese, combining marks distinguish letters and are kept.
ACCENT = "[\u0300-\u036f]"
# Punctuation, symbols, emoji and Chinese characters are words of their own.
HAN = r"\x{3400}-\x{4DBF}\x{4E00}-\x{9FFF}\x{F900}-\x{FAFF}\x{20000}-\x{2FA1F}"
ALONE = rf"[[:punct:]\p{{P}}\p{{S}}{HAN}]"
# WordPiece rejects words of more than 100 bytes. A letter has up to two in European and
# Semitic alphabets, and up to four in others: longer words are cut after 50 or 25 letters.
LONG = r"[\x21-\x{7FF}]{25,50}|\S{25}"


def normalize(texts, lowercase, strip_accents):
    """Cleans texts, a string tensor of any shape, and separates all words by spaces.

    Compatible characters, such as a ligature and its letters, become the same (NFKC), and
    `lowercase` applies Unicode's case folding, which turns *ß* into *ss*.
    """
    replace = tf.strings.regex_replace
    texts = replace(replace(texts, BLANK, " "), INVISIBLE, "")
    texts = tf_text.normalize_utf8(texts, "NFKC")
    if lowercase:
        texts = tf_text.case_fold_utf8(texts)
    if strip_accents:
        texts = replace(tf_text.normalize_utf8(texts, "NFD"), ACCENT, "")
        texts = tf_text.normalize_utf8(texts, "NFC")
    return replace(replace(texts, ALONE, r" \0 "), LONG, r"\0 ")


def words(texts, profile):
    """Yields the words of each text in a list, a list of strings; runs on all cores, with
    the profile's `lowercase` and `strip_accents`."""
    batches = tf.data.Dataset.from_tensor_slices(tf.constant(texts, tf.string)).batch(100)
    options = profile.lowercase, profile.strip_accents
    batches = batches.map(lambda batch: normalize(batch, *options), tf.data.AUTOTUNE)
    for batch in batches.as_numpy_iterator():
        yield from (text.decode().split() for text in batch)
