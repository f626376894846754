"""Runs the pretraining of notebook 3, on one or more devices and hosts.

    python scripts/pretrain.py full '{"seed": 1}'

It needs the results of notebook 2 for that profile. On several hosts, run it on each, with
the same arguments and a shared folder:

    export TUTORIAL_ARTIFACTS=/a/folder/that/all/hosts/see
    export KERAS_DISTRIBUTION_JOB_ADDRESSES=10.0.0.1:12345  # of host 0
    export KERAS_DISTRIBUTION_NUM_PROCESSES=2
    export KERAS_DISTRIBUTION_PROCESS_ID=0  # 1 on the other host

With `--keep 100 1000`, the weights after these steps, or a few more, are kept, and those
at the end, to watch what is learnt when (`scripts/share.py` makes presets of them).

If a host is lost the others stop; restarted, all resume from the last checkpoint. When they
are done, notebook 3 finds the training finished.
"""

import argparse
import contextlib
import json
import os
import sys

import helpers
from helpers import profiles

SEVERAL_HOSTS = "KERAS_DISTRIBUTION_NUM_PROCESSES" in os.environ


def json_object(text):
    """Settings from the command line: a dict."""
    try:
        settings = json.loads(text)
    except json.JSONDecodeError as error:
        raise argparse.ArgumentTypeError(
            f"{text} is no JSON ({error}): write it as in '{{\"seed\": 1}}'"
        ) from error
    if not isinstance(settings, dict):
        raise argparse.ArgumentTypeError(
            f"{text} has no names of settings: write it as in '{{\"seed\": 1}}'"
        )
    return settings


def read_command_line():
    """The profile that is asked for, and the steps after which weights are kept; with an
    error, the program ends."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "profile",
        nargs="?",
        default="sample",
        help=f"{', '.join(profiles.PROFILES)} (default: %(default)s)",
    )
    parser.add_argument(
        "settings",
        nargs="?",
        default={},
        type=json_object,
        help="settings that differ from the profile's, as a JSON object",
    )
    parser.add_argument(
        "--keep", nargs="+", type=int, default=[], help="steps after which weights are kept"
    )
    arguments = parser.parse_args()
    try:
        profile = profiles.load_profile(arguments.profile, **arguments.settings)
        return profile, arguments.keep
    except (TypeError, ValueError) as error:
        parser.error(str(error))


def leave(status):
    """Exits; with several hosts at once, because JAX would wait minutes for the others."""
    sys.stdout.flush()
    sys.stderr.flush()
    if SEVERAL_HOSTS:
        os._exit(status)
    sys.exit(status)


def show_and_leave(kind, error, trace):
    """Handles an unexpected error on several hosts, such as the loss of another one."""
    sys.__excepthook__(kind, error, trace)
    leave(1)


@contextlib.contextmanager
def explaining(*kinds):
    """Ends the program with what errors of some kinds say, and without their traceback."""
    try:
        yield
    except kinds as error:
        print(error, file=sys.stderr)
        leave(1)


def main():
    """Trains, and returns the model."""
    profile, kept_steps = read_command_line()
    # Keras is imported only now, because it takes seconds.
    helpers.choose_backend("jax")

    import jax
    import keras
    import numpy as np

    from helpers import checkpoints, hardware, masking, packing, pretraining, records

    if SEVERAL_HOSTS:
        sys.excepthook = show_and_leave
        keras.distribution.initialize()
    host = jax.process_index()
    hosts = jax.process_count()

    class HostBatches(masking.MaskedBatches):
        """The part of every batch that this host processes."""

        def __getitem__(self, step):
            batch = super().__getitem__(step)
            return jax.tree.map(lambda array: np.split(array, hosts)[host], batch)

    with explaining(RuntimeError, ValueError):
        vocabulary, vectors, rows, validation_rows = records.read_preprocessing(profile)
        print(hardware.use_devices(profile))
        print(hardware.say_hours(profile))
    keras.utils.set_random_seed(profile.seed)
    log_frequencies = packing.log_frequencies(rows, len(vocabulary))

    epochs, steps_per_epoch, evaluated = pretraining.plan(profile.pretraining_steps)
    steps = epochs * steps_per_epoch
    model = pretraining.pretraining_model(
        profile, steps, log_frequencies, vectors if profile.word_vectors else None
    )
    saved = checkpoints.Checkpoint(
        model, records.path(profile, "pretraining.npz"), records.inputs(profile, 3)
    )
    with explaining(ValueError):
        done = saved.restore()
    weights_alone = keras.Model(model.input, model.output)  # without the optimizer's state

    def keep_weights(step):
        """Saves the weights after this step beside the others."""
        path = records.path(profile, f"pretraining-{step}.weights.h5")
        weights_alone.save_weights(path)
        print(f"kept the weights after {step:,} steps")

    def keep_if_asked(epoch, logs):
        """Keeps the weights if a step of `--keep` was in this epoch."""
        last = (epoch + 1) * steps_per_epoch
        if any(last - steps_per_epoch < step <= last for step in kept_steps):
            keep_weights(last)

    progress = pretraining.Progress()
    keeping = keras.callbacks.LambdaCallback(on_epoch_end=keep_if_asked)
    # Clears the progress bar before Keras prints its line.
    cleared = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: progress.bar.clear())
    with explaining(FloatingPointError):
        model.fit(
            HostBatches(
                rows,
                profile,
                steps,
                first=done * steps_per_epoch,
                focus=masking.focus_ids(vocabulary, profile),
            ),
            initial_epoch=done,
            epochs=epochs,
            steps_per_epoch=steps_per_epoch,
            validation_data=HostBatches(
                validation_rows, profile, len(validation_rows) // profile.batch_size, salt=1
            ),
            validation_freq=evaluated,
            shuffle=False,
            # Progress stops a diverged training before it is saved. All hosts read the
            # checkpoint, one writes it.
            callbacks=[progress, cleared, saved, keeping] if host == 0 else [progress],
            verbose=2 if host == 0 else 0,
        )
    if kept_steps and host == 0:
        keep_weights(steps)
    print(f"{steps:,} steps, {done * steps_per_epoch:,} of them done before")
    return model


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:  # Ctrl-C
        leave(130)
