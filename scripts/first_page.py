"""Asks an encoder the questions of the first page, at several steps of its training.

    python scripts/pretrain.py evening --keep 50 250 1000 2500 5000
    python scripts/first_page.py evening 50 250 1000 2500 5000

Reads the sentences in helpers/page/guesses.json, and writes the guesses beside them: those
of counts of both neighbours, of the untrained encoder, and of the weights that were kept
after these steps. (What the page says about a sentence is written by hand.) Draws some of
them for README.md, as notebooks/guesses.png.
"""

import argparse
import json
import pathlib

import helpers
from helpers import profiles, showing

GUESSES = showing.PAGE / "guesses.json"
COUNT = 5  # guesses for each blank
PICTURE = pathlib.Path(__file__).resolve().parents[1] / "notebooks" / "guesses.png"
DRAWN = "special", "actress", "brothers", "loved it", "fall in", "not bad"


def draw(page):
    """Draws the likeliest guess for some of the sentences, from the third time on."""
    import matplotlib.pyplot as plt

    from helpers import plots

    drawn = []
    for part in DRAWN:
        drawn += [each for each in page["sentences"] if part in each["text"]][:1]
    figure, axis = plt.subplots(figsize=(10, 2.6))
    for row, sentence in enumerate(drawn):
        axis.text(
            -0.6, row, sentence["text"].replace("[MASK]", "___"), ha="right", va="center"
        )
        columns = [sentence["counts"], *sentence["guesses"][2:]]
        for column, ((word, share), *_) in enumerate(columns):
            is_right = word in sentence["right"]
            axis.text(
                column,
                row,
                f"{word} {100 * share:.0f} %",
                ha="center",
                va="center",
                color=plots.MODELS["pretrained"] if is_right else "grey",
                weight="bold" if is_right else "normal",
            )
    heads = ["neighbours", *page["times"][2:]]
    axis.set(xlim=(-0.5, len(heads) - 0.5), ylim=(len(drawn) - 0.5, -0.5))
    axis.set_xticks(range(len(heads)), heads)
    axis.xaxis.tick_top()
    axis.set_yticks([])
    axis.spines[:].set_visible(False)
    axis.axvline(0.5, color="lightgrey", linewidth=1)
    axis.tick_params(length=0)
    figure.savefig(PICTURE, dpi=160)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("profile", choices=profiles.PROFILES)
    parser.add_argument("steps", nargs="+", type=int, help="after which weights were kept")
    asked = parser.parse_args()
    profile = profiles.load_profile(asked.profile)
    helpers.choose_backend("jax")

    import keras
    import numpy as np
    import scipy.sparse
    import scipy.special

    from helpers import counting, models, normalization, packing, records, wordpieces

    try:
        vocabulary, vectors, rows, _ = records.read_preprocessing(profile)
    except RuntimeError as error:
        parser.error(str(error))
    page = json.loads(GUESSES.read_text("utf-8"))
    log_frequencies = packing.log_frequencies(rows, len(vocabulary))
    next_one = scipy.sparse.load_npz(records.path(profile, "next_one.npz"))
    evidence = counting.pair_evidence(next_one, np.exp(log_frequencies))
    keras.utils.set_random_seed(profile.seed)
    encoder = models.build_encoder(profile)
    models.start_from_vectors(encoder, vectors)
    model = models.build_pretraining_model(encoder, log_frequencies)

    def best(scores):
        """The likeliest tokens with their probabilities, rounded."""
        probabilities = scipy.special.softmax(scores)
        guesses = []
        for token_id in np.argsort(-probabilities)[:COUNT]:
            guesses.append([vocabulary[token_id], round(float(probabilities[token_id]), 3)])
        return guesses

    questions = []
    for sentence in page["sentences"]:
        before, after = wordpieces.tokenize(
            sentence["text"].split("[MASK]"), vocabulary, profile
        )
        token_ids = np.array([[*before, normalization.MASK, *after]])
        position = np.array([len(before)])
        questions.append((token_ids, position))
        counted = counting.neighbour_scores(token_ids, position, evidence, log_frequencies)
        sentence["counts"] = best(counted[0])
        sentence["guesses"] = []
    for step in (0, *asked.steps):
        if step:
            path = records.path(profile, f"pretraining-{step}.weights.h5")
            if not path.exists():
                parser.error(f"there is no {path.name}: pretrain with --keep {step}")
            model.load_weights(path)
        for sentence, (token_ids, position) in zip(
            page["sentences"], questions, strict=True
        ):
            features = {"token_ids": token_ids, "mask_positions": position[None]}
            logits = keras.ops.convert_to_numpy(model(features))
            sentence["guesses"].append(best(logits[0, 0]))
    page["steps"] = [0, *asked.steps]
    lines = [json.dumps(sentence, ensure_ascii=False) for sentence in page.pop("sentences")]
    head = json.dumps(page)[1:-1]
    sentences = ",\n".join(lines)  # a line each, so that changes can be read
    GUESSES.write_text(f'{{{head}, "sentences": [\n{sentences}\n]}}\n', "utf-8")
    draw(page | {"sentences": [json.loads(line) for line in lines]})


if __name__ == "__main__":
    main()
