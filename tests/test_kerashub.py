"""The encoders as KerasHub models, in a preset with its own code."""

import dataclasses
import json
import pathlib

import keras
import keras_hub
import numpy as np
import pytest
from keras import ops

import helpers
from conftest import run_python
from helpers import kerashub, models, normalization, packing, profiles

TEXTS = ["the film", "", "a good film , and a long one"]
VOCABULARY = [*normalization.SPECIAL_TOKENS, *"abcdefghilmnoprstu", "film", "##m", "good"]
CLASSES = ["bad", "good"]


@pytest.fixture(params=["rotary", "classic"])
def profile(request):
    size = len(VOCABULARY)
    sizes = {"hidden_dim": 16, "num_layers": 1, "num_heads": 2, "intermediate_dim": 24}
    sizes |= {"vocabulary_size": size, "sequence_length": 8, "sentence_lengths": (12,)}
    return profiles.load_profile(encoder=request.param, **sizes)


def preprocessor(length=12):
    return kerashub.Preprocessor(kerashub.Tokenizer(VOCABULARY, sequence_length=length))


def classifier(profile):
    encoder = models.build_encoder(profile)
    return kerashub.TextClassifier(encoder, CLASSES, preprocessor(), compile=False)


def test_texts_are_read_as_the_series_reads_them(profile):
    rows = packing.sentence_rows(TEXTS, VOCABULARY, profile)
    np.testing.assert_array_equal(preprocessor()(TEXTS), rows)


def test_what_notebook_3_saves_is_loaded(profile, tmp_path):
    """Weights only, of a model with one objective or two."""
    for weight in 0.0, 0.5:
        profile = dataclasses.replace(profile, neighbour_weight=weight)
        encoder = models.build_encoder(profile)
        bias = np.arange(len(VOCABULARY), dtype="float32")
        model = models.build_pretraining_model(encoder, profile, bias)
        keras.Model(model.input, model.output).save_weights(tmp_path / "pre.weights.h5")
        masked_lm = kerashub.MaskedLM(models.build_encoder(profile), compile=False)
        masked_lm.load_weights(tmp_path / "pre.weights.h5")
        for saved, loaded in zip(model.get_weights(), masked_lm.get_weights(), strict=True):
            np.testing.assert_array_equal(saved, loaded)


def test_a_preset_gives_back_the_model(profile, tmp_path):
    saved = classifier(profile)
    saved.save_to_preset(str(tmp_path))
    load = keras_hub.models.TextClassifier.from_preset
    loaded = load(str(tmp_path), compile=False)
    assert isinstance(loaded, kerashub.TextClassifier)
    assert loaded.classes == CLASSES
    np.testing.assert_array_equal(
        saved.predict(TEXTS, verbose=0), loaded.predict(TEXTS, verbose=0)
    )


def test_a_text_gets_the_same_vector_in_any_row_and_batch(profile):
    embedder = kerashub.TextEmbedder(
        models.build_encoder(profile), 8, preprocessor(24), compile=False
    )
    vectors = embedder.encode_text(TEXTS, verbose=0)
    assert vectors.shape == (3, 16)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    for text, vector in zip(TEXTS, vectors, strict=True):
        np.testing.assert_allclose(
            embedder.encode_text([text], verbose=0)[0], vector, atol=1e-5
        )


def test_a_tokenizer_that_does_not_fit_is_refused(profile):
    longer = kerashub.Tokenizer([*VOCABULARY, "more"], sequence_length=12)
    with pytest.raises(ValueError, match="has 27 word pieces, the encoder 26"):
        kerashub.TextClassifier(
            models.build_encoder(profile), CLASSES, kerashub.Preprocessor(longer)
        )
    with pytest.raises(ValueError, match="not a path"):
        kerashub.Tokenizer("/etc/passwd")


def test_all_trainable_variables_are_all_that_lora_has_learnt(profile, tmp_path):
    """As notebook 5 stores them."""

    def with_lora():
        keras.utils.set_random_seed(0)
        model = classifier(profile)
        dense = [x.name for x in model.backbone.layers if hasattr(x, "enable_lora")]
        dense = [name for name in dense if name != "token_embedding"]
        model.backbone.enable_lora(2, dense or None)
        return model

    trained = with_lora()
    before = trained.predict(TEXTS, verbose=0)
    rng = np.random.default_rng(0)
    for variable in trained.trainable_variables:  # as training does
        variable.assign_add(rng.normal(0, 0.1, variable.shape))
    wanted = trained.predict(TEXTS, verbose=0)
    assert np.abs(wanted - before).max() > 0.01
    again = with_lora()
    for variable, learnt in zip(
        again.trainable_variables, trained.trainable_variables, strict=True
    ):
        variable.assign(ops.convert_to_numpy(learnt))
    np.testing.assert_allclose(again.predict(TEXTS, verbose=0), wanted, atol=1e-6)


PROGRAM = """
import sys
import types
import keras_hub
# Somebody else's module of this name, and none of the series
sys.modules["helpers"] = types.ModuleType("helpers")
sys.path.insert(0, sys.argv[1])
import series_encoder

model = keras_hub.models.TextClassifier.from_preset(sys.argv[1], compile=False)
assert type(model).__module__ == "series_encoder.kerashub"
print(model.predict(["a good film"], verbose=0).tolist())
"""


def test_a_preset_with_its_own_code_needs_no_helpers(profile, tmp_path):
    saved = classifier(profile)
    saved.save_to_preset(str(tmp_path))
    package = tmp_path / "series_encoder"
    package.mkdir()
    for name in "models", "normalization", "kerashub":  # as notebook 5 does
        code = (pathlib.Path(helpers.__file__).parent / f"{name}.py").read_text("utf-8")
        code = code.replace("from helpers", "from series_encoder")
        (package / f"{name}.py").write_text(code, "utf-8")
    (package / "__init__.py").write_text("from series_encoder import kerashub\n", "utf-8")
    printed = run_python("-W", "ignore", "-c", PROGRAM, tmp_path, folder=tmp_path)
    scores = json.loads(printed.splitlines()[-1])
    np.testing.assert_allclose(scores, saved.predict(["a good film"], verbose=0), atol=1e-5)
