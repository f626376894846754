import collections
import dataclasses
import re
import types

import keras
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from helpers import (
    checkpoints,
    finetuning,
    hardware,
    masking,
    models,
    normalization,
    packing,
    pretraining,
)

on_jax = pytest.mark.skipif(keras.backend.backend() != "jax", reason="is about JAX")


def pretrain(profile, rows):
    """Pretrains, and returns the loss of each step."""
    keras.utils.set_random_seed(profile.seed)
    steps = profile.pretraining_steps
    log_frequencies = packing.log_frequencies(rows, profile.vocabulary_size)
    model = pretraining.pretraining_model(profile, steps, log_frequencies)
    batches = masking.MaskedBatches(rows, profile, steps)
    plan = {"epochs": steps, "steps_per_epoch": 1, "shuffle": False, "verbose": 0}
    return np.array(model.fit(batches, **plan).history["masked_words_cross_entropy"])


@pytest.mark.parametrize("changes", [{}, {"encoder": "classic", "optimizer": "adamw"}])
def test_the_same_seed_gives_the_same_loss_twice(profile, rows, changes):
    profile = dataclasses.replace(profile, dropout=0.1, **changes)
    first, second = (pretrain(profile, rows) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert np.isfinite(first).all()


def test_pretraining_learns_what_only_reading_tells(profile):
    quick = {"pretraining_steps": 200, "embedding_rate": 1.0, "learning_rate": 0.01}
    profile = dataclasses.replace(profile, **quick)
    # Each row repeats one of fifty tokens, so its neighbours reveal a masked token.
    rows = np.repeat(np.random.default_rng(0).integers(5, 55, (640, 1)), 32, axis=1)
    losses = pretrain(profile, rows)
    guessing = -packing.log_frequencies(rows, 1500)[rows].mean()
    assert losses[0] < guessing + 0.5
    assert losses[-10:].mean() < guessing - 2


def test_a_loss_beside_a_baseline_is_the_mean_over_masked_tokens(profile):
    """Of short texts, too, in which many places for masked tokens are empty."""
    rng = np.random.default_rng(0)
    rows = rng.integers(5, profile.vocabulary_size, (64, profile.sequence_length))
    rows[:, 5::6] = normalization.SEP  # texts of five tokens
    rows[::4, 8:] = normalization.PAD
    model = pretraining.pretraining_model(profile, 4, np.zeros(profile.vocabulary_size))
    batches = masking.MaskedBatches(rows, profile, 4)
    measured = model.evaluate(batches, verbose=0, return_dict=True)
    losses, weights = [], []
    for number in range(len(batches)):
        features, labels, weights_of = batches[number]
        logits = model(features)["masked_words"]
        loss = pretraining.cross_entropy(labels["masked_words"], logits)
        losses.append(keras.ops.convert_to_numpy(loss))
        weights.append(weights_of["masked_words"])
    assert np.mean(weights) < 0.85
    exact = np.average(losses, weights=weights)
    assert measured["masked_words_cross_entropy"] == pytest.approx(exact, rel=1e-4)
    # Keras averages over batches, which have nearly equally many masked tokens.
    assert measured["masked_words_loss"] == pytest.approx(exact, rel=0.01)


def test_a_training_that_diverges_stops_before_it_is_saved(profile, rows, tmp_path):
    profile = dataclasses.replace(profile, learning_rate=1000.0)
    model = pretraining.pretraining_model(profile, 30, np.zeros(profile.vocabulary_size))
    saved = checkpoints.Checkpoint(model, tmp_path / "saved.npz", {}, every=0.0)

    def fit():
        plan = {"initial_epoch": saved.restore(), "epochs": 30, "steps_per_epoch": 1}
        plan |= {
            "callbacks": [pretraining.Progress(), saved],
            "verbose": 0,
            "shuffle": False,
        }
        with pytest.raises(
            FloatingPointError, match=r"diverged: .* Lower the learning rate"
        ):
            model.fit(masking.MaskedBatches(rows, profile, 30), **plan)

    fit()
    done = saved.restore()
    assert done < 30
    assert all(np.isfinite(array).all() for array in saved.state())
    # If it has already diverged, training stops within an epoch.
    first = model.trainable_variables[0]
    first.assign(np.full(first.shape, np.nan))
    saved.start = saved.state()
    saved.path.unlink()
    fit()
    assert not saved.path.exists()


@pytest.mark.skipif(
    "cpu" not in str(keras.ops.zeros(1).device).lower(), reason="is about processors"
)
def test_hours_on_a_processor_are_said_and_must_be_wanted(profile):
    assert (
        hardware.say_hours(profile)
        == "On this machine pretraining takes less than an hour."
    )
    slow = dataclasses.replace(profile, pretraining_steps=10**9)
    with pytest.raises(RuntimeError, match=r"takes about \d+ hours\. .* `allow_slow` to"):
        hardware.say_hours(slow)
    said = hardware.say_hours(dataclasses.replace(slow, allow_slow=True))
    assert re.fullmatch(r"On this machine pretraining takes about \d+ hours\.", said)


def test_the_schedule_rises_and_falls():
    rate = pretraining.learning_rate(1e-3, 100)
    heights = [float(rate(step)) for step in (0, 3, 5, 50, 99)]
    assert heights[:3] == pytest.approx([0, 6e-4, 1e-3])
    assert 2e-5 < heights[4] < 3e-5 < heights[3] < 6e-4


@pytest.mark.parametrize("steps", [1, 2, 99, 100, 101, 150, 199, 250, 900, 970, 38_500])
def test_the_plan_has_all_steps_that_were_asked_for(steps):
    epochs, steps_per_epoch, evaluated = pretraining.plan(steps)
    assert 2 <= epochs <= 100
    assert steps <= epochs * steps_per_epoch < max(2, steps) + steps_per_epoch
    # Some ten times, and always with the final weights.
    assert min(epochs, 9) <= len(evaluated) <= 15
    assert evaluated[-1] == epochs
    assert evaluated == sorted({*evaluated})


@pytest.fixture
def compiled():
    """Counts how often JAX compiles each function."""
    jax, counted = pytest.importorskip("jax"), collections.Counter()

    def count(event, seconds, fun_name="", **_):
        counted[fun_name] += event == "/jax/core/compile/backend_compile_duration"

    jax.monitoring.register_event_duration_secs_listener(count)
    yield counted
    jax.monitoring.unregister_event_duration_listener(count)


@on_jax
def test_each_phase_is_compiled_once(profile, rows, tmp_path, compiled):
    frequencies = packing.log_frequencies(rows, profile.vocabulary_size)
    model = pretraining.pretraining_model(profile, 20, frequencies)
    saved = checkpoints.Checkpoint(model, tmp_path / "saved.npz", {}, every=0.0)
    plan = {"initial_epoch": saved.restore(), "epochs": 10, "steps_per_epoch": 2}
    plan |= {"validation_data": masking.MaskedBatches(rows, profile, 3), "verbose": 0}
    options = {"validation_freq": 5, "callbacks": [saved], "shuffle": False}
    model.fit(masking.MaskedBatches(rows, profile, 20), **plan, **options)
    assert (compiled["jit(train_step)"], compiled["jit(test_step)"]) == (1, 1), compiled
    compiled.clear()
    ids, labels = sentences()
    model = finetuning.train_classifier(profile, ids, labels, 0, 3)
    # 96 and 10 sentences: neither fills a batch of 256.
    for some in ids, ids[:10]:
        models.class_probabilities(model, some)
    # Sentences have two lengths; initialising the head uses another model.
    found = compiled["jit(train_step)"], compiled["jit(predict_step)"]
    assert found == (2, 2), compiled


@on_jax
@pytest.mark.parametrize("device", ["cpu", "tpu", "gpu 7.5", "gpu 9.0", "gpu gfx90a"])
def test_bfloat16_is_taken_where_the_device_has_it(profile, monkeypatch, device):
    import jax

    precision = "bfloat16" if device in ("tpu", "gpu 9.0") else "float32"
    platform, _, version = device.partition(" ")
    device = types.SimpleNamespace(platform=platform, compute_capability=version, id=0)
    monkeypatch.setattr(jax, "devices", lambda backend=None: [device])
    asked = dataclasses.replace(profile, precision="bfloat16")
    try:
        assert hardware.use_devices(asked).endswith(f"computing in {precision}")
        assert keras.config.dtype_policy().compute_dtype == precision
        assert hardware.use_devices(profile).endswith("float32")
    finally:
        keras.config.set_dtype_policy("float32")


def sentences(classes=2):
    """Sentences of two lengths, in which one token determines the label."""
    rng = np.random.default_rng(0)
    labels = np.arange(96) % classes
    ids = rng.integers(10, 200, (96, 24)).astype("int32")
    ids[:, 3] = 5 + labels
    ids[:60, 12:] = 0
    return ids, labels


@pytest.mark.parametrize("pretrained", [False, True])
def test_a_classifier_learns_and_repeats_itself(profile, pretrained):
    profile = dataclasses.replace(profile, finetuning_rate=5e-3, scratch_rate=5e-3)
    encoder = models.build_encoder(profile) if pretrained else None
    before = encoder.get_weights() if pretrained else None
    ids, labels = sentences()
    probabilities = []
    for _ in range(2):
        model = finetuning.train_classifier(profile, ids, labels, 0, 30, encoder)
        probabilities.append(models.class_probabilities(model, ids))
    np.testing.assert_array_equal(*probabilities)
    np.testing.assert_allclose(probabilities[0].sum(axis=1), 1, atol=1e-5)
    assert (probabilities[0].argmax(axis=1) == labels).mean() > 0.9
    if pretrained:  # The encoder itself is unchanged.
        np.testing.assert_equal(encoder.get_weights(), before)


def test_a_head_starts_where_a_regression_of_three_classes_ends(profile):
    ids, labels = sentences(classes=3)
    classifier = models.build_classifier(models.build_encoder(profile), 3, dropout=0.1)
    finetuning.start_head(classifier, ids, labels)
    to_vectors = keras.Model(classifier.input, classifier.get_layer("head").input)
    vectors = models.predict(to_vectors, ids)
    regression = LogisticRegression(C=finetuning.HEAD_STRENGTH, max_iter=1000)
    expected = regression.fit(vectors, labels).predict_proba(vectors)
    found = models.class_probabilities(classifier, ids)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_sentences_come_in_whole_batches_of_like_length():
    used = np.random.default_rng(0).integers(1, 61, 200)
    ids = np.arange(60) < used[:, None]
    ids = ids * np.arange(5, 205, dtype="int32")[:, None]  # one token, repeated
    lengths, seen = (24, 48, 60), []

    def batches():
        """A hundred batches, which are four epochs."""
        made = finetuning.sentence_batches(ids, np.arange(200), lengths, 8, seed=0)
        return made.take(100).as_numpy_iterator()

    for rows, labels in batches():
        assert len(rows) == 8
        # Each sentence is whole, in a row of the smallest length that fits the batch.
        assert ((rows > 0).sum(axis=1) == used[labels]).all()
        assert (rows.max(axis=1) == labels + 5).all()
        fits = [length for length in lengths if length >= used[labels].max()]
        assert rows.shape[1] == fits[0]
        seen.extend(labels.tolist())
    # All sentences are drawn about equally often.
    assert {*np.bincount(seen, minlength=200)} <= {2, 3, 4, 5, 6}
    assert seen == [label for _, labels in batches() for label in labels.tolist()]
