"""Cleans text and splits it into words, in the same way for vocabulary, tokens, bag of
words and duplicates."""

import functools
import itertools

import tensorflow as tf
import tensorflow_text as tf_text

# Every vocabulary begins with these, in this order.
SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
PAD, UNK, CLS, SEP, MASK = range(5)
# Not [UNK], which stands for a word and may be masked.
NEVER_HIDDEN = (PAD, CLS, SEP, MASK)

# RE2 patterns (https://github.com/google/re2/wiki/Syntax). Unicode spaces and control
# characters end a word; so does the zero-width space, as in Thai and Khmer.
BLANK = r"[\s\x0B\x{200B}\p{Z}\p{Cc}]"
# Soft hyphens, joiners, direction marks and variation selectors are removed.
INVISIBLE = r"[\p{Cf}\x{34F}\x{180B}-\x{180F}\x{FE00}-\x{FE0F}\x{E0100}-\x{E01EF}]"
# The accents of Latin, Greek and Cyrillic. In other scripts, such as Hindi, Thai, Arabic or
# Japanese, combining marks distinguish letters and are kept.
ACCENT = "[\u0300-\u036f]"
# Punctuation, symbols, emoji and Chinese characters are words of their own. Emoji are named
# by their blocks, because each year brings some that a library's tables don't know yet.
HAN = r"\x{3400}-\x{4DBF}\x{4E00}-\x{9FFF}\x{F900}-\x{FAFF}\x{20000}-\x{2FA1F}"
EMOJI = r"\x{1F000}-\x{1FAFF}"
ALONE = rf"[[:punct:]\p{{P}}\p{{S}}{HAN}{EMOJI}]"
# WordPiece rejects words of more than 100 bytes. A letter has up to two in European and
# Semitic alphabets, and up to four in others: longer words are cut after 50 or 25 letters.
# (RE2 can't count bytes, so a word of 26 letters or more that mixes both kinds of alphabets
# may be cut although it has fewer.)
LONG = r"[\x21-\x{7FF}]{25,50}|\S{25}"


def normalize(texts, lowercase, strip_accents):
    """Cleans texts, a string tensor of any shape, and separates all words by spaces.

    Compatible characters, such as a ligature and its letters, become the same (NFKC), and
    `lowercase` applies Unicode's case folding, which turns *ß* into *ss*.
    """
    replace = tf.strings.regex_replace
    texts = replace(replace(texts, f"{BLANK}+", " "), INVISIBLE, "")
    texts = _fold(texts, lowercase, strip_accents)
    return replace(replace(texts, ALONE, r" \0 "), LONG, r"\0 ")


def _fold(texts, lowercase, strip_accents):
    """The steps of `normalize` that make letters the same."""
    texts = tf_text.normalize_utf8(texts, "NFKC")
    if lowercase:
        texts = tf_text.case_fold_utf8(texts)
    if strip_accents:
        texts = tf.strings.regex_replace(tf_text.normalize_utf8(texts, "NFD"), ACCENT, "")
        texts = tf_text.normalize_utf8(texts, "NFC")
    return texts


def words(texts, profile):
    """Yields the words of each text in a list, a list of strings; runs on all cores, with
    the profile's `lowercase` and `strip_accents`."""
    batches = tf.data.Dataset.from_tensor_slices(tf.constant(texts, tf.string)).batch(100)

    def clean(batch):
        return normalize(batch, profile.lowercase, profile.strip_accents)

    for batch in batches.map(clean, tf.data.AUTOTUNE).as_numpy_iterator():
        for text in batch:
            yield text.decode().split()


# The same steps in the library `tokenizers`, which needs no TensorFlow. Its tables of
# Unicode are of other versions, and it lowers case, which is not quite Unicode's folding.
# So what its tables say otherwise is written out.


def as_tokenizer(vocabulary, lowercase, strip_accents):
    """A `tokenizers.Tokenizer` that reads all text as KerasHub's tokenizer does after
    `normalize`: a list of word pieces, which begins with `SPECIAL_TOKENS`, decides the ids.
    """
    # Imported here, because a preset contains this module, but needs no `tokenizers`.
    import tokenizers
    from tokenizers import Regex, normalizers, pre_tokenizers

    folding = [normalizers.NFKC()]
    if lowercase:
        folding.append(normalizers.Lowercase())
    if strip_accents:
        folding.append(normalizers.NFD())
        folding.append(normalizers.Replace(Regex(ACCENT), ""))
        folding.append(normalizers.NFC())
    known = set("".join(vocabulary))
    before, after = _differences(
        normalizers.Sequence(folding), lowercase, strip_accents, known
    )
    steps = [
        normalizers.Replace(Regex(_ranges(_matches(BLANK))), " "),
        normalizers.Replace(Regex(_ranges(_matches(INVISIBLE))), ""),
    ]
    for old, new in before.items():
        steps.append(normalizers.Replace(Regex(old), new))
    steps += folding
    for old, new in after.items():
        steps.append(normalizers.Replace(Regex(old), new))
    ids = dict(zip(vocabulary, range(len(vocabulary)), strict=True))
    word_pieces = tokenizers.models.WordPiece(ids, unk_token="[UNK]")
    tokenizer = tokenizers.Tokenizer(word_pieces)
    tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.WhitespaceSplit(),
            pre_tokenizers.Split(Regex(_ranges(_matches(ALONE))), "isolated"),
            pre_tokenizers.Split(Regex(LONG), "isolated"),
        ]
    )
    return tokenizer


def _characters():
    """All characters of Unicode's planes that are in use, and not for private use."""
    planes = range(0xD800), range(0xF900, 0x40000), range(0xE0000, 0xE1000)
    return [chr(number) for plane in planes for number in plane]


@functools.cache
def _matches(pattern):
    """The characters that an RE2 pattern matches, by TensorFlow's tables."""
    characters = _characters()
    left = tf.strings.regex_replace(characters, pattern, "").numpy()
    return list(itertools.compress(characters, left == b""))


def _ranges(characters):
    """A pattern for one of these characters, such as `[\\x{30}-\\x{39}\\x{5F}]`."""
    runs = []
    for number in sorted(map(ord, characters)):
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return "[" + "".join(rf"\x{{{first:X}}}-\x{{{last:X}}}" for first, last in runs) + "]"


def _differences(folding, lowercase, strip_accents, known):
    """What `folding`, a normalizer, does to letters otherwise than `_fold`: two dicts from
    patterns to what is to replace them, before `folding` and after it. Where none of these
    letters is `known` to the vocabulary, both read [UNK], and nothing need be replaced.
    """
    left_out = set(_matches(BLANK) + _matches(INVISIBLE))
    characters = [character for character in _characters() if character not in left_out]
    texts = _fold(tf.constant(characters), lowercase, strip_accents).numpy()
    wanted = {}
    for character, text in zip(characters, texts, strict=True):
        wanted[character] = text.decode()
    others = []
    for first in range(0, len(characters), 1000):
        # Many at once, because a call takes some microseconds.
        lines = "\n".join(characters[first : first + 1000])
        others += folding.normalize_str(lines).split("\n")
    seen = known.union(_matches(ALONE))
    before = {}
    after = {}
    for character, other in zip(characters, others, strict=True):
        new = wanted[character]
        if new == other or (new and seen.isdisjoint(new + other)):
            continue
        if folding.normalize_str(new) == new:
            before.setdefault(new, []).append(character)
        elif wanted.get(other) == new:  # such as Cherokee, which is folded to capitals
            after.setdefault(new, []).append(other)
        # Else it is a capital that only the newer tables know: it stays different.
    return (
        {_ranges(old): new for new, old in before.items()},
        {_ranges(old): new for new, old in after.items()},
    )
