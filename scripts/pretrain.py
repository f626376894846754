"""Runs the pretraining of notebook 3, on one or more devices and hosts.

    python scripts/pretrain.py full '{"seed": 1}'

It needs the results of notebook 2 for that profile. On several hosts, run it on each, with
the same arguments and a shared folder:

    export TUTORIAL_ARTIFACTS=/a/folder/that/all/hosts/see
    export KERAS_DISTRIBUTION_JOB_ADDRESSES=10.0.0.1:12345  # of host 0
    export KERAS_DISTRIBUTION_NUM_PROCESSES=2
    export KERAS_DISTRIBUTION_PROCESS_ID=0  # 1 on the other host

If a host is lost the others stop; restarted, all resume from the last checkpoint. When they
are done, notebook 3 finds the training finished.
"""

import json
import os
import sys

import helpers

helpers.choose_backend("jax")

import jax
import keras
import numpy as np

from helpers import checkpoints, masking, preprocessing, profiles, results, training


def exit_now(kind, error, trace):
    """Exits at once after an error, such as the loss of another host, for which JAX would
    wait minutes in a regular exit."""
    sys.__excepthook__(kind, error, trace)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)


if "KERAS_DISTRIBUTION_NUM_PROCESSES" in os.environ:
    keras.distribution.initialize()
    sys.excepthook = exit_now
host, hosts = jax.process_index(), jax.process_count()


class HostBatches(masking.MaskedBatches):
    """The part of every batch that this host processes."""

    def __getitem__(self, step):
        whole = super().__getitem__(step)
        return tuple(
            {name: np.split(array, hosts)[host] for name, array in part.items()}
            for part in whole
        )


name, overrides = [*sys.argv[1:], "sample", "{}"][:2]
profile = profiles.load_profile(name, **json.loads(overrides))
print(training.use_devices(profile))
print(training.say_hours(profile))
keras.utils.set_random_seed(profile.seed)
vocabulary, vectors, rows, kept = results.read_preprocessing(profile)
log_frequencies = preprocessing.log_frequencies(rows, len(vocabulary))

epochs, steps_per_epoch = training.plan(profile.pretraining_steps)
steps = epochs * steps_per_epoch
model = training.pretraining_model(
    profile, steps, log_frequencies, vectors if profile.word_vectors else None
)
saved = checkpoints.Checkpoint(
    model, results.path(profile, "pretraining.npz"), results.inputs(profile, 3)
)
done = saved.restore()
progress = training.Progress()
# Clears the progress bar before Keras prints its line.
cleared = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: progress.bar.clear())
model.fit(
    HostBatches(rows, profile, steps, first=done * steps_per_epoch),
    initial_epoch=done,
    epochs=epochs,
    steps_per_epoch=steps_per_epoch,
    validation_data=HostBatches(kept, profile, len(kept) // profile.batch_size, salt=1),
    validation_freq=max(1, epochs // 10),
    shuffle=False,
    # Progress stops a diverged training before it is saved. All hosts read the checkpoint,
    # one writes it.
    callbacks=[progress, cleared, saved] if host == 0 else [progress],
    verbose=2 if host == 0 else 0,
)
print(f"{steps:,} steps, {done * steps_per_epoch:,} of them done before")
