"""Model code, on the backend in KERAS_BACKEND; test_backends.py runs it on others.

Tests use few shapes, because JAX compiles for each.
"""

import dataclasses

import keras
import keras_hub
import numpy as np
import pytest
from keras.backend import standardize_dtype
from keras.ops import convert_to_numpy

from conftest import moved
from helpers import models, normalization, packing

IDS = np.random.default_rng(0).integers(5, 1500, (2, 32)).astype("int32")


@pytest.fixture(params=["rotary", "classic"], scope="module")
def encoder(request, profile):
    """An encoder of each kind, which no test modifies."""
    profile = dataclasses.replace(profile, encoder=request.param, dropout=0.5)
    return moved(models.build_encoder(profile))


@pytest.fixture(scope="module")
def vectors(encoder):
    return convert_to_numpy(encoder(IDS))


def test_saved_it_is_given_back_and_dropout_is_for_training(encoder, vectors, tmp_path):
    assert vectors.shape == (2, 32, 16)
    encoder.save_to_preset(str(tmp_path / "preset"))
    encoder.save(tmp_path / "encoder.keras")
    from_preset = keras_hub.models.Backbone.from_preset(str(tmp_path / "preset"))
    loaded = keras.saving.load_model(tmp_path / "encoder.keras")
    for again in from_preset, loaded:
        assert again.get_config() == encoder.get_config()
        np.testing.assert_array_equal(convert_to_numpy(again(IDS)), vectors)
    assert np.abs(convert_to_numpy(encoder(IDS, training=True)) - vectors).max() > 0.1


def test_padding_changes_neither_vectors_nor_classes(encoder):
    classifier = models.build_classifier(encoder, 3, dropout=0.1)
    short = IDS[:1, :10]
    padded = packing.pad([short[0], [normalization.UNK]], 32)
    for model in encoder, classifier:
        outputs = convert_to_numpy(model(padded))
        assert np.isfinite(outputs).all()
        of_short = convert_to_numpy(model(short))
        among = outputs[:1, : of_short.shape[1]]
        np.testing.assert_allclose(of_short, among, atol=1e-5)


def test_masked_places_get_what_the_head_gives_to_all_vectors(encoder):
    model = models.build_pretraining_model(encoder, np.zeros(1500, "float32"))
    positions = np.array([[3, 7, 31], [0, 0, 12]], "int32")
    logits = model({"token_ids": IDS, "mask_positions": positions})
    expected = model.get_layer("head")(encoder(IDS), positions)
    assert logits.shape == (2, 3, 1500)
    logits = convert_to_numpy(logits)
    np.testing.assert_allclose(logits, convert_to_numpy(expected), atol=1e-4)


def test_an_encoder_computes_in_the_precision_that_is_asked_for(encoder, vectors):
    config = encoder.get_config() | {"dtype": "mixed_bfloat16"}
    short = models.Encoder.from_config(config)
    short.set_weights(encoder.get_weights())
    assert {standardize_dtype(weight.dtype) for weight in short.weights} == {"float32"}
    rounded = short(IDS)
    assert standardize_dtype(rounded.dtype) == "bfloat16"
    # It has eight significant bits: errors of about 1 % over all layers.
    rounded = convert_to_numpy(keras.ops.cast(rounded, "float32"))
    np.testing.assert_allclose(rounded, vectors, atol=0.15)
    # NumPy functions can't compute precisely with bfloat16.
    assert models.predict(short, IDS, 2).dtype == "float32"
    # A classifier's logits have all digits.
    logits = models.build_classifier(short, 3, dropout=0.1).output
    assert standardize_dtype(logits.dtype) == "float32"
