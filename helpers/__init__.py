"""Supporting code for the notebooks of the series.

`choose_backend` imports Keras, and so do the modules that need it.
"""

import atexit
import contextlib
import glob
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
import warnings

from tqdm import tqdm

ON_DRIVE = "/content/drive/MyDrive/pretraining-tutorial"

# An unfinished file that nobody has written to for so many seconds was left by a process
# that was killed.
ABANDONED = 3600

# A program that passes its input on to the terminal, unless it ends in a zero.
SHOW_UNLESS_FINISHED = """
import sys

said = sys.stdin.buffer.read()
if not said.endswith(b"\\0"):
    sys.stderr.buffer.write(said)
"""


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


@contextlib.contextmanager
def writing(path):
    """Writes a binary file atomically: to a temporary file, which replaces `path` when it
    is complete; on failure the old file is kept. Two processes may write the same file: the
    last one wins. On Google Drive, whose bin would keep the old file, that is emptied
    first."""
    path = pathlib.Path(path)
    for left in unfinished(path):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime > ABANDONED:
                left.unlink()
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.partial")
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


def unfinished(path):
    """The temporary files that processes which write `path` have now, or have left."""
    path = pathlib.Path(path)
    return [*path.parent.glob(f"{glob.escape(path.name)}.*.partial")]


def progress(**options):
    """A `tqdm.tqdm` progress bar that disappears when closed, so that stored outputs do not
    contain it."""
    return tqdm(file=sys.stdout, leave=False, ncols=80, mininterval=2, delay=2, **options)
