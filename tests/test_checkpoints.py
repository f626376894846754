"""Interrupted trainings resume. (test_scale.py kills the process.)"""

import os
import pathlib

import keras
import numpy as np
import pytest

from helpers import checkpoints, storage


def small(folder, seed=0):
    """A small linear model, and a callback that saves it after every epoch."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dropout(0.5), keras.layers.Dense(1)]
    )
    model.compile("adam", "mse")
    folder.mkdir(exist_ok=True)
    settings = {"seed": seed, "lengths": (1, 2)}
    return model, checkpoints.Checkpoint(model, folder / "saved.npz", settings, every=0.0)


def fit(model, saved, *callbacks, epochs=6):
    """Resumes training, and returns the final weights."""
    x = np.random.default_rng(0).normal(size=(8, 4))
    plan = {"epochs": epochs, "initial_epoch": saved.restore(), "batch_size": 8}
    options = {"callbacks": [saved, *callbacks], "shuffle": False, "verbose": 0}
    model.fit(x, x.sum(axis=1), **plan, **options)
    return model.get_weights()


class Interrupt(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if self.model.optimizer.iterations == 3:
            raise KeyboardInterrupt


@pytest.mark.skipif(
    keras.backend.backend() == "torch", reason="Keras' dropout has no seed of its own there"
)
@pytest.mark.parametrize(("every", "done"), [(0.0, 2), (3600.0, 0)])
def test_an_interrupted_training_goes_on_bit_for_bit(tmp_path, every, done):
    model, saved = small(tmp_path / "whole")
    whole, losses = fit(model, saved), saved.history["loss"]
    model, saved = small(tmp_path / "interrupted")
    saved.every = every
    with pytest.raises(KeyboardInterrupt):
        fit(model, saved, Interrupt())
    # With an hour between saves there is no checkpoint yet, and training restarts.
    assert saved.restore() == done
    for one, other in zip(whole, fit(model, saved), strict=True):
        np.testing.assert_array_equal(one, other)
    assert saved.history["loss"] == losses
    assert saved.seconds > 0


def test_what_is_finished_is_not_trained_again(tmp_path):
    weights = fit(*small(tmp_path))
    model, saved = small(tmp_path)
    assert saved.restore() == 6
    for one, other in zip(weights, fit(model, saved), strict=True):
        np.testing.assert_array_equal(one, other)


def test_other_settings_are_refused(tmp_path):
    fit(*small(tmp_path))
    model, saved = small(tmp_path, seed=1)
    with pytest.raises(ValueError, match=r"\(`seed` was 0 and is 1\): restore them"):
        saved.restore()
    saved.path.unlink()
    fit(model, saved)


def test_saving_that_fails_leaves_the_one_before(tmp_path, monkeypatch):
    fit(*small(tmp_path), epochs=2)

    def full(file, **arrays):
        file.write(b"half")
        raise OSError("No space left on device")

    model, saved = small(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(np, "savez", full)
        with pytest.raises(OSError, match="No space left"):
            fit(model, saved)
    assert [path.name for path in tmp_path.iterdir()] == ["saved.npz"]
    assert saved.restore() == 2


@pytest.mark.parametrize("on_drive", [False, True])
def test_what_is_replaced_is_emptied_on_drive_alone(tmp_path, monkeypatch, on_drive):
    monkeypatch.setattr(storage, "ON_DRIVE", str(tmp_path / ("" if on_drive else "drive")))
    path, in_the_bin = tmp_path / "file", tmp_path / "old"
    path.write_bytes(b"old")
    os.link(path, in_the_bin)
    with storage.writing(path) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert in_the_bin.read_bytes() == (b"" if on_drive else b"old")


def test_two_processes_may_write_the_same_file(tmp_path):
    path = tmp_path / "file"
    left, others = tmp_path / "file.0.partial", tmp_path / "file2.0.partial"
    for partial in left, others:
        partial.touch()
        os.utime(partial, (0, 0))
    with storage.writing(path) as first, storage.writing(path) as second:
        first.write(b"first")
        second.write(b"second")
        assert len(storage.unfinished(path)) == 2  # without what was left hours ago
    assert path.read_bytes() == b"first"
    assert {*tmp_path.iterdir()} == {path, others}


def test_stopped_between_emptying_and_replacing_it_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "ON_DRIVE", str(tmp_path))
    weights = fit(*small(tmp_path), epochs=2)

    def stop(partial, path):
        raise KeyboardInterrupt

    model, saved = small(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(pathlib.Path, "replace", stop)
        saved.restore()
        with pytest.raises(KeyboardInterrupt):
            saved.save(2)
    assert saved.path.read_bytes() == b""
    model, saved = small(tmp_path)
    assert saved.restore() == 2
    np.testing.assert_equal(model.get_weights(), weights)
    assert [path.name for path in tmp_path.iterdir()] == ["saved.npz"]
