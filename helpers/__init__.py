"""The plumbing of the series: what its notebooks need and are not about.

Importing this package is cheap. Keras comes in with `choose_backend`, or with the
modules that need it, so that the backend can still be chosen after `import helpers`.
"""

import atexit
import contextlib
import os
import re
import shutil
import tempfile
import warnings


@contextlib.contextmanager
def _silent_stderr():
    """Drops what C++ code writes to the standard error stream.

    TensorFlow reports at import, on file descriptor 2, that it found no GPU; no
    setting of its own turns that off.
    """
    saved = os.dup(2)
    try:
        with open(os.devnull, "w") as devnull:
            os.dup2(devnull.fileno(), 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


def choose_backend(default="jax"):
    """Imports Keras on `KERAS_BACKEND`, or on `default` where that isn't set.

    Args:
        default: string, "jax", "tensorflow" or "torch".

    Returns:
        The name of the backend in use.
    """
    os.environ.setdefault("KERAS_BACKEND", default)
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        # Keras gives JAX a new function for every model. With this JAX notices that it has
        # compiled the same before, which saves seconds at each run of a comparison. The
        # folder is gone with the process: what another machine compiled may not run here.
        folder = tempfile.mkdtemp(prefix="compiled-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        os.environ["JAX_COMPILATION_CACHE_DIR"] = folder
        os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
    flags = os.environ.get("XLA_FLAGS", "")
    virtual = re.search(r"xla_force_host_platform_device_count=(\d+)", flags)
    if virtual:
        # Each of them may hold a thread while it waits for the others, and XLA makes as
        # many threads as it finds cores. Twice as many as devices has been enough.
        os.environ.setdefault("NPROC", str(2 * int(virtual[1])))
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
