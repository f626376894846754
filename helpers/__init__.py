"""Supporting code for the notebooks of the series.

`choose_backend` imports Keras, and so do the modules that need it.
"""

import atexit
import contextlib
import os
import pathlib
import shutil
import sys
import tempfile
import warnings

from tqdm import tqdm

ON_DRIVE = "/content/drive/MyDrive/pretraining-tutorial"


def choose_backend(default="jax"):
    """Imports Keras on the backend in `KERAS_BACKEND`, or else on `default` ("jax",
    "tensorflow" or "torch"), and returns the name of the backend."""
    os.environ.setdefault("KERAS_BACKEND", default)
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        # Keras gives JAX a new function for every model. The cache lets JAX reuse identical
        # compiled programs, which saves seconds in each run of a comparison. It is deleted
        # with the process: programs compiled on another machine may not run here.
        folder = tempfile.mkdtemp(prefix="compiled-")
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


@contextlib.contextmanager
def _silent_stderr():
    """Hides the messages that TensorFlow's C++ code prints at import; no setting does."""
    saved = os.dup(2)
    try:
        with open(os.devnull, "w") as devnull:
            os.dup2(devnull.fileno(), 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


@contextlib.contextmanager
def writing(path):
    """Writes a binary file atomically: to a temporary file, which replaces `path` when it
    is complete; on failure the old file is kept. On Google Drive, whose bin would keep the
    old file, that is emptied first."""
    path = pathlib.Path(path)
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    if path.is_relative_to(ON_DRIVE) and path.exists():
        os.truncate(path, 0)
    partial.replace(path)


def progress(**options):
    """A `tqdm.tqdm` progress bar that disappears when closed, so that stored outputs do not
    contain it."""
    return tqdm(file=sys.stdout, leave=False, ncols=80, mininterval=2, delay=2, **options)
