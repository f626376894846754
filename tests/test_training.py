import dataclasses

import keras
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from helpers import models, preprocessing, training


def pretrain(profile, rows, vocabulary):
    """The loss of each step."""
    keras.utils.set_random_seed(profile.seed)
    steps = profile.pretraining_steps
    log_frequencies = preprocessing.log_frequencies(rows, vocabulary)
    model = training.pretraining_model(profile, steps, log_frequencies)
    batches = preprocessing.MaskedBatches(rows, profile, vocabulary, steps)
    history = model.fit(
        batches, epochs=steps, steps_per_epoch=1, shuffle=False, verbose=0
    ).history
    return np.array(history["masked_words_loss"])


@pytest.mark.parametrize("encoder", ["rotary", "classic"])
@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
def test_the_same_seed_gives_the_same_loss_twice(
    profile, rows, vocabulary, encoder, optimizer
):
    profile = dataclasses.replace(
        profile, encoder=encoder, optimizer=optimizer, learning_rate=3e-3, dropout=0.1
    )
    first, second = (pretrain(profile, rows, vocabulary) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert np.isfinite(first).all()


def test_pretraining_learns_what_only_reading_tells(profile, vocabulary):
    profile = dataclasses.replace(
        profile, pretraining_steps=200, embedding_rate=1.0, learning_rate=0.01
    )
    # One of fifty tokens fills each row: its neighbours say what is hidden.
    rows = np.repeat(np.random.default_rng(0).integers(5, 55, (640, 1)), 32, axis=1)
    losses = pretrain(profile, rows, vocabulary)
    guessing = -preprocessing.log_frequencies(rows, vocabulary)[rows].mean()
    assert losses[0] < guessing + 0.5
    assert losses[-10:].mean() < guessing - 2


def test_the_loss_and_the_accuracy_are_keras_own():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 50, (4, 7))
    logits = rng.normal(size=(4, 7, 50)).astype("float32")
    logits[0, 0, labels[0, 0]] = 9
    np.testing.assert_allclose(
        training.cross_entropy(labels, logits),
        keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True),
        atol=1e-5,
    )
    np.testing.assert_array_equal(
        training.accuracy(labels, logits),
        keras.metrics.sparse_categorical_accuracy(labels, logits),
    )


def test_the_schedule_rises_and_falls():
    rate = training.learning_rate(1e-3, 100)
    heights = [float(rate(step)) for step in range(100)]
    assert np.argmax(heights) == 5
    assert max(heights) == pytest.approx(1e-3)
    assert heights[0] == 0
    assert heights[-1] < 3e-5
    assert training.learning_rate(1e-3, 100, "constant") == 1e-3


def test_gradients_are_clipped_as_the_profile_says(profile):
    plain = dataclasses.replace(profile, clipnorm=0.0)
    for optimizer in "muon", "adamw":
        asked = dataclasses.replace(profile, optimizer=optimizer, clipnorm=0.5)
        assert training.pretraining_optimizer(asked, 10).global_clipnorm == 0.5
        asked = dataclasses.replace(plain, optimizer=optimizer)
        assert training.pretraining_optimizer(asked, 10).global_clipnorm is None


class Device:
    def __init__(self, platform, compute_capability=None):
        self.platform, self.compute_capability = platform, compute_capability


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="asks JAX for its devices")
@pytest.mark.parametrize(
    ("device", "precision"),
    [
        (Device("cpu"), "float32"),
        (Device("tpu"), "bfloat16"),
        (Device("gpu", "7.5"), "float32"),
        (Device("gpu", "9.0"), "bfloat16"),
    ],
)
def test_bfloat16_is_taken_where_the_device_has_it(profile, monkeypatch, device, precision):
    import jax

    monkeypatch.setattr(jax, "devices", lambda: [device])
    policy = keras.config.dtype_policy()
    try:
        asked = dataclasses.replace(profile, precision="bfloat16")
        assert training.set_precision(asked) == precision
        assert keras.config.dtype_policy().compute_dtype == precision
        assert training.set_precision(profile) == "float32"
    finally:
        keras.config.set_dtype_policy(policy)


@pytest.mark.parametrize("encoder", ["rotary", "classic"])
def test_pretraining_in_bfloat16_follows_float32(profile, rows, vocabulary, encoder):
    profile = dataclasses.replace(profile, encoder=encoder)
    plain = pretrain(profile, rows, vocabulary)
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        short = pretrain(profile, rows, vocabulary)
    finally:
        keras.config.set_dtype_policy(policy)
    # A logarithm of 1,500 words: one part in a hundred, twelve steps in.
    np.testing.assert_allclose(short, plain, atol=0.1)


def sentences(profile):
    """Sentences in which one token decides the label."""
    rng = np.random.default_rng(0)
    labels = np.arange(96) % 2
    ids = rng.integers(10, 200, (96, profile.sentence_length)).astype("int32")
    ids[:, 3] = 5 + labels
    ids[:, 12:] = 0
    return ids, labels


@pytest.mark.parametrize("pretrained", [False, True])
def test_a_classifier_learns_and_repeats_itself(profile, pretrained):
    profile = dataclasses.replace(profile, finetuning_rate=5e-3, scratch_rate=5e-3)
    encoder = models.build_encoder(profile) if pretrained else None
    chances = []
    for _ in range(2):
        model, _ = training.train_classifier(profile, sentences(profile), 0, 15, encoder)
        chances.append(training.class_probabilities(model, sentences(profile)[0]))
    np.testing.assert_array_equal(*chances)
    np.testing.assert_allclose(chances[0].sum(axis=1), 1, atol=1e-5)
    assert (chances[0].argmax(axis=1) == sentences(profile)[1]).mean() > 0.9


def test_without_shuffling_sentences_come_as_they_stand(profile):
    asked = dataclasses.replace(profile, shuffle=False, attend_padding=True)
    ids, labels = sentences(profile)
    batches = training.sentence_batches(asked, ids, labels, 40, seed=0).take(3)
    rows, seen = zip(*batches.as_numpy_iterator(), strict=True)
    np.testing.assert_array_equal(np.concatenate(rows), np.resize(ids, (120, ids.shape[1])))
    np.testing.assert_array_equal(np.concatenate(seen), np.resize(labels, 120))


@pytest.mark.parametrize("classes", [2, 3])
def test_a_head_starts_where_a_logistic_regression_ends(profile, classes):
    ids, _ = sentences(profile)
    labels = np.arange(len(ids)) % classes
    ids[:, 3] = 5 + labels
    classifier = models.build_classifier(models.build_encoder(profile), profile, classes)
    training.start_head(classifier, ids, labels)
    to_vectors = keras.Model(classifier.input, classifier.get_layer("head").input)
    vectors = to_vectors.predict(ids, verbose=0)
    regression = LogisticRegression(C=training.HEAD_STRENGTH, max_iter=1000)
    np.testing.assert_allclose(
        training.class_probabilities(classifier, ids),
        regression.fit(vectors, labels).predict_proba(vectors),
        atol=1e-4,
    )


def test_fine_tuning_leaves_the_pretrained_encoder_alone(profile):
    encoder = models.build_encoder(profile)
    before = encoder.get_weights()
    training.train_classifier(profile, sentences(profile), 0, 1, encoder)
    for one, other in zip(before, encoder.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_sentences_come_in_whole_batches_of_like_length(profile):
    rng = np.random.default_rng(0)
    used = rng.integers(1, 61, 200)
    ids = np.arange(60) < used[:, None]
    ids = ids * np.arange(5, 205, dtype="int32")[:, None]  # one token, repeated
    seen, lengths = [], set()
    for rows, labels in training.sentence_batches(profile, ids, np.arange(200), 8, 0).take(
        100
    ):
        rows, labels = rows.numpy(), labels.numpy()
        assert len(rows) == 8
        assert ((rows > 0).sum(axis=1) == used[labels]).all()
        assert (rows.max(axis=1) == labels + 5).all()
        shorter = [length for length in (0, 24, 48) if length < rows.shape[1]]
        assert (used[labels] > shorter[-1]).all()
        lengths.add(rows.shape[1])
        seen.extend(labels.tolist())
    assert lengths == {24, 48, 60}
    # A hundred batches of eight are four passes: nobody waits for long.
    times = np.bincount(seen, minlength=200)
    assert times.min() >= 2
    assert times.max() <= 6
    again = training.sentence_batches(profile, ids, np.arange(200), 8, 0).take(100)
    assert seen == [label for _, labels in again for label in labels.numpy().tolist()]
