"""Saves a training as it goes on, so that it can be killed at any moment."""

import json
import pathlib
import time

import keras
import numpy as np

import helpers
from helpers import profiles


class Checkpoint(keras.callbacks.Callback):
    """Saves the whole state of a training once a minute, in a file that is always whole.

    The state is what the next step depends on: weights, optimizer, the seeds of dropout,
    and how many of `fit`'s epochs are done. A training that goes on from it ends with the
    same weights, bit for bit (but on PyTorch, where Keras' dropout has no seed of its own).
    `keras.callbacks.BackupAndRestore` leaves out the seeds and what was measured, and takes
    what was saved with other settings.

    Args:
        model: a compiled `keras.Model`; where nothing was saved, `restore` puts it back to
            its state now.
        path: a path that ends in .npz.
        settings: dict of what JSON can hold: all that the training depends on.
        every: float, seconds between two saves. The last epoch is saved in any case.

    Afterwards `history` and `seconds` are of all epochs, as one `fit` would have had them.
    """

    def __init__(self, model, path, settings, every=60.0):
        super().__init__()
        self.set_model(model)
        self.path, self.every = pathlib.Path(path), every
        self.settings = json.loads(json.dumps(settings))
        model.optimizer.build(model.trainable_variables)
        self.start = self.state()

    def variables(self):
        """All that the next step depends on; among the model's are seeds of dropout."""
        return [*self.model.variables, *self.model.optimizer.variables]

    def state(self):
        """Their values, copied: what is trained on is given up to the next step."""
        return [np.array(keras.ops.convert_to_numpy(each)) for each in self.variables()]

    def restore(self):
        """Puts the model where the last save left it: the `initial_epoch` of `fit`.

        Raises:
            ValueError: what was saved is of other settings, or damaged (`zipfile` notices).
        """
        state, saved = self.start, {"epoch": 0, "history": {}, "seconds": 0.0}
        if self.path.exists() and not self.path.stat().st_size:
            # Stopped between emptying and replacing: see `helpers.writing`.
            self.path.with_name(self.path.name + ".partial").replace(self.path)
        if self.path.exists():
            with np.load(self.path) as file:
                saved = json.loads(str(file["saved"]))
                state = [file[str(number)] for number in range(len(file.files) - 1)]
            if differ := profiles.differences(saved["settings"], self.settings):
                advice = "set them back to go on with it, or remove it to begin again"
                raise ValueError(f"{self.path} is of other settings ({differ}): {advice}.")
        for variable, value in zip(self.variables(), state, strict=True):
            variable.assign(value)
        self.history, self.seconds = saved["history"], saved["seconds"]
        return saved["epoch"]

    def save(self, epoch):
        """Saves the state after so many epochs."""
        names = "settings", "history", "seconds"
        saved = {"epoch": epoch, **{name: getattr(self, name) for name in names}}
        arrays = {str(number): array for number, array in enumerate(self.state())}
        with helpers.writing(self.path) as file:
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
