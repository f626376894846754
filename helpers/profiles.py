"""Every number that a reader may want to change, in one place.

A profile says what the notebooks do: on which text, with which encoder, for how long.
`sample` is made for two CPU cores, `guide` and `full` for a GPU or TPU.
"""

import dataclasses
import difflib
import math

import pandas as pd


def _setting(notebook, default, meaning):
    """A field with its value in `sample`, the first notebook that reads it, its meaning."""
    about = {"notebook": notebook, "meaning": meaning}
    return dataclasses.field(default=default, metadata=about)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Profile:
    """The settings of one run of the series; those of `sample` where none are given."""

    name: str = "sample"
    seed: int = _setting(1, 0, "fixes split, vocabulary, masks, weights and order")
    repeats: int = _setting(1, 3, "seeds: runs of each comparison")
    corpus: str = _setting(1, "imdb", "imdb, wikitext-103, or the path of your text")
    task: str = _setting(1, "rotten-tomatoes", "rotten-tomatoes, sst-2, or a table's path")
    text_column: str = _setting(1, "text", "in a table of your own")
    label_column: str = _setting(1, "label", "in a table of your own")
    few_labels: int = _setting(1, 500, "labels in the second comparison")
    baseline_words: int = _setting(1, 4000, "words that the bag of words knows")

    vocabulary: str = _setting(2, "learnt", "learnt from the corpus, bert, or a path")
    vocabulary_size: int = _setting(2, 16000, "word pieces, special tokens included")
    sequence_length: int = _setting(2, 32, "tokens in a pretraining sequence")
    mask_rate: float = _setting(2, 0.2, "share of tokens to predict")
    neighbour_weight: float = _setting(2, 0.5, "weight of the game of neighbouring rows")
    word_vectors: bool = _setting(2, True, "start the embedding from counts")
    hidden_dim: int = _setting(2, 128, "width of a token's vector")

    encoder: str = _setting(3, "rotary", '"rotary" or "classic" blocks')
    num_layers: int = _setting(3, 2, "encoder blocks")
    num_heads: int = _setting(3, 2, "attention heads in a block")
    intermediate_dim: int = _setting(3, 512, "width inside the feed-forward part")
    dropout: float = _setting(3, 0.0, "dropout inside the encoder, in pretraining")
    optimizer: str = _setting(3, "muon", '"muon" or "adamw", in pretraining')
    learning_rate: float = _setting(3, 6e-3, "peak learning rate in pretraining")
    embedding_rate: float = _setting(3, 0.2, "the embedding's, as a share of it (Muon)")
    precision: str = _setting(3, "float32", '"bfloat16", where there is it, or "float32"')
    batch_size: int = _setting(3, 128, "sequences in a pretraining batch")
    pretraining_steps: int = _setting(3, 800, "batches to pretrain on")

    sentence_lengths: tuple = _setting(4, (24, 48), "what sentences are padded or cut to")
    finetuning_rate: float = _setting(4, 5e-4, "peak learning rate, pretrained")
    scratch_rate: float = _setting(4, 5e-4, "peak learning rate, from scratch")
    finetuning_epochs: int = _setting(4, 2, "passes over the labelled sentences")

    def __post_init__(self):
        for field in dataclasses.fields(self):
            name, kind, value = field.name, field.type, getattr(self, field.name)
            number = (int, float) if kind is float else kind
            fits = isinstance(value, number) and isinstance(value, bool) == (kind is bool)
            self._check(name, fits, f"give {kind.__name__}")
            least = {int: 1, float: 0}.get(kind)
            if least is not None and name != "seed":
                self._check(name, value >= least, f"give a number from {least} up")
            choices = _CHOICES.get(name)
            self._check(name, not choices or value in choices, f"give one of {choices}")
        self._check("mask_rate", 0 < self.mask_rate <= 1, "give a share up to 1")
        pairs = self.hidden_dim % (2 * self.num_heads) == 0
        self._check("hidden_dim", pairs, "give a multiple of twice `num_heads`")
        pairs = not (self.neighbour_weight and self.batch_size % 2)
        self._check("batch_size", pairs, "give an even number, or `neighbour_weight` 0")
        rising = [*self.sentence_lengths] == sorted({*self.sentence_lengths} - {0}) != []
        self._check("sentence_lengths", rising, "give rising numbers, as in (24, 48)")

    def _check(self, name, fits, advice):
        if not fits:
            raise ValueError(f"`{name}` is {getattr(self, name)!r}: {advice}.")

    @property
    def predictions_per_sequence(self):
        """Tokens to predict in a sequence, at most."""
        return math.ceil(self.mask_rate * self.sequence_length)


_CHOICES = {"encoder": ("rotary", "classic"), "optimizer": ("muon", "adamw")}
_CHOICES |= {"precision": ("float32", "bfloat16")}

_FULL = Profile(
    name="full",
    corpus="wikitext-103",
    task="sst-2",
    vocabulary="bert",
    vocabulary_size=30522,
    sequence_length=128,
    mask_rate=0.25,
    hidden_dim=256,
    num_layers=3,
    num_heads=4,
    learning_rate=3e-3,
    embedding_rate=0.1,
    precision="bfloat16",
    # As many tokens as the guide's 46,856 batches hold: its lines fill 82 % of their rows
    # (measured on WikiText's test split), packing fills all of them.
    pretraining_steps=38_500,
    # One length: on an accelerator each length takes long to compile.
    sentence_lengths=(128,),
    finetuning_rate=2e-4,
    finetuning_epochs=3,
)

_GUIDE = dataclasses.replace(
    _FULL,
    name="guide",
    neighbour_weight=0.0,
    word_vectors=False,
    encoder="classic",
    dropout=0.1,
    optimizer="adamw",
    learning_rate=5e-4,
    precision="float32",
    finetuning_rate=5e-5,
    scratch_rate=5e-5,
)

PROFILES = {profile.name: profile for profile in (Profile(), _GUIDE, _FULL)}


def load_profile(name="sample", **overrides):
    """The profile of that name, with some settings replaced; a ValueError if one doesn't
    exist or doesn't fit."""
    known = [field.name for field in dataclasses.fields(Profile) if field.metadata]
    given = [(name, PROFILES), *((setting, known) for setting in overrides)]
    for word, words in given:
        if word not in words:
            near = difflib.get_close_matches(str(word), words, n=1)
            hint = f" Did you mean `{near[0]}`?" if near else ""
            raise ValueError(
                f"There is no `{word}`: choose among {', '.join(words)}.{hint}"
            )
    # A command line gives a list.
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in overrides.items()}
    return dataclasses.replace(PROFILES[name], **values)


def settings(profile, through=4):
    """The settings that the notebooks up to number `through` read: a dict."""
    fields = [field for field in dataclasses.fields(profile) if field.metadata]
    read = [field.name for field in fields if field.metadata["notebook"] <= through]
    return {name: getattr(profile, name) for name in read}


def describe(profile, notebook):
    """A table of the settings that this notebook is the first to read."""
    fields = {field.name: field.metadata for field in dataclasses.fields(profile)}
    names = [name for name in fields if fields[name].get("notebook") == notebook]
    rows = [(name, getattr(profile, name), fields[name]["meaning"]) for name in names]
    table = pd.DataFrame(rows, columns=["setting", "value", "meaning"], dtype=object)
    return table.set_index("setting")


def differences(made_with, wanted):
    """Names the settings in which two dicts of them differ, in words."""
    return ", ".join(
        f"`{setting}` was {made_with.get(setting)!r} and is {wanted.get(setting)!r}"
        for setting in sorted({*wanted, *made_with})
        if made_with.get(setting) != wanted.get(setting)
    )
