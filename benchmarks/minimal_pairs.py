"""BLiMP and Zorro: which of two sentences, of which one breaks a rule, is more probable?

    python benchmarks/minimal_pairs.py             # the encoders that come along: an hour
    python benchmarks/minimal_pairs.py sample      # and that of notebook 3
    python benchmarks/minimal_pairs.py --pairs 20

BLiMP (Warstadt et al., 2020, https://aclanthology.org/2020.tacl-1.25/) has 67 sets of 1,000
pairs of English sentences, Zorro (Huebner et al., 2021,
https://aclanthology.org/2021.conll-1.49/) 23 sets of 2,000. From each set, some are drawn.

A sentence's score is the sum of the log-probabilities of its tokens, each masked together
with the later pieces of its word (Kauf and Ivanova, 2023,
https://aclanthology.org/2023.acl-short.80/). The control is a 5-gram model of the same text
with interpolated Kneser-Ney smoothing (Chen and Goodman, 1999,
https://doi.org/10.1006/csla.1999.0128). A tie counts as a half. It needs the results of
notebook 2 (and 3, for `sample`). Results are written to minimal_pairs.csv.
"""

import argparse
import json
import time
import zipfile

import common
import numpy as np
import pandas as pd
import scipy.special

import helpers
from helpers import profiles

FIGURES = common.FOLDER / "minimal_pairs.csv"
ORDER = 5
DISCOUNT = 0.75
BATCH = 1024


def read_pairs(count, seed):
    """Drawn pairs: a DataFrame with the columns suite, set, good, bad."""
    from helpers import corpora

    rng = profiles.random_stream(seed, "minimal pairs")
    rows = []

    def draw(suite, name, pairs):
        for number in np.sort(rng.permutation(len(pairs))[:count]):
            rows.append((suite, name, *pairs[number]))

    with zipfile.ZipFile(corpora.fetch("BLiMP.zip")) as archive:
        for path in sorted(archive.namelist()):
            if path.endswith(".jsonl") and "__MACOSX" not in path:
                lines = map(json.loads, archive.read(path).decode().splitlines())
                pairs = [(line["sentence_good"], line["sentence_bad"]) for line in lines]
                draw("BLiMP", path.rpartition("/")[2].removesuffix(".jsonl"), pairs)
    for line in corpora.FILES.read_text("utf-8").splitlines():
        name = line.split()[0]
        if name.startswith("zorro-"):
            lines = corpora.fetch(name).read_text("utf-8").splitlines()
            pairs = list(zip(lines[1::2], lines[::2], strict=True))
            draw("Zorro", name.removeprefix("zorro-").removesuffix(".txt"), pairs)
    return pd.DataFrame(rows, columns=["suite", "set", "good", "bad"])


class KneserNey:
    """An n-gram model of a stream of tokens, interpolated, with one discount.

    N-grams are 64-bit hashes; two of some million are hardly ever the same.
    """

    def __init__(self, stream, size):
        self.size = size
        hashes = list(self.n_grams(stream))
        self.tables = []
        longer = None  # the places of all different n-grams that are longer by a token
        for of_length in reversed(hashes):
            shorter = np.zeros(len(stream) + 1, "uint64")  # the context of a single token
            if len(self.tables) < ORDER - 1:
                shorter = hashes[-2 - len(self.tables)]
            # The longest are counted as they occur, shorter ones by how many different
            # tokens stand before them.
            places = np.arange(len(of_length)) if longer is None else longer + 1
            keys, first, counts = np.unique(
                of_length[places], return_index=True, return_counts=True
            )
            longer = places[first]
            contexts, inverse = np.unique(shorter[longer], return_inverse=True)
            sums = np.bincount(inverse, counts)
            self.tables.insert(0, (keys, counts, contexts, sums, np.bincount(inverse)))

    def n_grams(self, ids):
        """Hashes of the n-grams of each length, by the place where they begin."""
        tokens = np.asarray(ids).astype("uint64") + np.uint64(1)
        hashes = tokens
        yield hashes
        for length in range(2, ORDER + 1):
            hashes = hashes[:-1] * np.uint64(0x9E3779B97F4A7C15) + tokens[length - 1 :]
            yield hashes

    def score(self, ids):
        """The log-probability of all tokens but the first, each given those before it."""
        probability = np.full(len(ids), 1 / self.size)
        context = np.zeros(len(ids), "uint64")
        for length, hashes in enumerate(self.n_grams(ids), start=1):
            keys, counts, contexts, sums, kinds = self.tables[length - 1]
            shorter = probability[length - 1 :]
            context = context[: len(hashes)]
            seen = find(contexts, sums, context)
            kept = np.maximum(find(keys, counts, hashes) - DISCOUNT, 0)
            back = DISCOUNT * find(contexts, kinds, context) * shorter
            backed = (kept + back) / np.maximum(seen, 1)
            probability[length - 1 :] = np.where(seen > 0, backed, shorter)
            context = hashes
        return np.log(probability[1:]).sum()


def find(keys, values, wanted):
    """The value of each wanted key, or 0."""
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, values[place], 0)


def masked_scores(model, sentences, goes_on):
    """The sum of the log-probabilities of each sentence's tokens: float `(sentences,)`.

    Args:
        model: what `models.build_pretraining_model` returns.
        sentences: list of int arrays, with [SEP] at both ends.
        goes_on: bool `(vocabulary,)`, which pieces continue a word.
    """
    import keras

    from helpers.normalization import MASK

    length = max(map(len, sentences))
    rows, places, answers, owners = [], [], [], []
    for owner, ids in enumerate(sentences):
        for place in range(1, len(ids) - 1):
            row = np.zeros(length, "int32")
            row[: len(ids)] = ids
            end = place + 1
            while goes_on[ids[end]]:
                end += 1
            row[place:end] = MASK
            rows.append(row)
            places.append(place)
            answers.append(ids[place])
            owners.append(owner)
    padding = -len(rows) % BATCH  # batches of one size, so that one program is compiled
    rows = np.pad(np.stack(rows), ((0, padding), (0, 0)))
    places = np.pad(np.array(places, "int32"), (0, padding))[:, None]
    scores = []
    for start in range(0, len(rows), BATCH):
        part = slice(start, start + BATCH)
        features = {"token_ids": rows[part], "mask_positions": places[part]}
        logits = keras.ops.convert_to_numpy(model.predict_on_batch(features))[:, 0]
        chosen = np.array(answers[part] + [0] * (BATCH - len(answers[part])))
        log_probs = scipy.special.log_softmax(logits, axis=1)
        scores.append(log_probs[np.arange(BATCH), chosen])
    scores = np.concatenate(scores)[: len(owners)]
    return np.bincount(owners, scores, minlength=len(sentences))


def load_models(asked):
    """The models to ask: pairs of a name and a pretraining model."""
    import keras

    from helpers import models, packing, presets, records

    if asked:
        profile = profiles.load_profile()
        vocabulary, vectors, rows, _ = records.read_preprocessing(profile)
        log_frequencies = packing.log_frequencies(rows, len(vocabulary))
        keras.utils.set_random_seed(profile.seed)
        encoder = models.build_encoder(profile)
        models.start_from_vectors(encoder, vectors)
        model = models.build_pretraining_model(encoder, log_frequencies)
        yield "untrained", model
        records.read_record(profile, 3)
        model.load_weights(records.path(profile, "pretraining.weights.h5"))
        yield "sample", model
    for folder in sorted(presets.ENCODERS.iterdir()):
        model, _ = presets.load(folder)
        yield folder.name, model


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sample", nargs="?", choices=["sample"])
    parser.add_argument("--pairs", type=int, default=100, help="from each set")
    asked = parser.parse_args()
    helpers.choose_backend("jax")

    from helpers import agreement, records, wordpieces
    from helpers.normalization import SEP

    profile = profiles.load_profile()
    vocabulary, _, rows, _ = records.read_preprocessing(profile)
    goes_on = np.array([piece.startswith("##") for piece in vocabulary])
    pairs = read_pairs(asked.pairs, profile.seed)
    sentences = pairs.good.tolist() + pairs.bad.tolist()
    ids = []
    for token_ids in wordpieces.tokenize(sentences, vocabulary, profile):
        ids.append(np.array([SEP, *token_ids, SEP]))

    def judge(name, scores):
        """Adds a column: where the right sentence has the higher score."""
        good, bad = np.split(np.asarray(scores), 2)
        pairs[name] = 100 * agreement.is_right(good - bad, True)

    before = time.perf_counter()
    grams = KneserNey(np.asarray(rows).ravel(), len(vocabulary))
    judge("5-grams", [grams.score(sentence) for sentence in ids])
    del grams
    print(f"5-grams: {time.perf_counter() - before:.0f} s", flush=True)
    for name, model in load_models(asked.sample):
        before = time.perf_counter()
        judge(name, masked_scores(model, ids, goes_on))
        print(f"{name}: {time.perf_counter() - before:.0f} s", flush=True)
    table = pairs.drop(columns=["good", "bad"]).groupby(["suite", "set"]).mean()
    table.round(1).to_csv(FIGURES)
    suites = table.groupby("suite").mean()
    print(suites.round(1).T)
    common.replace_table("Minimal pairs", suites.round(1).T.reset_index(names="model"))


if __name__ == "__main__":
    main()
