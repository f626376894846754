"""Saves a training as it goes on, so that it can be killed at any moment."""

import json
import os
import pathlib
import shutil
import tempfile
import time
import zlib

import keras
import numpy as np
import pooch

from helpers import devices, profiles

# Saving may take this share of the time.
SHARE = 0.01

# Until a state is whole it lies in a folder of this name.
_PARTIAL = ".partial-"


class CheckpointError(RuntimeError):
    """A checkpoint that can't be written."""


class OtherCheckpointError(CheckpointError):
    """A checkpoint of a training with other settings."""


class Checkpoints(keras.callbacks.Callback):
    """Saves the whole state of a training every minute, and goes on from it.

    The state is what the next step depends on: weights, optimizer, the seeds of dropout,
    and how many of `fit`'s epochs are done, which tells the place in the data; and what
    was measured so far. `keras.callbacks.BackupAndRestore` leaves out the seeds and what
    was measured, saves into the place of what it saved before, and takes a checkpoint of
    whatever settings.

    A state is written beside its place and then moved, under a name with its SHA-256. So a
    state is whole, or is known not to be. The last two are kept.

    Args:
        model: a compiled `keras.Model`. Its state at this moment is where `restore` begins
            if nothing was saved.
        folder: a path, of a folder that holds nothing else; on several hosts all see it.
            None: nothing is saved.
        about: dict of what JSON can hold: all that the training depends on.
        every: float, seconds between two saves; more where saving would take over 1 % of
            the time. The last epoch is saved in any case.

    Attributes:
        epoch: int, `fit`'s epochs that are done.
        history: dict of a metric to a list of floats, as `fit` returns it, of all of them.
        seconds: float, what they took.

    Example:

    ```python
    saved = Checkpoints(model, "checkpoints", {"seed": 0})
    model.fit(data, initial_epoch=saved.restore(), epochs=10, callbacks=[saved])
    ```
    """

    def __init__(self, model, folder, about, every=60.0):
        super().__init__()
        self.set_model(model)
        self.folder, self.every = folder and pathlib.Path(folder), every
        self.about = json.loads(json.dumps(about))
        if not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        self._start = self._state()
        self._begin(0, {}, 0.0)

    def _begin(self, epoch, history, seconds):
        self.epoch, self.history, self.seconds = epoch, history, seconds
        self._cost = 0.0
        self._saved = self._measured = time.perf_counter()

    def _variables(self):
        # Among those that aren't trained are the seeds of dropout.
        return [
            *self.model.trainable_variables,
            *self.model.non_trainable_variables,
            *self.model.optimizer.variables,
        ]

    def _state(self):
        # Copied, because what is trained on is given up to the next step.
        return [
            np.array(keras.ops.convert_to_numpy(variable)) for variable in self._variables()
        ]

    def _set_state(self, state):
        for variable, value in zip(self._variables(), state, strict=True):
            variable.assign(value)

    def _paths(self):
        """The saved states, the oldest first."""
        return sorted(self.folder.glob("*.npz")) if self.folder else []

    def restore(self):
        """Puts the model where the last save left it, or where it began.

        Returns:
            The number of `fit`'s epochs that are done: its `initial_epoch`.

        Raises:
            OtherCheckpointError: what was saved is of other settings.
        """
        writes = devices.part()[0] == 0
        if self.folder and writes:
            # What a killed process was writing.
            for partial in self.folder.glob(f"{_PARTIAL}*"):
                shutil.rmtree(partial)
        for path in reversed(self._paths()):
            if pooch.file_hash(str(path))[:16] != path.stem.partition("-")[2]:
                print(f"{path.name} is damaged; the one before it is taken.")
                if writes:
                    path.unlink()
                continue
            with np.load(path) as file:
                saved = json.loads(str(file["saved"]))
                state = [file[str(number)] for number in range(len(file.files) - 1)]
            if saved["about"] != self.about:
                raise OtherCheckpointError(
                    f"What is saved in {self.folder} is of other settings "
                    f"({profiles.differences(saved['about'], self.about)}): set them back "
                    "to go on with it, or remove that folder to begin again."
                )
            self._set_state(state)
            self._begin(saved["epoch"], saved["history"], saved["seconds"])
            return self.epoch
        self._set_state(self._start)
        self._begin(0, {}, 0.0)
        return 0

    def save(self):
        """Saves the state.

        Raises:
            CheckpointError: there is no room, or no permission; what was saved before is
                left as it is.
        """
        if not self.folder or devices.part()[0] > 0:
            return
        before = time.perf_counter()
        saved = {
            "about": self.about,
            "epoch": self.epoch,
            "history": self.history,
            "seconds": self.seconds,
        }
        arrays = {str(number): value for number, value in enumerate(self._state())}
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self.folder, prefix=_PARTIAL) as own:
                partial = pathlib.Path(own, "state.npz")
                with partial.open("wb") as file:
                    np.savez(file, saved=json.dumps(saved), **arrays)
                    file.flush()
                    os.fsync(file.fileno())
                name = f"{self.epoch:06}-{pooch.file_hash(str(partial))[:16]}.npz"
                partial.replace(self.folder / name)
        except OSError as error:
            raise CheckpointError(
                f"The state after epoch {self.epoch} can't be saved in {self.folder} "
                f"({error.strerror}): make room there and run this again; it goes on from "
                "what was saved before."
            ) from error
        for path in self._paths()[:-2]:
            path.unlink()
        self._saved = time.perf_counter()
        self._cost = self._saved - before

    def on_train_begin(self, logs=None):
        steps, epochs = self.params["steps"], self.params["epochs"]
        if self.epoch:
            print(f"going on after {self.epoch * steps:,} of {epochs * steps:,} steps")
        self._saved = self._measured = time.perf_counter()

    def on_train_batch_begin(self, batch, logs=None):
        if batch == 0 and keras.backend.backend() == "torch":
            # Keras' dropout has no seed of its own there: it takes its numbers from a
            # generator that all share, and each data loader that is made turns it on.
            import torch

            torch.manual_seed(zlib.crc32(json.dumps([self.about, self.epoch]).encode()))

    def on_epoch_end(self, epoch, logs=None):
        now = time.perf_counter()
        self.seconds += now - self._measured
        self._measured = now
        self.epoch = epoch + 1
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(float(value))
        due = now - self._saved >= max(self.every, self._cost / SHARE)
        if due or self.epoch == self.params["epochs"]:
            self.save()
