"""Tokenises a corpus on a Dask cluster, as notebook 2 does on one machine.

    pip install .[distributed]
    python scripts/tokenize_corpus.py tcp://10.0.0.1:8786 corpus.txt vocabulary.txt rows.bin

Both files, of the texts to train on and of those held out, are identical to what a single
machine makes. Settings that differ from the profile `sample` come last, as in
'{"lowercase": false}'. If a worker dies, Dask gives its work to another one.
"""

import argparse
import sys

from pretrain import json_object

import helpers
from helpers import profiles


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scheduler", help="the address of the cluster's scheduler")
    parser.add_argument("corpus", help="a text file, a folder, or a pattern of paths")
    parser.add_argument("vocabulary", help="a file with one word piece per line")
    parser.add_argument("rows", help="the file to write; held-out texts go beside it")
    parser.add_argument(
        "settings",
        nargs="?",
        default={},
        type=json_object,
        help="settings that differ from the profile `sample`, as a JSON object",
    )
    arguments = parser.parse_args()
    settings = arguments.settings | {"corpus": arguments.corpus}
    try:
        profile = profiles.load_profile(**settings)
    except (TypeError, ValueError) as error:
        parser.error(str(error))
    # Keras is imported only now, because it takes seconds.
    helpers.choose_backend("jax")

    import distributed

    from helpers import corpora, packing, wordpieces

    path = arguments.vocabulary
    try:
        texts = corpora.read_corpus(profile)
        vocabulary = wordpieces.read_vocabulary(path)
        wordpieces.check_folding(vocabulary, path, profile.lowercase, profile.strip_accents)
        with distributed.Client(arguments.scheduler) as client:
            executor = client.get_executor()
            packing.store_rows(texts, vocabulary, profile, arguments.rows, executor)
    except (OSError, ValueError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:  # Ctrl-C
        sys.exit(130)
