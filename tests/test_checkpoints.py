"""A training that is interrupted, or killed, and goes on."""

import json
import random
import time
import zipfile

import keras
import numpy as np
import pytest

from conftest import finish, start_python
from helpers import checkpoints


def small(folder, seed=0):
    """A model that learns a line, and what saves it after every epoch."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dropout(0.5), keras.layers.Dense(1)]
    )
    model.compile("adam", "mse")
    folder.mkdir(exist_ok=True)
    settings = {"seed": seed, "lengths": (1, 2)}
    return model, checkpoints.Checkpoint(model, folder / "saved.npz", settings, every=0.0)


def fit(model, saved, *callbacks, epochs=6):
    """The weights after training on from where it was."""
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
    # With an hour between two saves nothing is there yet, and it begins again.
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
    with pytest.raises(ValueError, match=r"\(`seed` was 0 and is 1\): set them back"):
        saved.restore()
    saved.path.unlink()
    fit(model, saved)


def test_a_damaged_one_is_refused(tmp_path):
    model, saved = small(tmp_path)
    fit(model, saved)
    (kernel, _), content = model.get_weights(), saved.path.read_bytes()
    assert kernel.tobytes() in content
    saved.path.write_bytes(content.replace(kernel.tobytes(), (-kernel).tobytes()))
    with pytest.raises(zipfile.BadZipFile, match="CRC"):
        saved.restore()


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


# Trains, saves after every epoch, and says what it came to.
PROGRAM = """
import helpers
helpers.choose_backend("jax")
import hashlib, json, sys
import keras, numpy as np
from helpers import checkpoints, masking, preprocessing, profiles, training

path, settings = sys.argv[1], json.loads(sys.argv[2])
profile = profiles.load_profile(**settings)
keras.utils.set_random_seed(profile.seed)
rows = np.random.default_rng(0).integers(5, 4000, (4000, 32), dtype="int32")
frequencies = preprocessing.log_frequencies(rows, profile.vocabulary_size)
epochs, steps = training.plan(profile.pretraining_steps)
model = training.pretraining_model(profile, epochs * steps, frequencies)
saved = checkpoints.Checkpoint(model, path, settings, every=0.0)
done = saved.restore()
print("going on after", done, flush=True)
model.fit(
    masking.MaskedBatches(rows, profile, epochs * steps, first=steps * done),
    initial_epoch=done, epochs=epochs, steps_per_epoch=steps, shuffle=False,
    callbacks=[saved], verbose=0,
)
weights = b"".join(map(bytes, model.get_weights()))
print(hashlib.sha256(weights).hexdigest(), saved.history["loss"])
"""

SETTINGS = {
    "vocabulary_size": 4000,
    "hidden_dim": 64,
    "intermediate_dim": 128,
    "batch_size": 8,
    "pretraining_steps": 1200,
    "dropout": 0.1,
}


@pytest.mark.slow
def test_killed_three_times_it_ends_with_the_same_weights(tmp_path):
    def start(path):
        return start_python("-c", PROGRAM, path, json.dumps(SETTINGS))

    whole = finish(start(tmp_path / "whole.npz")).splitlines()[-1]
    saved = tmp_path / "killed.npz"
    partial, writing, rng = saved.with_name("killed.npz.partial"), 0, random.Random(0)
    for number in range(6):
        process = start(saved)
        for line in process.stdout:
            if line.startswith("going on after"):
                break
        if number % 2:
            time.sleep(rng.uniform(0.5, 3))
        else:
            # As soon as something is being written.
            until = time.monotonic() + 60
            while not partial.exists() and process.poll() is None:
                assert time.monotonic() < until
                time.sleep(0.0002)
        process.kill()
        process.communicate()
        writing += partial.exists()
        if writing and number >= 2:
            break
    assert writing
    *_, going_on, last = finish(start(saved)).splitlines()
    assert 0 < int(going_on.split()[-1]) < 100
    # Bit for bit, and every loss was kept.
    assert last == whole
    assert {path.name for path in tmp_path.iterdir()} == {"whole.npz", "killed.npz"}
