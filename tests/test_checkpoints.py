"""Interrupted trainings resume. (test_scale.py kills the process.)"""

import keras
import numpy as np
import pytest

from helpers import checkpoints


def small(folder, seed=0):
    """A small linear model, and a callback that saves it after every epoch."""
    keras.utils.set_random_seed(0)
    layers = [keras.Input((4,)), keras.layers.Dropout(0.5), keras.layers.Dense(1)]
    model = keras.Sequential(layers)
    model.compile("adam", "mse")
    folder.mkdir(exist_ok=True)
    settings = {"seed": seed, "lengths": (1, 2)}
    return model, checkpoints.Checkpoint(model, folder / "saved.npz", settings, every=0)


def fit(model, saved, *callbacks):
    """Resumes training for six epochs of a step, and returns the final weights."""
    x = np.random.default_rng(0).normal(size=(8, 4))
    plan = {"epochs": 6, "initial_epoch": saved.restore(), "shuffle": False, "verbose": 0}
    model.fit(x, x.sum(axis=1), callbacks=[saved, *callbacks], **plan)
    return model.get_weights()


class Interrupt(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if self.model.optimizer.iterations == 3:
            raise KeyboardInterrupt


@pytest.mark.skipif(
    keras.backend.backend() == "torch", reason="Keras' dropout has no seed of its own there"
)
@pytest.mark.parametrize(("every", "done"), [(0, 2), (3600, 0)])
def test_an_interrupted_training_goes_on_bit_for_bit(tmp_path, every, done):
    model, whole = small(tmp_path / "whole")
    weights = fit(model, whole)
    model, saved = small(tmp_path / "interrupted")
    saved.every = every
    with pytest.raises(KeyboardInterrupt):
        fit(model, saved, Interrupt())
    # With an hour between saves there is no checkpoint yet, and training restarts.
    assert saved.restore() == done
    np.testing.assert_equal(fit(model, saved), weights)
    assert saved.history["loss"] == whole.history["loss"]
    assert saved.seconds > 0
    # What is finished is not trained again.
    model, saved = small(tmp_path / "interrupted")
    assert saved.restore() == 6
    np.testing.assert_equal(fit(model, saved), weights)


def test_a_checkpoint_survives_an_interruption_but_is_refused_with_other_settings(tmp_path):
    _, saved = small(tmp_path)
    saved.restore()
    saved.save(3)
    # Stopped between emptying and replacing it, as `storage.writing` does on Google Drive
    saved.path.rename(f"{saved.path}.0.partial")
    saved.path.touch()
    assert saved.restore() == 3
    assert list(tmp_path.iterdir()) == [saved.path]
    _, saved = small(tmp_path, seed=1)
    with pytest.raises(ValueError, match=r"\(`seed` was 0 and is 1\): restore them"):
        saved.restore()
