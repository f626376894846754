"""Tokenises a corpus on a Dask cluster, as notebook 2 does on one machine.

    pip install .[distributed]
    python scripts/tokenize_corpus.py tcp://10.0.0.1:8786 corpus.txt vocabulary.txt rows.bin

The file is identical to the one that a single machine makes. Settings that differ from the
profile `sample` come last, as in '{"lowercase": false}'. If a worker dies, Dask gives its
work to another one.
"""

import json
import pathlib
import sys

import distributed

import helpers

helpers.choose_backend("jax")

from helpers import corpora, preprocessing, profiles

if __name__ == "__main__":
    scheduler, corpus, vocabulary, rows, overrides = [*sys.argv[1:], "{}"][:5]
    profile = profiles.load_profile(**json.loads(overrides) | {"corpus": corpus})
    texts = corpora.read_corpus(profile)
    pieces = pathlib.Path(vocabulary).read_text("utf-8").split("\n")
    with distributed.Client(scheduler) as client:
        preprocessing.store_rows(texts, pieces, profile, rows, client.get_executor())
