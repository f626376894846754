"""The settings of a run of the series, whose values are in profiles.toml.

A profile says what the notebooks do: on which text, with which encoder, for how long.
`sample` is made for two CPU cores, `guide` and `full` for a GPU or TPU.
"""

import dataclasses
import difflib
import math
import pathlib
import tomllib

import pandas as pd

_FILE = pathlib.Path(__file__).with_name("profiles.toml")
_SETTINGS, PROFILES = tomllib.loads(_FILE.read_text("utf-8")).values()


class _Checks:
    """What must hold of a `Profile`: else a ValueError names the setting."""

    def __post_init__(self):
        for name, default in _DEFAULTS.items():
            kind, value = type(default), getattr(self, name)
            number = (int, float) if kind is float else kind
            fits = isinstance(value, number) and isinstance(value, bool) == (kind is bool)
            self._check(name, fits, f"give {kind.__name__}")
            least = {int: int(name != "seed"), float: 0}.get(kind, value)
            self._check(name, value >= least, f"give a number from {least} up")
            choices = _SETTINGS[name][3:] or [value]
            self._check(name, value in choices, f"give one of {choices}")
        self._check("mask_rate", 0 < self.mask_rate <= 1, "give a share up to 1")
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
        """Tokens to predict in a sequence, at most."""
        return math.ceil(self.mask_rate * self.sequence_length)


def _value(value):
    """TOML and a command line give lists, where a profile has what can't be changed."""
    return tuple(value) if isinstance(value, list) else value


_DEFAULTS = {name: _value(value) for name, (_, value, *_) in _SETTINGS.items()}
_FIELDS = [("name", str), *((name, type(each), each) for name, each in _DEFAULTS.items())]
Profile = dataclasses.make_dataclass("Profile", _FIELDS, bases=(_Checks,), frozen=True)
Profile.__module__ = __name__  # so that other processes can be given one


def load_profile(name="sample", **overrides):
    """The profile of that name, with some settings replaced; a ValueError if one doesn't
    exist or doesn't fit."""
    for word, words in (name, PROFILES), *((setting, _SETTINGS) for setting in overrides):
        if word not in words:
            near = difflib.get_close_matches(str(word), words, n=1)
            hint = f" Did you mean `{near[0]}`?" if near else ""
            every = ", ".join(words)
            raise ValueError(f"There is no `{word}`: choose among {every}.{hint}")
    values = PROFILES[name] | overrides
    return Profile(name, **{setting: _value(value) for setting, value in values.items()})


def settings(profile, through=6):
    """The settings that the notebooks up to number `through` read: a dict."""
    read = [name for name, (first, *_) in _SETTINGS.items() if 1 <= first <= through]
    return {name: getattr(profile, name) for name in read}


def describe(profile, notebook):
    """A table of the settings that this notebook is the first to read."""
    new = [(name, each[2]) for name, each in _SETTINGS.items() if each[0] == notebook]
    rows = [(name, getattr(profile, name), meaning) for name, meaning in new]
    return pd.DataFrame(rows, columns=["setting", "value", "meaning"]).set_index("setting")


def differences(was, now):
    """Names the settings in which two dicts of them differ, in words."""
    names = [n for n in sorted({*was, *now}) if was.get(n) != now.get(n)]
    return ", ".join(f"`{n}` was {was.get(n)!r} and is {now.get(n)!r}" for n in names)
