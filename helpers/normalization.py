"""What a word is: one way to clean and to split text, for vocabulary, tokens, bag of words
and duplicates."""

import tensorflow as tf
import tensorflow_text as tf_text

# They begin every vocabulary, in this order.
SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
PAD, UNK, CLS, SEP, MASK = range(5)

# Patterns of RE2 (https://github.com/google/re2/wiki/Syntax). Blanks of all alphabets, and
# control characters, end a word; the zero-width space does in Thai and Khmer.
BLANK = r"[\s\x0B\x{200B}\p{Z}\p{Cc}]+"
# Soft hyphens, joiners, and marks of direction or of a sign's variant are not read.
INVISIBLE = r"[\p{Cf}\x{34F}\x{180B}-\x{180F}\x{FE00}-\x{FE0F}\x{E0100}-\x{E01EF}]"
# The accents of Latin, Greek and Cyrillic. Other combining marks make a letter another one,
# as in Hindi, Thai, Arabic or Japanese.
ACCENT = "[\u0300-\u036f]"
# Punctuation, symbols, emoji and Chinese characters are words of their own.
HAN = r"\x{3400}-\x{4DBF}\x{4E00}-\x{9FFF}\x{F900}-\x{FAFF}\x{20000}-\x{2FA1F}"
ALONE = rf"[[:punct:]\p{{P}}\p{{S}}{HAN}]"
# WordPiece gives up on a word of more than 100 bytes. A letter has up to two in European
# and Semitic alphabets, and up to four in others: a longer word is cut after so many.
LONG = r"[\x21-\x{7FF}]{25,50}|\S{25}"


def normalize(texts, lowercase, strip_accents):
    """Cleans texts, a string tensor of any shape; blanks then stand between all words.

    Compatible characters become one, such as a ligature and its letters (Unicode's NFKC),
    and `lowercase` folds case as Unicode does, which makes *ss* of *ß*.
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
    """The words of each text, in turn, from a list of strings: lists of strings, made on
    all cores as the profile's `lowercase` and `strip_accents` say."""
    batches = tf.data.Dataset.from_tensor_slices(tf.constant(texts, tf.string)).batch(100)
    options = profile.lowercase, profile.strip_accents
    batches = batches.map(lambda batch: normalize(batch, *options), tf.data.AUTOTUNE)
    for batch in batches.as_numpy_iterator():
        yield from (text.decode().split() for text in batch)
