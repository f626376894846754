"""The settings of a run, whose values are in profiles.toml.

A profile determines what the notebooks do: on which text, with which encoder, for how long.
`sample` is made for two CPU cores, `guide` and `full` for a GPU or TPU.
"""

import dataclasses
import difflib
import math
import pathlib
import tomllib

import numpy as np
import pandas as pd

_FILE = pathlib.Path(__file__).with_name("profiles.toml")
_SETTINGS, PROFILES = tomllib.loads(_FILE.read_text("utf-8")).values()


class _Checks:
    """Validates a `Profile`: a ValueError names the setting that is wrong."""

    def __post_init__(self):
        for name, default in _DEFAULTS.items():
            kind, value = type(default), getattr(self, name)
            number = (int, float) if kind is float else kind
            fits = isinstance(value, number) and isinstance(value, bool) == (kind is bool)
            self._check(name, fits, f"give {kind.__name__}")
            least = {int: int(name != "seed"), float: 0}.get(kind, value)
            self._check(name, value >= least, f"give a number from {least} up")
            if kind is float:
                self._check(name, math.isfinite(value), "give a finite number")
            choices = _SETTINGS[name][2:] or [value]
            self._check(name, value in choices, f"give one of {choices}")
        # Keras and scikit-learn take seeds of 32 bits; `repeats` are added to it.
        self._check("seed", self.seed <= 4_000_000_000, "give a number up to 4000000000")
        self._check("mask_rate", 0 < self.mask_rate <= 1, "give a share up to 1")
        self._check("dropout", self.dropout < 1, "give a share below 1")
        # In shorter rows there is hardly any context to read.
        self._check("sequence_length", self.sequence_length >= 8, "give a number from 8 up")
        pairs = self.hidden_dim % (2 * self.num_heads) == 0
        self._check("hidden_dim", pairs, "give a multiple of twice `num_heads`")
        pairs = not (self.neighbour_weight and self.batch_size % 2)
        self._check("batch_size", pairs, "give an even number, or `neighbour_weight` 0")
        lengths = self.sentence_lengths
        whole = lengths and all(type(length) is int and length > 0 for length in lengths)
        rising = whole and [*lengths] == sorted({*lengths})
        self._check("sentence_lengths", rising, "give rising whole numbers, as in [24, 48]")
        two = len({*self.columns}) == len(self.columns) == 2
        self._check("columns", two, "give the names of two, of texts and of labels")

    def _check(self, name, fits, advice):
        if not fits:
            raise ValueError(f"`{name}` is {getattr(self, name)!r}: {advice}.")

    @property
    def predictions_per_sequence(self):
        """The most tokens to predict in a sequence."""
        return math.ceil(self.mask_rate * self.sequence_length)


def _value(value):
    """Converts the lists of TOML and of the command line to tuples."""
    return tuple(value) if isinstance(value, list) else value


_DEFAULTS = {name: _value(value) for name, (value, *_) in _SETTINGS.items()}
_FIELDS = [("name", str), *((name, type(each), each) for name, each in _DEFAULTS.items())]
Profile = dataclasses.make_dataclass("Profile", _FIELDS, bases=(_Checks,), frozen=True)
Profile.__module__ = __name__  # so that it can be sent to other processes


def load_profile(name="sample", /, **overrides):
    """The profile of that name, with some settings overridden; a ValueError if a name or a
    value is not valid."""
    for word, words in (name, PROFILES), *((setting, _SETTINGS) for setting in overrides):
        if word not in words:
            near = difflib.get_close_matches(str(word), words, n=1)
            hint = f" Did you mean `{near[0]}`?" if near else ""
            every = ", ".join(words)
            raise ValueError(f"There is no `{word}`: choose among {every}.{hint}")
    values = PROFILES[name] | overrides
    return Profile(name, **{setting: _value(value) for setting, value in values.items()})


def is_sample(profile):
    """Whether a profile is `sample`, about which the text speaks, with any seed."""
    return profile == load_profile(seed=profile.seed)


def random_stream(seed, purpose):
    """A NumPy random generator of its own for each purpose, so that two draws with the same
    seed have nothing in common."""
    return np.random.default_rng([seed, *purpose.encode()])


def settings(profile):
    """A dict of all settings."""
    return {name: getattr(profile, name) for name in _SETTINGS}


def describe(profile, *names):
    """A table of these settings, with values and meanings."""
    rows = [(name, getattr(profile, name), _SETTINGS[name][1]) for name in names]
    return pd.DataFrame(rows, columns=["setting", "value", "meaning"]).set_index("setting")


def differences(was, now):
    """Describes how two dicts of settings differ."""
    names = [n for n in sorted({*was, *now}) if was.get(n) != now.get(n)]
    return ", ".join(f"`{n}` was {was.get(n)!r} and is {now.get(n)!r}" for n in names)
