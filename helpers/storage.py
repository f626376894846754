"""Files that are written atomically."""

import contextlib
import glob
import os
import pathlib
import time
import uuid

ON_DRIVE = "/content/drive/MyDrive/pretraining-tutorial"

# An unfinished file that nobody has written to for so many seconds was left by a process
# that was killed.
ABANDONED = 3600


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
    return list(path.parent.glob(f"{glob.escape(path.name)}.*.partial"))
