"""Seconds and memory of opening a corpus that is stored as token ids, by its size.

    python benchmarks/open_rows.py 500 20

opens 500 million random tokens in texts of 20, and prints how much memory the process takes
at most beyond what it has before. Pages of the file itself, which the system can drop at
any time, don't count. Linux only.
"""

import argparse
import pathlib
import re
import tempfile
import threading
import time

import common
import numpy as np

import helpers

helpers.choose_backend("jax")

from helpers import packing, profiles
from helpers.normalization import SEP, SPECIAL_TOKENS

CHUNK = 1_000_000  # tokens that are written at a time


def megabytes():
    """The memory of this process that isn't backed by a file."""
    status = pathlib.Path("/proc/self/status").read_text()
    return int(re.search(r"RssAnon:\s+(\d+)", status)[1]) / 1024


class Peak(threading.Thread):
    """Watches the memory until `stop` is called, which returns the peak in megabytes."""

    def __init__(self):
        super().__init__()
        self.peak = megabytes()
        self.done = threading.Event()

    def run(self):
        while not self.done.wait(0.02):
            self.peak = max(self.peak, megabytes())

    def stop(self):
        self.done.set()
        self.join()
        return self.peak


def write(path, chunks, length, profile):
    """Writes random texts of the same length."""
    rng = np.random.default_rng(0)
    words = len(SPECIAL_TOKENS), profile.vocabulary_size
    with path.open("wb") as file:
        for _ in range(chunks):
            ids = rng.integers(*words, CHUNK, dtype="uint16")
            ids[length - 1 :: length] = SEP
            file.write(ids.tobytes())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("millions", type=int, help="of tokens")
    parser.add_argument("length", type=int, help="tokens in a text")
    asked = parser.parse_args()
    profile = profiles.load_profile()
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "rows.bin")
        write(path, asked.millions, asked.length, profile)
        peak = Peak()
        before = peak.peak
        peak.start()
        start = time.perf_counter()
        _, _, (texts, _) = packing.open_rows(profile, path)
        seconds = time.perf_counter() - start
        added = peak.stop() - before
    print(f"{texts:,} texts: {seconds:.0f} s, {added:.0f} MB more than before")
    print(common.machine())


if __name__ == "__main__":
    main()
