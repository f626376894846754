"""Checkpoints, from which an interrupted training resumes."""

import json
import pathlib
import time

import keras
import numpy as np

from helpers import profiles, storage


class Checkpoint(keras.callbacks.Callback):
    """Saves the complete state of a training once a minute, atomically.

    The state is what the next step depends on: weights, optimizer, the seeds of dropout,
    and the number of completed epochs. A resumed training ends with the same weights, bit
    for bit (except on PyTorch, where Keras' dropout has no seed of its own).
    `keras.callbacks.BackupAndRestore` saves neither seeds nor metrics, and accepts a
    checkpoint made with other settings.

    Args:
        model: a compiled `keras.Model`; if there is no checkpoint, `restore` resets it to
            its state now.
        path: a path that ends in .npz.
        settings: a JSON-serialisable dict of all that the training depends on.
        every: float, seconds between two saves. The last epoch is always saved.

    `history` and `seconds` then cover all epochs, as if `fit` had been called once.
    """

    def __init__(self, model, path, settings, every=60.0):
        super().__init__()
        self.set_model(model)
        self.path = pathlib.Path(path)
        self.every = every
        self.settings = json.loads(json.dumps(settings))
        model.optimizer.build(model.trainable_variables)
        self.start = self.state()

    def variables(self):
        """Everything that the next step depends on, the seeds of dropout included."""
        return self.model.variables + self.model.optimizer.variables

    def state(self):
        """Copies of their values: a training step donates (overwrites) its inputs."""
        state = []
        for variable in self.variables():
            state.append(np.array(keras.ops.convert_to_numpy(variable)))
        return state

    def restore(self):
        """Restores the last checkpoint, and returns the `initial_epoch` for `fit`.

        Raises:
            ValueError: the checkpoint has other settings, or is damaged (says `zipfile`).
        """
        state = self.start
        saved = {"epoch": 0, "history": {}, "seconds": 0.0}
        if self.path.exists() and not self.path.stat().st_size:
            # Interrupted between emptying and replacing: see `storage.writing`.
            newest = max(
                storage.unfinished(self.path), key=lambda path: path.stat().st_mtime
            )
            newest.replace(self.path)
        if self.path.exists():
            with np.load(self.path) as file:
                saved = json.loads(str(file["saved"]))
                state = [file[str(number)] for number in range(len(file.files) - 1)]
            if differ := profiles.differences(saved["settings"], self.settings):
                advice = "restore them to resume it, or delete it to start again"
                raise ValueError(f"{self.path} has other settings ({differ}): {advice}.")
        for variable, value in zip(self.variables(), state, strict=True):
            variable.assign(value)
        self.history = saved["history"]
        self.seconds = saved["seconds"]
        return saved["epoch"]

    def save(self, epoch):
        """Saves the state after `epoch` epochs."""
        saved = {
            "epoch": epoch,
            "settings": self.settings,
            "history": self.history,
            "seconds": self.seconds,
        }
        arrays = {}
        for number, array in enumerate(self.state()):
            arrays[str(number)] = array
        with storage.writing(self.path) as file:
            np.savez(file, saved=json.dumps(saved), **arrays)

    def on_train_begin(self, logs=None):
        self.saved = self.measured = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        now = time.perf_counter()
        self.seconds += now - self.measured
        self.measured = now
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(float(value))
        if epoch + 1 == self.params["epochs"] or now - self.saved >= self.every:
            self.save(epoch + 1)
            self.saved = time.perf_counter()
