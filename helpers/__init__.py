"""Supporting code for the notebooks of the series.

`choose_backend` imports Keras, and so do the modules that need it.
"""

import atexit
import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import warnings

from tqdm import tqdm

# How the names of folders begin where JAX keeps compiled programs
COMPILED = "pretraining-tutorial-compiled-"

# A program that passes its input on to the terminal, unless it ends in a zero.
SHOW_UNLESS_FINISHED = """
import sys

messages = sys.stdin.buffer.read()
if not messages.endswith(b"\\0"):
    sys.stderr.buffer.write(messages)
"""


def begin(name, overrides, drive=False, cpu_devices=None):
    """What every notebook begins with: imports Keras, on JAX unless `KERAS_BACKEND` says
    otherwise.

    Args:
        name: string, the profile's name.
        overrides: dict, settings that replace the profile's.
        drive: bool, whether to keep results on Google Drive, in Colab.
        cpu_devices: int, as how many virtual devices JAX takes the CPU, in notebook 7,
            which needs JAX; by default as one.

    Returns:
        The `Profile`, and whether it is `sample`, of which the text speaks.
    """
    if cpu_devices:
        # JAX reads these when it starts. Devices need threads enough for all of them.
        flags = os.environ.get("XLA_FLAGS", "")
        flags += f" --xla_force_host_platform_device_count={cpu_devices}"
        os.environ |= {"XLA_FLAGS": flags, "KERAS_BACKEND": "jax"}
        os.environ["NPROC"] = str(2 * cpu_devices)
    choose_backend()
    from helpers import profiles, records

    records.keep_on_drive(drive)
    profile = profiles.load_profile(name, **overrides)
    return profile, profiles.is_sample(profile)


def choose_backend(default="jax"):
    """Imports Keras on the backend in `KERAS_BACKEND`, or else on `default` ("jax",
    "tensorflow" or "torch"), and returns the name of the backend."""
    os.environ.setdefault("KERAS_BACKEND", default)
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        # Keras gives JAX a new function for every model. The cache lets JAX reuse identical
        # compiled programs, which saves seconds in each run of a comparison. It is deleted
        # with the process: programs compiled on another machine may not run here.
        _remove_old_folders()
        folder = tempfile.mkdtemp(prefix=COMPILED)
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        os.environ["JAX_COMPILATION_CACHE_DIR"] = folder
        os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
    with _silent_stderr(), warnings.catch_warnings(action="ignore"):
        import keras_hub  # noqa: F401
        import tensorflow as tf

        tf.config.list_physical_devices("GPU")
    import keras

    # Whatever the reader's ~/.keras/keras.json says: a text's tokens come before its width.
    keras.config.set_image_data_format("channels_last")
    backend = keras.backend.backend()
    if backend != "tensorflow":
        # TensorFlow then only prepares batches, and must not claim the GPU's memory.
        tf.config.set_visible_devices([], "GPU")
    return backend


def _remove_old_folders():
    """Removes what processes that were killed have left, once it is a day old."""
    yesterday = time.time() - 24 * 3600
    for folder in pathlib.Path(tempfile.gettempdir()).glob(f"{COMPILED}*"):
        with contextlib.suppress(OSError):  # another process may be removing it
            if folder.stat().st_mtime < yesterday:
                shutil.rmtree(folder)


@contextlib.contextmanager
def _silent_stderr():
    """Hides the messages that TensorFlow's C++ code prints at import; no setting does.

    If the import fails, or ends this process, as on a processor without AVX, another
    process shows them: in the terminal, even of a notebook's kernel.
    """
    saved = os.dup(2)
    # In a kernel, 2 is a pipe back to the kernel; its copy of the terminal survives it.
    terminal = getattr(sys.stderr, "_original_stdstream_copy", None) or saved
    command = [sys.executable, "-S", "-c", SHOW_UNLESS_FINISHED]
    shower = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=terminal)
    os.dup2(shower.stdin.fileno(), 2)
    try:
        yield
        os.write(2, b"\0")
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        shower.communicate()


def progress(**options):
    """A `tqdm.tqdm` progress bar that disappears when closed, so that stored outputs do not
    contain it."""
    return tqdm(file=sys.stdout, leave=False, ncols=80, mininterval=2, delay=2, **options)
