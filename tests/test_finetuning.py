"""Fine-tuning: batches, the head, and a trained classifier."""

import dataclasses
import types

import keras
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from helpers import finetuning, models


def sentences(classes):
    """Sentences of two lengths, in which one token determines the label."""
    labels = np.arange(96) % classes
    ids = np.random.default_rng(0).integers(10, 200, (96, 24)).astype("int32")
    ids[:, 3] = 5 + labels
    ids[:60, 12:] = 0
    return ids, labels


@pytest.mark.parametrize(
    ("devices", "labels", "size"), [(1, 20, 20), (8, 20, 16), (8, 5, 8), (8, 480, 32)]
)
def test_devices_share_a_batch_of_few_labels(monkeypatch, devices, labels, size):
    mesh = types.SimpleNamespace(devices=np.zeros(devices))
    distribution = types.SimpleNamespace(device_mesh=mesh)
    monkeypatch.setattr(keras.distribution, "distribution", lambda: distribution)
    assert finetuning.finetuning_batch_size(labels) == size


def token_vectors(profile):
    """Instead of an encoder, which takes longer to compile: the vector of each token."""
    return keras.Sequential([keras.Input((None,)), keras.layers.Embedding(1500, 8)])


def test_a_classifier_learns_and_repeats_itself(profile, compilations, monkeypatch):
    monkeypatch.setattr(models, "build_encoder", token_vectors)
    changes = {"finetuning_rate": 0.05, "sentence_lengths": (24,)}
    profile = dataclasses.replace(profile, **changes)
    ids, labels = sentences(classes=2)
    encoder = token_vectors(profile)
    before = encoder.get_weights()

    def train(seed, compiled):
        arguments = profile, ids, labels, seed, 30, encoder
        model = finetuning.train_classifier(*arguments, compiled=compiled)
        return model, models.class_probabilities(model, ids)

    model, probabilities = train(0, None)
    models.class_probabilities(model, ids[:10])
    if keras.backend.backend() == "jax":
        # Once each, though 10 and 96 sentences don't fill a batch of 256, either; a model
        # of its own gives the vectors that initialise the head.
        assert compilations["jit(train_step)"] == 1
        assert compilations["jit(predict_step)"] == 2
    assert (probabilities.argmax(axis=1) == labels).mean() > 0.9
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    # The encoder itself is unchanged.
    np.testing.assert_equal(encoder.get_weights(), before)
    # Trained again for another seed and for the first, it is compiled no more.
    count = sum(compilations.values())
    model, others = train(1, model)
    assert (others != probabilities).any()
    _, again = train(0, model)
    np.testing.assert_array_equal(again, probabilities)
    assert sum(compilations.values()) == count


@pytest.mark.parametrize("classes", [2, 3])
def test_a_head_starts_where_a_regression_ends(classes):
    ids, labels = sentences(classes)
    classifier = models.build_classifier(token_vectors(None), classes, dropout=0.1)
    finetuning.start_head(classifier, ids, labels)
    to_vectors = keras.Model(classifier.input, classifier.get_layer("head").input)
    vectors = models.predict(to_vectors, ids)
    regression = LogisticRegression(C=finetuning.HEAD_STRENGTH, max_iter=1000)
    expected = regression.fit(vectors, labels).predict_proba(vectors)
    probabilities = models.class_probabilities(classifier, ids)
    np.testing.assert_allclose(probabilities, expected, atol=1e-4)


def test_sentences_come_in_whole_batches_of_like_length():
    used = np.random.default_rng(0).integers(1, 61, 200)
    ids = np.arange(60) < used[:, None]
    ids = ids * np.arange(5, 205, dtype="int32")[:, None]  # one token, repeated
    lengths = np.array([24, 48, 60])
    drawn = []
    for _ in range(2):
        made = finetuning.sentence_batches(ids, np.arange(200), tuple(lengths), 8, seed=0)
        for rows, labels in made.take(100).as_numpy_iterator():  # four epochs
            # Each sentence is whole, in a row of the smallest length that fits the batch.
            assert len(rows) == 8
            assert ((rows > 0).sum(axis=1) == used[labels]).all()
            assert (rows.max(axis=1) == labels + 5).all()
            assert rows.shape[1] == lengths[lengths >= used[labels].max()][0]
            drawn += labels.tolist()
    assert drawn[:800] == drawn[800:]
    # All sentences are drawn about equally often.
    assert set(np.bincount(drawn[:800], minlength=200)) <= {2, 3, 4, 5, 6}
