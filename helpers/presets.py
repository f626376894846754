"""The encoders that come along, presets made by scripts/share.py.

Not part of `records`, which every notebook imports: with `helpers.kerashub` imported,
KerasHub's `from_preset` takes the classes there instead of a notebook's own.
"""

import json
import pathlib

import numpy as np

from helpers import kerashub, models, profiles

ENCODERS = pathlib.Path(__file__).with_name("encoders")


def load(folder):
    """Loads encoder and head of a preset, in float32.

    Returns:
        A model as `models.build_pretraining_model` builds it, and its vocabulary, a list.
    """
    masked_lm = kerashub.MaskedLM.from_preset(str(folder), dtype="float32", compile=False)
    vocabulary = masked_lm.preprocessor.tokenizer.get_vocabulary()
    model = models.build_pretraining_model(masked_lm.backbone, np.zeros(len(vocabulary)))
    model.set_weights(masked_lm.get_weights())
    return model, vocabulary


def pretraining_settings(profile):
    """The settings that decide an encoder and its vocabulary: a dict, as JSON has it."""
    names = set(f"{profiles.DEPENDS[2]} {profiles.DEPENDS[3]}".split())
    names.remove("sentence_lengths")  # which decide the size of a classic encoder only
    settings = {name: getattr(profile, name) for name in sorted(names)}
    return json.loads(json.dumps(settings))


def take_encoder(profile, vocabulary, saved):
    """Makes a checkpoint of an encoder that comes along, as if it had been trained here.

    Args:
        profile: a `Profile`.
        vocabulary: list of strings.
        saved: a `Checkpoint`.

    Returns:
        Whether there is one that was trained with these settings and this vocabulary, and
        no checkpoint of one's own.
    """
    if saved.path.exists():
        return False
    for path in ENCODERS.glob("*/training.json"):
        training = json.loads(path.read_text("utf-8"))
        if training["settings"] != pretraining_settings(profile):
            continue
        model, known = load(path.parent)
        if known == list(vocabulary):
            saved.model.set_weights(model.get_weights())
            saved.history = training["history"]
            saved.seconds = training["seconds"]
            saved.save(training["epoch"])
            return True
    return False
