"""Every number that a reader may want to change, in one place.

A profile says what the four notebooks do: on which text, with which encoder, for how
long. `sample` is made for two CPU cores, `guide` and `full` for a GPU or TPU.
"""

import dataclasses
import difflib


class ProfileError(ValueError):
    """A profile, or one of its settings, that can't be used."""


def _setting(notebook, meaning):
    """A field with the first notebook that reads it, and what it means."""
    return dataclasses.field(metadata={"notebook": notebook, "meaning": meaning})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Profile:
    """The settings of one run of the series; `settings` lists them with their meaning."""

    name: str
    seed: int = _setting(1, "fixes split, vocabulary, masks, weights and order")
    corpus: str = _setting(1, "imdb, wikitext-103, or the path of your text")
    task: str = _setting(1, "rotten-tomatoes, sst-2, or the path of your table")
    text_column: str = _setting(1, "in a table of your own")
    label_column: str = _setting(1, "in a table of your own")
    few_labels: int = _setting(1, "labels in the second comparison")
    baseline_words: int = _setting(1, "words that the bag of words knows")
    baseline_batch_size: int = _setting(1, "sentences in a batch of the baseline")
    baseline_optimizer: str = _setting(1, '"adam" or "rmsprop"')
    baseline_rate: float = _setting(1, "learning rate of the baseline")
    baseline_epochs: int = _setting(1, "passes over all labels")
    baseline_few_epochs: int = _setting(1, "passes over the few labels")
    shuffle: bool = _setting(1, "read in another order in every pass")

    vocabulary: str = _setting(2, "learnt from the corpus, bert, or a path")
    vocabulary_size: int = _setting(2, "word pieces, special tokens included")
    sequence_length: int = _setting(2, "tokens in a pretraining sequence")
    packed: bool = _setting(2, "texts joined and cut, or one text a row, padded")
    mask_rate: float = _setting(2, "share of tokens to predict")
    predictions_per_sequence: int = _setting(2, "most tokens to predict in a sequence")
    neighbour_weight: float = _setting(2, "weight of the game of neighbouring rows")
    word_vectors: bool = _setting(2, "start the embedding from co-occurrence counts")
    window: int = _setting(2, "most tokens between words that count as company")
    counted_rows: int = _setting(2, "sequences, at most, that are counted for it")
    hidden_dim: int = _setting(2, "width of a token's vector")

    encoder: str = _setting(3, '"rotary" or "classic" blocks')
    attend_padding: bool = _setting(3, "let tokens attend to padding")
    num_layers: int = _setting(3, "encoder blocks")
    intermediate_dim: int = _setting(3, "width inside the feed-forward part")
    num_heads: int = _setting(3, "attention heads in a block")
    dropout: float = _setting(3, "dropout inside the encoder, in pretraining")
    layer_norm_epsilon: float = _setting(3, "keeps a norm from dividing by zero")
    optimizer: str = _setting(3, '"muon" or "adamw", in pretraining')
    learning_rate: float = _setting(3, "peak learning rate in pretraining")
    embedding_rate: float = _setting(3, "the embedding's, as a share of the peak (Muon)")
    weight_decay: float = _setting(3, "decoupled weight decay")
    schedule: str = _setting(3, '"cosine" after a warm-up, or "constant"')
    clipnorm: float = _setting(3, "longer gradients are shortened to it; 0: none")
    frequency_bias: bool = _setting(3, "start the head from the tokens' frequencies")
    precision: str = _setting(3, '"bfloat16", where the device has it, or "float32"')
    devices: int = _setting(3, "devices to train on; 0: all that there are")
    model_devices: int = _setting(3, "devices that share one copy of the weights")
    batch_size: int = _setting(3, "sequences in a pretraining batch")
    pretraining_steps: int = _setting(3, "batches to pretrain on")
    race_steps: int = _setting(3, "batches in the race between the two blocks")
    validation_sequences: int = _setting(3, "sequences kept out of pretraining")

    sentence_length: int = _setting(4, "tokens in a sentence; longer ones are cut")
    average_padding: bool = _setting(4, "padding counts in a sentence's vector")
    like_lengths: bool = _setting(4, "batches of like length; each length is compiled")
    head_first: bool = _setting(4, "start the head from a logistic regression")
    finetuning_batch_size: int = _setting(4, "sentences in a batch")
    finetuning_rate: float = _setting(4, "peak learning rate, pretrained")
    scratch_rate: float = _setting(4, "peak learning rate, from scratch")
    finetuning_epochs: int = _setting(4, "passes over all labels")
    finetuning_few_epochs: int = _setting(4, "passes over the few labels, pretrained")
    scratch_few_epochs: int = _setting(4, "passes over the few labels, from scratch")
    finetuning_dropout: float = _setting(4, "dropout inside the encoder, in fine-tuning")
    head_dropout: float = _setting(4, "dropout before the head")
    repeats: int = _setting(4, "seeds: runs of each comparison")

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            accepted = (int, float) if field.type is float else field.type
            if not isinstance(value, accepted) or (
                isinstance(value, bool) and field.type is not bool
            ):
                raise ProfileError(
                    f"`{field.name}` of the profile is {value!r}, which is a "
                    f"{type(value).__name__}: give a {field.type.__name__}."
                )
            if field.type in (int, float) and value < (field.name in _POSITIVE):
                raise ProfileError(
                    f"`{field.name}` of the profile is {value!r}: give a "
                    f"{'positive' if field.name in _POSITIVE else 'non-negative'} number."
                )
            choices = _CHOICES.get(field.name)
            if choices and value not in choices:
                raise ProfileError(
                    f"`{field.name}` of the profile is {value!r}: choose one of "
                    f"{', '.join(choices)}."
                )
        if self.hidden_dim % (2 * self.num_heads):
            raise ProfileError(
                f"`hidden_dim` of the profile is {self.hidden_dim}: give a multiple of "
                f"twice `num_heads`, which is {self.num_heads}, so that every head gets "
                "pairs of numbers to rotate."
            )
        if self.predictions_per_sequence > self.sequence_length:
            raise ProfileError(
                f"`predictions_per_sequence` of the profile is "
                f"{self.predictions_per_sequence}: give at most `sequence_length`, which "
                f"is {self.sequence_length}."
            )
        if self.neighbour_weight and (self.batch_size % 2 or not self.packed):
            raise ProfileError(
                f"`neighbour_weight` of the profile is {self.neighbour_weight}, which "
                "takes rows in pairs: set `packed` to True and `batch_size` to an even "
                "number, or `neighbour_weight` to 0."
            )


_CHOICES = {
    "baseline_optimizer": ("adam", "rmsprop"),
    "encoder": ("rotary", "classic"),
    "optimizer": ("muon", "adamw"),
    "schedule": ("cosine", "constant"),
    "precision": ("float32", "bfloat16"),
}

# A setting of which nothing is left at zero.
_POSITIVE = {field.name for field in dataclasses.fields(Profile) if field.type is int} - {
    "seed",
    "devices",
}

_SAMPLE = Profile(
    name="sample",
    seed=0,
    corpus="imdb",
    task="rotten-tomatoes",
    text_column="text",
    label_column="label",
    few_labels=500,
    baseline_words=4000,
    baseline_batch_size=32,
    baseline_optimizer="adam",
    baseline_rate=3e-3,
    baseline_epochs=5,
    baseline_few_epochs=30,
    shuffle=True,
    vocabulary="learnt",
    vocabulary_size=16000,
    sequence_length=32,
    packed=True,
    mask_rate=0.2,
    predictions_per_sequence=7,
    neighbour_weight=0.5,
    word_vectors=True,
    window=20,
    counted_rows=300_000,
    hidden_dim=128,
    encoder="rotary",
    attend_padding=False,
    num_layers=2,
    intermediate_dim=512,
    num_heads=2,
    dropout=0.0,
    layer_norm_epsilon=1e-5,
    optimizer="muon",
    learning_rate=6e-3,
    embedding_rate=0.2,
    weight_decay=0.01,
    schedule="cosine",
    clipnorm=1.0,
    frequency_bias=True,
    precision="float32",
    devices=0,
    model_devices=1,
    batch_size=128,
    pretraining_steps=1500,
    race_steps=120,
    validation_sequences=1024,
    sentence_length=48,
    average_padding=False,
    like_lengths=True,
    head_first=True,
    finetuning_batch_size=32,
    finetuning_rate=5e-4,
    scratch_rate=5e-4,
    finetuning_epochs=3,
    finetuning_few_epochs=3,
    scratch_few_epochs=10,
    finetuning_dropout=0.1,
    head_dropout=0.1,
    repeats=3,
)

_GUIDE = dataclasses.replace(
    _SAMPLE,
    name="guide",
    corpus="wikitext-103",
    task="sst-2",
    baseline_optimizer="rmsprop",
    baseline_rate=1e-3,
    shuffle=False,
    vocabulary="bert",
    vocabulary_size=30522,
    sequence_length=128,
    packed=False,
    mask_rate=0.25,
    predictions_per_sequence=32,
    neighbour_weight=0.0,
    word_vectors=False,
    hidden_dim=256,
    encoder="classic",
    attend_padding=True,
    num_layers=3,
    num_heads=4,
    dropout=0.1,
    optimizer="adamw",
    learning_rate=5e-4,
    embedding_rate=1.0,
    weight_decay=0.004,
    schedule="constant",
    clipnorm=0.0,
    frequency_bias=False,
    batch_size=128,
    pretraining_steps=8 * 5857,
    race_steps=300,
    validation_sequences=2048,
    sentence_length=128,
    like_lengths=False,
    head_first=False,
    finetuning_rate=5e-5,
    scratch_rate=5e-5,
    finetuning_epochs=3,
    head_dropout=0.0,
)

_FULL = dataclasses.replace(
    _GUIDE,
    name="full",
    shuffle=True,
    packed=True,
    neighbour_weight=0.5,
    word_vectors=True,
    counted_rows=75_000,
    encoder="rotary",
    attend_padding=False,
    dropout=0.0,
    optimizer="muon",
    learning_rate=3e-3,
    embedding_rate=0.1,
    weight_decay=0.01,
    schedule="cosine",
    clipnorm=1.0,
    frequency_bias=True,
    precision="bfloat16",
    # As many tokens as the guide's 46,856 batches hold: its lines fill 82 % of their rows
    # (measured on WikiText's test split), packing fills all of them.
    pretraining_steps=38_500,
    head_first=True,
    finetuning_rate=2e-4,
    scratch_rate=5e-4,
    head_dropout=0.1,
)

PROFILES = {profile.name: profile for profile in (_SAMPLE, _GUIDE, _FULL)}


def _nearest(word, words):
    close = difflib.get_close_matches(word, words, n=1)
    return f" Did you mean `{close[0]}`?" if close else ""


def load_profile(name="sample", **overrides):
    """Returns the profile of that name, with some settings replaced.

    Args:
        name: string, one of `PROFILES`.
        **overrides: settings to replace, by name.

    Returns:
        A `Profile`.

    Raises:
        ProfileError: the profile or a setting is unknown, or a value doesn't fit.
    """
    if name not in PROFILES:
        raise ProfileError(
            f"There is no profile `{name}`: choose one of {', '.join(PROFILES)}."
            f"{_nearest(str(name), PROFILES)}"
        )
    known = [field.name for field in dataclasses.fields(Profile) if field.name != "name"]
    for setting in overrides:
        if setting not in known:
            raise ProfileError(
                f"A profile has no setting `{setting}`: choose among {', '.join(known)}."
                f"{_nearest(setting, known)}"
            )
    return dataclasses.replace(PROFILES[name], **overrides)


def settings(profile, through=4):
    """The settings that the notebooks up to number `through` read.

    Args:
        profile: a `Profile`.
        through: int, the number of a notebook.

    Returns:
        A dict of setting to value.
    """
    return {
        field.name: getattr(profile, field.name)
        for field in dataclasses.fields(profile)
        if field.metadata and field.metadata["notebook"] <= through
    }


def differences(made_with, wanted):
    """Names the settings in which two dicts of them differ, in words."""
    return ", ".join(
        f"{setting} was {made_with.get(setting)!r} and is {wanted.get(setting)!r}"
        for setting in sorted({*wanted, *made_with})
        if made_with.get(setting) != wanted.get(setting)
    )


def describe(profile, notebook=None):
    """A table of the settings that one notebook is the first to read, or of all.

    Args:
        profile: a `Profile`.
        notebook: int, the number of a notebook; all notebooks by default.

    Returns:
        A pandas DataFrame with one row a setting: value and meaning.
    """
    import pandas as pd

    rows = {
        field.name: (getattr(profile, field.name), field.metadata["meaning"])
        for field in dataclasses.fields(profile)
        if field.metadata and notebook in (None, field.metadata["notebook"])
    }
    table = pd.DataFrame(rows, index=["value", "meaning"], dtype=object).T
    table.index.name = "setting"
    return table
