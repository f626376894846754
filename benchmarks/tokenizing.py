"""A corpus of 1 GB, from text files to memory-mapped rows: seconds, tokens/s and memory.

    python benchmarks/tokenizing.py

The corpus is made of the sentences of the reviews, drawn anew into paragraphs, in ten
files. Each row of the table is a process of its own that learns the vocabulary and stores
the rows; its memory is the most that it, or one of its workers, held.
"""

import contextlib
import json
import pathlib
import re
import resource
import subprocess
import sys
import tempfile
import time

import common
import numpy as np
import pandas as pd

BYTES, FILES = 1_000_000_000, 10
# The training part has 103,227,021 words (Merity et al., 2016); on the test part BERT's
# vocabulary gives 1.118 tokens a word, with a [SEP] after each paragraph.
WIKITEXT_TOKENS = 103_227_021 * 1.118
WORKERS = {"this process": 0, "Dask, 2 workers": 2}


def write_corpus(folder):
    """Writes the text files."""
    from helpers import corpora, profiles

    text = " ".join(corpora.read_corpus(profiles.load_profile()))
    sentences = np.array(re.split(r"(?<=[.!?]) +", text), dtype=object)
    rng = np.random.default_rng(0)
    for number in range(FILES):
        left = BYTES // FILES
        with open(folder / f"{number}.txt", "w", encoding="utf-8") as file:
            while left > 0:
                left -= file.write(" ".join(rng.choice(sentences, 6)) + "\n")


def peak():
    """The most memory that this process has held, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def measure(corpus, workers):
    """Prints what one way takes, as JSON."""
    import helpers

    helpers.choose_backend("jax")
    from helpers import corpora, preprocessing, profiles

    profile = profiles.load_profile(corpus=corpus)
    before = time.perf_counter()
    vocabulary = preprocessing.load_vocabulary(profile)
    vocabulary_seconds = time.perf_counter() - before
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        executor = client = None
        if workers:
            from distributed import Client

            client = Client(n_workers=workers, threads_per_worker=1)
            executor = stack.enter_context(client).get_executor()
        before = time.perf_counter()
        texts = corpora.read_corpus(profile)
        rows = preprocessing.store_rows(profile, vocabulary, texts, folder, executor)
        seconds = time.perf_counter() - before
        peaks = [peak(), *(client.run(peak).values() if client else ())]
    result = {
        "vocabulary (s)": vocabulary_seconds,
        "rows (s)": seconds,
        "tokens": rows.shape[0] * rows.shape[1],
        "memory (GiB)": max(peaks),
    }
    print(json.dumps(result))


def main():
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        write_corpus(pathlib.Path(folder))
        for name, workers in WORKERS.items():
            command = [sys.executable, __file__, folder, str(workers)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            rows[name] = json.loads(done.stdout.splitlines()[-1])
            print(name, rows[name], flush=True)
    table = pd.DataFrame(rows).T
    table["tokens/s"] = table.tokens / table["rows (s)"]
    table["minutes for WikiText-103"] = WIKITEXT_TOKENS / table["tokens/s"] / 60
    table.index.name = "made by"
    common.report(
        "tokenizing",
        "Tokenising 1 GB",
        table,
        "Minutes for WikiText-103: an extrapolation, 115 million tokens at this rate.",
        "",
        common.versions("keras-hub", "tensorflow", "tensorflow-text", "distributed"),
    )


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    else:
        measure(sys.argv[1], int(sys.argv[2]))
