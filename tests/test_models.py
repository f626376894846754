"""Model code, on the backend in KERAS_BACKEND; test_backends.py runs it on others."""

import dataclasses

import keras
import keras_hub
import numpy as np
import pytest
from keras.ops import convert_to_numpy

from conftest import moved
from helpers import models, normalization, packing


@pytest.fixture(params=["rotary", "classic"], scope="module")
def any_profile(request, profile):
    return dataclasses.replace(profile, encoder=request.param)


@pytest.fixture(scope="module")
def encoder(any_profile):
    """An encoder of each kind, which no test modifies."""
    return moved(models.build_encoder(any_profile))


@pytest.fixture(scope="module")
def ids(profile):
    """Two rows. Tests use few shapes, because JAX compiles for each."""
    shape = 2, profile.sequence_length
    rng = np.random.default_rng(0)
    return rng.integers(5, profile.vocabulary_size, shape).astype("int32")


def test_an_encoder_keeps_shape_and_ignores_dropout_at_rest(any_profile, encoder, ids):
    at_rest = convert_to_numpy(encoder(ids))
    assert at_rest.shape == (*ids.shape, any_profile.hidden_dim)
    other = models.build_encoder(any_profile, dropout=0.5)
    other.set_weights(encoder.get_weights())
    np.testing.assert_allclose(at_rest, convert_to_numpy(other(ids)), atol=1e-5)
    in_training = convert_to_numpy(other(ids, training=True))
    assert np.abs(at_rest - in_training).max() > 0.1


def test_a_preset_gives_it_back(encoder, ids, tmp_path):
    encoder.save_to_preset(str(tmp_path))
    again = keras_hub.models.Backbone.from_preset(str(tmp_path))
    assert again.get_config() == encoder.get_config()
    one, other = (convert_to_numpy(each(ids)) for each in (encoder, again))
    np.testing.assert_array_equal(one, other)


def test_padding_changes_nothing_for_the_tokens_before_it(encoder, ids):
    padded = packing.pad(list(ids[:, :10]), ids.shape[1])
    alone, among = convert_to_numpy(encoder(ids[:, :10])), convert_to_numpy(encoder(padded))
    np.testing.assert_allclose(alone, among[:, :10], atol=1e-5)


def test_mixing_is_nothing_at_first_then_a_convolution_of_the_words():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 6, 8)).astype("float32")
    mixing, mask = models.NeighbourMixing(), np.ones((2, 6), bool)
    np.testing.assert_array_equal(convert_to_numpy(mixing(x, mask)), x)
    before, after = weight = rng.normal(size=(2, 8))
    mixing.weight.assign(weight)
    convolution = keras.layers.DepthwiseConv1D(3, padding="same", use_bias=False)
    convolution.build(x.shape)
    kernel = np.stack([before, np.ones(8), after])[:, :, None]
    convolution.kernel.assign(kernel)
    expected = convert_to_numpy(convolution(x))
    np.testing.assert_allclose(convert_to_numpy(mixing(x, mask)), expected, atol=1e-5)
    # Padding contributes nothing to the last word.
    mask[:, 4:] = False
    expected = convert_to_numpy(convolution(x * mask[:, :, None]))
    found = convert_to_numpy(mixing(x, mask))
    np.testing.assert_allclose(found[:, :4], expected[:, :4], atol=1e-5)


class Largest(keras.layers.Layer):
    def call(self, x, mask):
        return keras.ops.max(keras.ops.where(mask[:, :, None], x, -np.inf), axis=1)


@pytest.mark.parametrize(
    ("classes", "pool"), [(2, keras.layers.GlobalAveragePooling1D), (3, Largest)]
)
def test_padding_changes_no_class(encoder, ids, classes, pool):
    classifier = models.build_classifier(encoder, classes, dropout=0.1, pool=pool)
    padded = packing.pad([*ids[:, :10], [normalization.UNK]], ids.shape[1])
    logits = convert_to_numpy(classifier(padded))
    assert logits.shape == (3, classes)
    assert np.isfinite(logits).all()
    expected = convert_to_numpy(classifier(ids[:, :10]))
    np.testing.assert_allclose(logits[:2], expected, atol=1e-5)


def test_bfloat16_changes_digits_only(any_profile, encoder, ids):
    plain = models.build_classifier(encoder, 3, dropout=0.1)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        short_encoder = models.build_encoder(any_profile)
        short = models.build_classifier(short_encoder, 3, dropout=0.1)
    finally:
        keras.config.set_dtype_policy("float32")
    short.set_weights(plain.get_weights())
    assert keras.backend.standardize_dtype(short_encoder(ids).dtype) == "bfloat16"
    assert keras.backend.standardize_dtype(short(ids).dtype) == "float32"
    # bfloat16 has eight significant bits: errors of about 1 % over all layers.
    one, other = convert_to_numpy(plain(ids)), convert_to_numpy(short(ids))
    np.testing.assert_allclose(one, other, atol=0.05)
    assert (one != other).any()


@pytest.mark.parametrize("dtype", ["bfloat16", "mixed_bfloat16"])
def test_an_encoder_computes_in_the_precision_that_is_asked_for(any_profile, ids, dtype):
    config = models.build_encoder(any_profile).get_config()
    encoder = models.Encoder.from_config(config | {"dtype": dtype})
    assert keras.backend.standardize_dtype(encoder(ids).dtype) == "bfloat16"
    policy = keras.dtype_policies.get(dtype)
    stored = {keras.backend.standardize_dtype(weight.dtype) for weight in encoder.weights}
    assert stored == {policy.variable_dtype}
    again = models.Encoder.from_config(encoder.get_config())
    assert again.dtype_policy == encoder.dtype_policy


def test_weights_of_a_pretraining_model_load_into_another(any_profile, rows, tmp_path):
    frequencies = packing.log_frequencies(rows, any_profile.vocabulary_size)
    build = models.build_pretraining_model
    saved, loaded = (
        build(models.build_encoder(any_profile), any_profile, frequencies) for _ in range(2)
    )
    saved.save_weights(tmp_path / "pretraining.weights.h5")
    loaded.load_weights(tmp_path / "pretraining.weights.h5")
    np.testing.assert_equal(loaded.get_weights(), saved.get_weights())


def test_the_head_is_tied_and_begins_at_the_frequencies(any_profile, rows, ids):
    width, words = any_profile.hidden_dim, any_profile.vocabulary_size
    encoder = models.build_encoder(any_profile)
    frequencies = packing.log_frequencies(rows, words)
    model = models.build_pretraining_model(encoder, any_profile, frequencies)
    # Dense, layer norm and a bias, but no second matrix of vocabulary times width
    assert model.count_params() - encoder.count_params() == width**2 + 3 * width + words

    models.token_embedding(encoder).embeddings.assign(np.zeros((words, width)))
    features = {
        "token_ids": ids,
        "mask_positions": np.zeros((2, any_profile.predictions_per_sequence), "int32"),
    }
    logits = convert_to_numpy(model(features)["masked_words"])
    assert logits.shape == (2, any_profile.predictions_per_sequence, words)
    np.testing.assert_allclose(logits[0, 0], frequencies, atol=1e-5)


def test_word_vectors_reach_the_embedding(any_profile):
    encoder = models.build_encoder(any_profile)
    embeddings = models.token_embedding(encoder).embeddings
    before = convert_to_numpy(embeddings).copy()
    vectors = np.random.default_rng(0).normal(size=before.shape).astype("float32")
    vectors[:5] = 0
    models.start_from_vectors(encoder, vectors)
    after = convert_to_numpy(embeddings)
    np.testing.assert_allclose(after[5:], vectors[5:])
    np.testing.assert_allclose(after[:5], before[:5])


def test_saving_and_loading_changes_no_output(encoder, ids, tmp_path):
    encoder.save(tmp_path / "encoder.keras")
    loaded = keras.saving.load_model(tmp_path / "encoder.keras")
    one, other = convert_to_numpy(encoder(ids)), convert_to_numpy(loaded(ids))
    np.testing.assert_array_equal(one, other)
