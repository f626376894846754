"""The settings of a run.

A profile determines what the notebooks do: on which text, with which encoder, for how long.
`sample` is made for two CPU cores, `guide` and `full` for a GPU or TPU.
"""

import dataclasses
import difflib
import math

import numpy as np
import pandas as pd

# Words whose form is decided by another word, which may stand far from them.
PRONOUNS = ("he", "she", "him", "his", "her", "himself", "herself")
GRAMMAR_WORDS = ("is", "are", "was", "were", *PRONOUNS)


def _setting(value, meaning, choices=()):
    """A field with a default, which is its value in `sample`; a meaning, which notebooks
    show; and the values to choose among, if they are restricted."""
    metadata = {"meaning": meaning, "choices": choices}
    return dataclasses.field(default=value, metadata=metadata)


@dataclasses.dataclass(frozen=True)
class Profile:
    """The settings of a run; a ValueError names one that is wrong."""

    name: str = "sample"

    # The run
    seed: int = _setting(0, "random seed of vocabulary, masks, weights, order")
    repeats: int = _setting(10, "draws of few labels; with all, at most 3 seeds")
    allow_slow: bool = _setting(False, "pretrain for more than an hour on a CPU")

    # Text and labels
    corpus: str = _setting("imdb", "imdb, wikitext-103, or the path of your text")
    task: str = _setting("rotten-tomatoes", "rotten-tomatoes, sst-2, or a table's path")
    columns: tuple = _setting(
        ("text", "label"), "columns of texts and labels in your own table"
    )
    lowercase: bool = _setting(True, "convert capitals to lower case")
    strip_accents: bool = _setting(True, "remove European accents: é to e, й to и")
    few_labels: int = _setting(500, "labels in the comparison with few labels")
    baseline_words: int = _setting(4000, "vocabulary size of the bag of words")

    # Preprocessing
    vocabulary: str = _setting("learnt", "learnt (from the corpus), bert, or a path")
    vocabulary_size: int = _setting(8000, "word pieces, special tokens included")
    sequence_length: int = _setting(32, "tokens in a pretraining sequence")
    mask_rate: float = _setting(0.2, "share of tokens to predict")
    focus: tuple = _setting(GRAMMAR_WORDS, "words that are masked more often, or none: []")
    word_vectors: bool = _setting(True, "initialise the embedding with counted vectors")

    # The encoder
    encoder: str = _setting(
        "rotary", "blocks: rotary or classic", choices=("rotary", "classic")
    )
    hidden_dim: int = _setting(128, "width of a token's vector")
    num_layers: int = _setting(2, "number of blocks")
    num_heads: int = _setting(2, "attention heads in a block")
    intermediate_dim: int = _setting(512, "width inside the feed-forward part")
    dropout: float = _setting(0.0, "dropout inside the encoder, in pretraining")

    # Pretraining
    optimizer: str = _setting(
        "muon", "in pretraining: muon or adamw", choices=("muon", "adamw")
    )
    learning_rate: float = _setting(6e-3, "peak learning rate in pretraining")
    embedding_rate: float = _setting(0.2, "learning rate of the embedding, relative (Muon)")
    precision: str = _setting(
        "float32",
        "float32, or bfloat16 where supported",
        choices=("float32", "bfloat16"),
    )
    batch_size: int = _setting(64, "sequences in a pretraining batch")
    pretraining_steps: int = _setting(1200, "number of pretraining batches")

    # Fine-tuning
    sentence_lengths: tuple = _setting(
        (24, 48), "lengths to which sentences are padded or cut"
    )
    finetuning_rate: float = _setting(5e-4, "peak learning rate, pretrained encoder")
    scratch_rate: float = _setting(5e-4, "peak learning rate, encoder from scratch")
    finetuning_epochs: int = _setting(2, "epochs over the labelled sentences")

    @property
    def predictions_per_sequence(self):
        """The most tokens to predict in a sequence."""
        return math.ceil(self.mask_rate * self.sequence_length)

    def __post_init__(self):
        for field in SETTINGS.values():
            self._check_kind(field)
        # Keras and scikit-learn take seeds of 32 bits; `repeats` are added to it.
        self._check("seed", self.seed <= 4_000_000_000, "give a number up to 4000000000")
        self._check("mask_rate", 0 < self.mask_rate <= 1, "give a share up to 1")
        self._check("dropout", self.dropout < 1, "give a share below 1")
        # In shorter rows there is hardly any context to read.
        self._check("sequence_length", self.sequence_length >= 8, "give a number from 8 up")
        in_pairs = self.hidden_dim % (2 * self.num_heads) == 0
        self._check("hidden_dim", in_pairs, "give a multiple of twice `num_heads`")
        self._check(
            "sentence_lengths",
            _are_rising(self.sentence_lengths),
            "give rising whole numbers, as in [24, 48]",
        )
        are_two = len(self.columns) == 2 and self.columns[0] != self.columns[1]
        self._check("columns", are_two, "give the names of two, of texts and of labels")

    def _check_kind(self, field):
        """Checks a setting's type and range, and its choices if it has any."""
        name = field.name
        value = getattr(self, name)
        kind = type(field.default)
        fits = type(value) is kind or (kind is float and type(value) is int)
        self._check(name, fits, f"give {kind.__name__}")
        if kind is int:
            least = 0 if name == "seed" else 1
            self._check(name, value >= least, f"give a number from {least} up")
        if kind is float:
            self._check(name, value >= 0, "give a number from 0 up")
            self._check(name, math.isfinite(value), "give a finite number")
        choices = field.metadata["choices"]
        if choices:
            self._check(name, value in choices, f"give one of {', '.join(choices)}")

    def _check(self, name, fits, advice):
        if not fits:
            raise ValueError(f"`{name}` is {getattr(self, name)!r}: {advice}.")


def _are_rising(lengths):
    """Whether these are whole numbers from 1 up, each larger than the one before."""
    last = 0
    for length in lengths:
        if type(length) is not int or length <= last:
            return False
        last = length
    return last > 0


SETTINGS = {field.name: field for field in dataclasses.fields(Profile)[1:]}

# What the two large profiles have in common: the text and the sizes of the Keras guide.
_LARGE = {
    "corpus": "wikitext-103",
    "task": "sst-2",
    "vocabulary": "bert",
    "vocabulary_size": 30522,
    "sequence_length": 128,
    "mask_rate": 0.25,
    "hidden_dim": 256,
    "num_layers": 3,
    "num_heads": 4,
    "embedding_rate": 0.1,
    "batch_size": 128,
    # As many tokens as in the guide's 46,856 batches: its lines fill 82 % of their rows
    # (measured on WikiText's test split), packed rows are full.
    "pretraining_steps": 38500,
    # A single length, because compiling for each takes long on an accelerator.
    "sentence_lengths": (128,),
    "finetuning_epochs": 3,
}

# The settings in which a profile differs from `sample`.
PROFILES = {
    "sample": {},
    "evening": {
        "allow_slow": True,
        "sequence_length": 64,
        "hidden_dim": 192,
        "num_layers": 4,
        "num_heads": 6,
        "intermediate_dim": 768,
        "learning_rate": 4e-3,
        "pretraining_steps": 5000,
    },
    "guide": _LARGE
    | {
        "focus": (),
        "word_vectors": False,
        "encoder": "classic",
        "dropout": 0.1,
        "optimizer": "adamw",
        "learning_rate": 5e-4,
        "finetuning_rate": 5e-5,
        "scratch_rate": 5e-5,
    },
    "full": _LARGE
    | {
        "learning_rate": 3e-3,
        "precision": "bfloat16",
        "finetuning_rate": 2e-4,
    },
}

# The settings on which depends what each notebook hands on, besides those on which the
# earlier records that it reads depend (helpers/records.py).
DEPENDS = {
    1: "seed repeats task columns lowercase strip_accents few_labels baseline_words",
    2: "seed corpus lowercase strip_accents vocabulary vocabulary_size sequence_length "
    "hidden_dim batch_size",
    3: "seed encoder vocabulary_size hidden_dim num_layers num_heads intermediate_dim "
    "dropout sequence_length sentence_lengths mask_rate focus word_vectors optimizer "
    "learning_rate embedding_rate precision batch_size pretraining_steps",
    4: "seed",
    5: "seed repeats few_labels task columns sentence_lengths finetuning_rate "
    "scratch_rate finetuning_epochs precision",
    6: "seed task columns sentence_lengths finetuning_rate",
    7: "seed sequence_length batch_size mask_rate",
}
# Settings that a notebook reads to measure or to show something, but on which what it hands
# on doesn't depend. With another task, an encoder needn't be pretrained again.
SHOWS = {
    1: "corpus",
    2: "task columns sentence_lengths mask_rate focus word_vectors",
    3: "allow_slow",
    4: "",
    5: "lowercase strip_accents",
    6: "corpus",
    7: "pretraining_steps corpus encoder num_layers num_heads intermediate_dim dropout "
    "sentence_lengths optimizer learning_rate embedding_rate precision",
}


def load_profile(name="sample", /, **overrides):
    """The profile of that name, with some settings overridden; a ValueError if a name or a
    value is not valid."""
    _check_name(name, PROFILES)
    for setting in overrides:
        _check_name(setting, SETTINGS)
    values = PROFILES[name] | overrides
    for setting, value in values.items():
        if isinstance(value, list):  # from YAML or JSON
            values[setting] = tuple(value)
    return Profile(name, **values)


def _check_name(name, names):
    if name in names:
        return
    near = difflib.get_close_matches(str(name), names, n=1)
    hint = f" Did you mean `{near[0]}`?" if near else ""
    raise ValueError(f"There is no `{name}`: choose among {', '.join(names)}.{hint}")


def is_sample(profile):
    """Whether a profile is `sample`, about which the text speaks, with any seed."""
    return profile == load_profile(seed=profile.seed)


def random_stream(seed, purpose):
    """A NumPy random generator of its own for each purpose, so that two draws with the same
    seed have nothing in common."""
    return np.random.default_rng([seed] + list(purpose.encode()))


def settings(profile):
    """A dict of all settings."""
    return {name: getattr(profile, name) for name in SETTINGS}


def describe(profile, *names):
    """A table of these settings, with values and meanings."""
    rows = []
    for name in names:
        rows.append((getattr(profile, name), SETTINGS[name].metadata["meaning"]))
    index = pd.Index(names, name="setting")
    return pd.DataFrame(rows, index, columns=["value", "meaning"])


def differences(was, now):
    """Describes how two dicts of settings differ."""
    parts = []
    for name in sorted(was.keys() | now.keys()):
        if was.get(name) != now.get(name):
            parts.append(f"`{name}` was {was.get(name)!r} and is {now.get(name)!r}")
    return ", ".join(parts)
