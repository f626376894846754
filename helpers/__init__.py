"""The plumbing of the series: what its notebooks need and are not about.

Keras comes in with `choose_backend`, or with the modules that need it.
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
    """Imports Keras on `KERAS_BACKEND`, or on `default` ("jax", "tensorflow" or "torch")
    where that isn't set: the name of the backend in use."""
    os.environ.setdefault("KERAS_BACKEND", default)
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        # Keras gives JAX a new function for every model. With this JAX notices that it has
        # compiled the same before, which saves seconds at each run of a comparison. The
        # folder is gone with the process: what another machine compiled may not run here.
        folder = tempfile.mkdtemp(prefix="compiled-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        os.environ["JAX_COMPILATION_CACHE_DIR"] = folder
        os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
    with _silent_stderr(), warnings.catch_warnings(action="ignore"):
        import keras_hub  # noqa: F401
        import tensorflow as tf

        tf.config.list_physical_devices("GPU")
    import keras

    backend = keras.backend.backend()
    if backend != "tensorflow":
        # TensorFlow then only prepares batches, and would take the GPU's memory.
        tf.config.set_visible_devices([], "GPU")
    return backend


@contextlib.contextmanager
def _silent_stderr():
    """Drops what TensorFlow's C++ code writes at import; no setting of its own does."""
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
    """Opens a file for bytes beside its place, and moves it there when it is whole; if that
    fails, what was there before is kept. On Google Drive, whose bin keeps what is replaced,
    that is emptied first."""
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
    """A `tqdm.tqdm` in one line that is gone when it is closed: what is printed next takes
    its place in the stored outputs."""
    return tqdm(file=sys.stdout, leave=False, ncols=80, mininterval=2, delay=2, **options)
