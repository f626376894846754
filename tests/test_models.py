"""Model code, on the backend that KERAS_BACKEND names; test_backends runs it on others."""

import dataclasses

import keras
import numpy as np
import pytest
from keras.ops import convert_to_numpy

from helpers import models, preprocessing, profiles


def token_ids(profile, length, sentences=2, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(5, profile.vocabulary_size, (sentences, length)).astype("int32")


@pytest.fixture(params=["rotary", "classic"])
def any_profile(request, profile):
    return dataclasses.replace(profile, encoder=request.param)


def test_the_guides_encoder_has_the_guides_parameters():
    encoder = models.build_encoder(profiles.load_profile("guide"))
    assert encoder.count_params() == 9_428_224


def test_the_rotary_encoder_has_the_parameters_one_counts(profile):
    width, inner = profile.hidden_dim, profile.intermediate_dim
    block = 4 * width**2 + 2 * width + width * inner + inner + inner * width + width
    expected = profile.vocabulary_size * width + 2 * width + profile.num_layers * block
    assert models.build_encoder(profile).count_params() == expected


def test_an_encoder_keeps_shape_and_ignores_dropout_at_rest(any_profile):
    encoder = models.build_encoder(any_profile, dropout=0.5)
    ids = token_ids(any_profile, any_profile.sequence_length)
    one, two = (convert_to_numpy(encoder(ids)) for _ in range(2))
    assert one.shape == (2, any_profile.sequence_length, any_profile.hidden_dim)
    np.testing.assert_array_equal(one, two)


def test_padding_changes_nothing_for_the_tokens_before_it(any_profile):
    encoder = models.build_encoder(any_profile)
    ids = token_ids(any_profile, 10)
    padded = preprocessing.pad(list(ids), 24)
    np.testing.assert_allclose(
        convert_to_numpy(encoder(ids)), convert_to_numpy(encoder(padded))[:, :10], atol=1e-5
    )


def test_padding_changes_no_sentence_vector(any_profile):
    classifier = models.build_classifier(models.build_encoder(any_profile), any_profile, 3)
    ids = token_ids(any_profile, 10)
    padded = preprocessing.pad(list(ids), 24)
    np.testing.assert_allclose(
        convert_to_numpy(classifier(ids)), convert_to_numpy(classifier(padded)), atol=1e-5
    )


def test_attention_maps_are_shares_of_each_head(any_profile):
    encoder = models.build_encoder(any_profile)
    maps = models.attention_maps(encoder, token_ids(any_profile, 10, sentences=3))
    blocks, heads = any_profile.num_layers, any_profile.num_heads
    assert maps.shape == (blocks, 3, heads, 10, 10)
    assert maps.min() >= 0
    np.testing.assert_allclose(maps.sum(axis=-1), 1, atol=1e-5)


def test_attention_maps_weigh_what_the_layer_adds_up():
    attention = models.RotaryAttention(num_heads=2)
    inputs = np.random.default_rng(0).normal(size=(1, 6, 3 * 8)).astype("float32")
    weights = convert_to_numpy(attention.attention(inputs))[0]
    values = inputs[0, :, 16:].reshape(6, 2, 4)
    expected = np.einsum("hij,jhd->ihd", weights, values).reshape(1, 6, 8)
    outputs = convert_to_numpy(attention(inputs, np.ones((1, 6), "bool")))
    np.testing.assert_allclose(outputs, expected, atol=1e-5)


@pytest.mark.parametrize("setting", ["attend_padding", "average_padding"])
def test_padding_takes_part_where_the_profile_says_so(any_profile, setting):
    profile = dataclasses.replace(any_profile, **{setting: True})
    classifier = models.build_classifier(models.build_encoder(profile), profile, 3)
    ids = token_ids(profile, 10)
    one, other = classifier(ids), classifier(preprocessing.pad(list(ids), 24))
    assert np.abs(convert_to_numpy(one) - convert_to_numpy(other)).max() > 1e-3


def test_two_classes_are_told_apart_by_a_sigmoid():
    vectors = np.random.default_rng(0).normal(size=(5, 8)).astype("float32")
    inputs = keras.Input((8,))
    model = keras.Model(inputs, models.class_scores(inputs, 2))
    kernel, bias = model.get_layer("head").get_weights()
    chances = convert_to_numpy(keras.ops.softmax(model(vectors)))
    expected = 1 / (1 + np.exp(-(vectors @ kernel + bias)))
    np.testing.assert_allclose(chances[:, 1:], expected, atol=1e-5)


def test_bfloat16_changes_digits_only(any_profile):
    plain = models.build_classifier(models.build_encoder(any_profile), any_profile, 3)
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        encoder = models.build_encoder(any_profile)
        short = models.build_classifier(encoder, any_profile, 3)
    finally:
        keras.config.set_dtype_policy(policy)
    short.set_weights(plain.get_weights())
    ids = token_ids(any_profile, any_profile.sequence_length)
    assert keras.backend.standardize_dtype(encoder(ids).dtype) == "bfloat16"
    assert keras.backend.standardize_dtype(short(ids).dtype) == "float32"
    # Eight bits of a number's digits: about one part in a hundred, through every layer.
    one, other = convert_to_numpy(plain(ids)), convert_to_numpy(short(ids))
    np.testing.assert_allclose(one, other, atol=0.05)
    assert (one != other).any()


def test_an_empty_sentence_gives_numbers(any_profile, vocabulary):
    ids = preprocessing.sentence_rows(any_profile, ["", "  "], vocabulary)
    classifier = models.build_classifier(models.build_encoder(any_profile), any_profile)
    assert np.isfinite(convert_to_numpy(classifier(ids))).all()


def test_rotary_attention_depends_on_distance_alone():
    near = np.random.default_rng(0).normal(size=(1, 8, 48)).astype("float32")
    far = np.concatenate([np.zeros((1, 5, 48), "float32"), near], axis=1)
    attention = models.RotaryAttention(num_heads=2)
    mask = np.arange(13)[None] >= 5
    here = convert_to_numpy(attention(near, np.ones((1, 8), "bool")))
    there = convert_to_numpy(attention(far, mask))
    np.testing.assert_allclose(here, there[:, 5:], atol=1e-5)
    # and it does depend on order
    turned = convert_to_numpy(attention(near[:, ::-1].copy(), np.ones((1, 8), "bool")))
    assert np.abs(turned[:, ::-1] - here).max() > 1e-2


def test_rotary_attention_survives_its_config():
    layer = models.RotaryAttention(num_heads=2, max_wavelength=77)
    again = models.RotaryAttention.from_config(layer.get_config())
    assert (again.num_heads, again.max_wavelength) == (2, 77)


def test_the_head_is_tied_and_begins_at_the_frequencies(any_profile, rows, vocabulary):
    encoder = models.build_encoder(any_profile)
    embedding = models.token_embedding(encoder)
    frequencies = preprocessing.log_frequencies(rows, vocabulary)
    model = models.build_pretraining_model(encoder, any_profile, frequencies)
    width, words = any_profile.hidden_dim, any_profile.vocabulary_size
    # Dense, layer norm and a bias: no second matrix of vocabulary times width
    assert model.count_params() - encoder.count_params() == width**2 + 3 * width + words

    embedding.embeddings.assign(np.zeros((words, width)))
    features = {
        "token_ids": token_ids(any_profile, any_profile.sequence_length),
        "mask_positions": np.zeros((2, any_profile.predictions_per_sequence), "int32"),
    }
    logits = convert_to_numpy(model(features)["masked_words"])
    assert logits.shape == (2, any_profile.predictions_per_sequence, words)
    np.testing.assert_allclose(logits[0, 0], frequencies, atol=1e-5)


def test_a_row_is_most_like_itself():
    x = np.random.default_rng(0).normal(size=(6, 4, 16)).astype("float32")
    x[1::2] = x[::2]  # each row goes on in a copy of itself
    similarity = convert_to_numpy(models.neighbour_similarity(x))
    assert similarity.shape == (3, 3)
    np.testing.assert_allclose(np.diag(similarity), 10, rtol=1e-3)
    assert (similarity.argmax(axis=1) == np.arange(3)).all()


def test_word_vectors_reach_the_embedding(any_profile):
    encoder = models.build_encoder(any_profile)
    before = convert_to_numpy(models.token_embedding(encoder).embeddings).copy()
    vectors = np.random.default_rng(0).normal(size=before.shape).astype("float32")
    vectors[:5] = 0
    models.start_from_vectors(encoder, vectors)
    after = convert_to_numpy(models.token_embedding(encoder).embeddings)
    np.testing.assert_allclose(after[5:], vectors[5:])
    np.testing.assert_allclose(after[:5], before[:5])


def test_saving_and_loading_changes_no_output(any_profile, tmp_path):
    encoder = models.build_encoder(any_profile)
    encoder.save(tmp_path / "encoder.keras")
    loaded = keras.saving.load_model(tmp_path / "encoder.keras")
    ids = token_ids(any_profile, any_profile.sequence_length)
    np.testing.assert_array_equal(
        convert_to_numpy(encoder(ids)), convert_to_numpy(loaded(ids))
    )


def test_weights_fit_another_dropout(any_profile):
    pretrained = models.build_encoder(any_profile)
    other = models.build_encoder(any_profile, dropout=0.3)
    other.set_weights(pretrained.get_weights())
    ids = token_ids(any_profile, 10)
    np.testing.assert_allclose(
        convert_to_numpy(pretrained(ids)), convert_to_numpy(other(ids)), atol=1e-5
    )
