"""The encoders as KerasHub models, in a preset with its own code."""

import json
import pathlib

import keras
import numpy as np
import pytest

import helpers
from conftest import moved, run_python
from helpers import kerashub, models, normalization, profiles

VOCABULARY = [*normalization.SPECIAL_TOKENS, *"abcdefghilmnoprstu", "film", "##m", "good"]
CLASSES = ["bad", "good"]


def small(encoder="rotary"):
    """A profile with the smallest possible layers."""
    sizes = {"hidden_dim": 16, "num_layers": 1, "num_heads": 2, "intermediate_dim": 24}
    sizes |= {"vocabulary_size": len(VOCABULARY), "sequence_length": 8}
    return profiles.load_profile(encoder=encoder, sentence_lengths=(12,), **sizes)


def test_what_notebook_3_saves_is_loaded(tmp_path):
    """Of a classic encoder, too. (Notebook 6 does it with a rotary one.)"""
    profile = small("classic")
    bias = np.arange(len(VOCABULARY), dtype="float32")
    model = models.build_pretraining_model(models.build_encoder(profile), bias)
    model.save_weights(tmp_path / "pre.weights.h5")
    masked_lm = kerashub.MaskedLM(models.build_encoder(profile), compile=False)
    masked_lm.load_weights(tmp_path / "pre.weights.h5")
    np.testing.assert_equal(masked_lm.get_weights(), model.get_weights())


def test_a_tokenizer_that_does_not_fit_is_refused():
    longer = kerashub.Tokenizer([*VOCABULARY, "more"], sequence_length=12)
    encoder = models.build_encoder(small())
    with pytest.raises(ValueError, match="has 27 word pieces, the encoder 26"):
        kerashub.TextClassifier(encoder, CLASSES, kerashub.Preprocessor(longer))
    with pytest.raises(ValueError, match="not a path"):
        kerashub.Tokenizer("/etc/passwd")


PROGRAM = """
import sys
import types
import keras_hub
# Somebody else's module of this name, and none of the series
sys.modules["helpers"] = types.ModuleType("helpers")
# Nor what the card of a preset doesn't tell to install
for name in "pandas", "pooch", "requests", "sklearn", "tokenizers":
    sys.modules[name] = None
sys.path.insert(0, sys.argv[1])
import series_encoder

model = keras_hub.models.TextClassifier.from_preset(sys.argv[1], compile=False)
assert type(model).__module__ == "series_encoder.kerashub"
assert model.classes == ["bad", "good"]
print(model.predict(["a good film"], verbose=0).tolist())
"""


def test_a_preset_gives_back_the_model_and_needs_no_helpers(tmp_path):
    keras.utils.set_random_seed(0)
    encoder = moved(models.build_encoder(small()))
    tokenizer = kerashub.Tokenizer(VOCABULARY, sequence_length=12)
    preprocessor = kerashub.Preprocessor(tokenizer)
    saved = kerashub.TextClassifier(encoder, CLASSES, preprocessor, compile=False)
    saved.save_to_preset(str(tmp_path))
    # With its own code
    package = tmp_path / "series_encoder"
    package.mkdir()
    for name in "models", "normalization", "kerashub":  # as notebook 6 does
        code = (pathlib.Path(helpers.__file__).parent / f"{name}.py").read_text("utf-8")
        code = code.replace("from helpers", "from series_encoder")
        (package / f"{name}.py").write_text(code, "utf-8")
    (package / "__init__.py").write_text("from series_encoder import kerashub\n", "utf-8")
    printed = run_python("-W", "ignore", "-c", PROGRAM, tmp_path, folder=tmp_path)
    expected = saved.predict(["a good film"], verbose=0)
    np.testing.assert_allclose(json.loads(printed.splitlines()[-1]), expected, atol=1e-5)
