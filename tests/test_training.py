import collections
import dataclasses

import keras
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from helpers import checkpoints, models, preprocessing, training


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


class Compilations:
    """Counts what JAX compiles, by the name of the function."""

    def __enter__(self):
        import jax

        self.counted = collections.Counter()
        jax.monitoring.register_event_duration_secs_listener(self.count)
        return self.counted

    def count(self, event, seconds, fun_name="", **_):
        if event == "/jax/core/compile/backend_compile_duration":
            self.counted[fun_name] += 1

    def __exit__(self, *_):
        import jax

        jax.monitoring.unregister_event_duration_listener(self.count)


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="counts JAX's compilations")
@pytest.mark.parametrize("like_lengths", [False, True])
def test_each_phase_is_compiled_once(profile, rows, vocabulary, like_lengths, tmp_path):
    with Compilations() as counted:
        model = training.pretraining_model(
            profile, 20, preprocessing.log_frequencies(rows, vocabulary)
        )
        saved = checkpoints.Checkpoints(model, tmp_path, {}, every=0.0)
        model.fit(
            preprocessing.MaskedBatches(rows, profile, vocabulary, 20),
            epochs=10,
            steps_per_epoch=2,
            validation_data=preprocessing.MaskedBatches(rows, profile, vocabulary, 3),
            validation_freq=5,
            shuffle=False,
            callbacks=[saved],
            verbose=0,
        )
    assert (counted["jit(train_step)"], counted["jit(test_step)"]) == (1, 1), counted
    profile = dataclasses.replace(
        profile, like_lengths=like_lengths, sentence_length=40, finetuning_batch_size=8
    )
    ids, labels = sentences(profile)
    ids[:40, 12:40] = 9
    with Compilations() as counted:
        model, _ = training.train_classifier(profile, (ids, labels), 0, 3)
        # 96 sentences and 10: neither are whole batches of 256.
        training.class_probabilities(model, ids)
        training.class_probabilities(model, ids[:10])
    # The start of the head predicts with a model of its own.
    expected = (2 if like_lengths else 1), 2
    assert (counted["jit(train_step)"], counted["jit(predict_step)"]) == expected, counted


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


def test_where_lengths_are_not_alike_there_is_one(profile):
    asked = dataclasses.replace(profile, like_lengths=False)
    ids, labels = sentences(profile)
    ids = np.pad(ids, [(0, 0), (0, 60)])
    batches = training.sentence_batches(asked, ids, labels, 40, seed=0).take(5)
    assert {rows.shape for rows, _ in batches} == {(40, ids.shape[1])}


def test_skipped_batches_are_those_that_came_before(profile):
    ids, labels = sentences(profile)
    batches = training.sentence_batches(profile, ids, labels, 8, seed=0)
    before = [rows.numpy() for rows, _ in batches.take(40)]
    after = [rows.numpy() for rows, _ in batches.skip(25).take(15)]
    np.testing.assert_array_equal(before[25:], after)
    # Each pass in an order of its own.
    assert (before[0] != before[12]).any()


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
