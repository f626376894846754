"""Pretraining: the compiled model, its losses, its plan, and what ends it."""

import dataclasses

import keras
import numpy as np
import pytest

from helpers import checkpoints, masking, normalization, packing, pretraining


def build(profile, rows, steps):
    """The compiled model that notebook 3 would pretrain on these rows."""
    keras.utils.set_random_seed(profile.seed)
    log_frequencies = packing.log_frequencies(rows, profile.vocabulary_size)
    return pretraining.pretraining_model(profile, steps, log_frequencies)


def fit(model, profile, rows, steps):
    """The cross-entropy of each step of a training."""
    batches = masking.MaskedBatches(rows, profile, steps)
    plan = {"epochs": steps, "steps_per_epoch": 1, "shuffle": False, "verbose": 0}
    return np.array(model.fit(batches, **plan).history["cross_entropy"])


def test_the_same_seed_gives_the_same_losses_and_each_phase_is_compiled_once(
    profile, compilations, tmp_path
):
    # Texts of five tokens: many places for masked tokens are empty.
    rng = np.random.default_rng(0)
    rows = rng.integers(5, profile.vocabulary_size, (64, profile.sequence_length))
    rows[:, 5::6] = normalization.SEP
    rows[::4, 8:] = normalization.PAD
    model = build(profile, rows, 4)
    again = build(profile, rows, 4)
    np.testing.assert_equal(again.get_weights(), model.get_weights())
    # Trained again from this state. (test_checkpoints.py does the same with dropout.)
    start = checkpoints.Checkpoint(model, tmp_path / "none.npz", {})
    losses = fit(model, profile, rows, 4)
    assert np.isfinite(losses).all()
    start.restore()
    np.testing.assert_array_equal(fit(model, profile, rows, 4), losses)
    # A loss beside a baseline is the mean over all masked tokens.
    batches = masking.MaskedBatches(rows, profile, 3)
    measured = model.evaluate(batches, verbose=0, return_dict=True)
    losses = []
    counts = []
    for number in range(3):
        model.reset_metrics()
        of_batch = model.test_on_batch(*batches[number], return_dict=True)
        losses.append(of_batch["loss"])
        counts.append(batches[number][2].sum())
    exact = np.average(losses, weights=counts)
    assert measured["cross_entropy"] == pytest.approx(exact, rel=1e-4)
    if keras.backend.backend() == "jax":
        assert compilations["jit(train_step)"] == 1
        assert compilations["jit(test_step)"] == 1


@pytest.mark.slow
def test_a_classic_encoder_learns_what_only_reading_tells(profile):
    changes = {"encoder": "classic", "optimizer": "adamw"}
    changes |= {"vocabulary_size": 60, "sequence_length": 16, "learning_rate": 0.02}
    profile = dataclasses.replace(profile, **changes)
    # Each row repeats one of fifty tokens, so its neighbours reveal a masked token.
    rows = np.repeat(np.random.default_rng(0).integers(5, 55, (640, 1)), 16, axis=1)
    losses = fit(build(profile, rows, 300), profile, rows, 300)
    guessing = np.log(50)
    assert losses[0] < guessing + 0.5
    assert losses[-10:].mean() < guessing - 1


@pytest.mark.parametrize(("start", "saves"), [(0.0, True), (np.nan, False)])
def test_a_training_that_diverges_stops_before_it_is_saved(tmp_path, start, saves):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.layers[0].set_weights([np.full((1, 1), start), np.zeros(1)])
    model.compile(keras.optimizers.SGD(1e9), "mse")
    saved = checkpoints.Checkpoint(model, tmp_path / "saved.npz", {}, every=0.0)
    plan = {"initial_epoch": saved.restore(), "epochs": 30, "verbose": 0}
    plan["callbacks"] = [pretraining.Progress(), saved]
    with pytest.raises(FloatingPointError, match=r"diverged: .* Lower the learning rate"):
        model.fit(np.ones((8, 1)), np.ones((8, 1)), **plan)
    assert (0 < saved.restore() < 30) == saved.path.exists() == saves
    assert np.isfinite(saved.state()[0]).all() == saves


@pytest.mark.parametrize("steps", [1, 2, 99, 101, 150, 970, 38_500])
def test_the_plan_has_all_steps_that_were_asked_for(steps):
    epochs, steps_per_epoch, evaluated = pretraining.plan(steps)
    assert 2 <= epochs <= 100
    assert steps <= epochs * steps_per_epoch < max(2, steps) + steps_per_epoch
    # Some ten times, and always with the final weights.
    assert min(epochs, 9) <= len(evaluated) <= 15
    assert evaluated == sorted(set(evaluated))
    assert evaluated[-1] == epochs
