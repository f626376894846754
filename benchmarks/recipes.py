"""One change of the recipe at a time, judged by masked words and by agreement.

    python benchmarks/recipes.py                        # all; some three minutes each
    python benchmarks/recipes.py sample "no focus" --seeds 0 1 2

Each is pretrained as notebook 3 does, for the steps of the profile `sample`, with one
setting changed, and is asked what notebook 4 asks. Results in recipes.csv are not computed
again. The table is that of benchmarks/README.md.
"""

import argparse
import json
import os
import time

import common
import numpy as np
import pandas as pd

import helpers
from helpers import profiles

FIGURES = common.FOLDER / "recipes.csv"
ARTIFACTS = common.REPOSITORY / "artifacts" / "recipes"

SHUFFLED = "words shuffled"
RECIPES = {
    "sample": {},
    "no focus": {"focus": []},
    "random vectors": {"word_vectors": False},
    "AdamW": {"optimizer": "adamw", "learning_rate": 3e-3},
    "classic block": {"encoder": "classic"},
    "one block": {"num_layers": 1},
    "three blocks": {"num_layers": 3},
    "masking 30 %": {"mask_rate": 0.3},
    "16,000 pieces": {"vocabulary_size": 16_000},
    SHUFFLED: {},
    "the Keras guide's": {
        "focus": [],
        "word_vectors": False,
        "encoder": "classic",
        "optimizer": "adamw",
        "learning_rate": 5e-4,
        "dropout": 0.1,
    },
}
PLACES = 5000


def preprocess(profile):
    """Runs notebook 2 for this size of vocabulary, if that hasn't been done, and selects
    the folder of its results."""
    folder = ARTIFACTS / f"{profile.vocabulary_size}-{profile.seed}"
    os.environ["TUTORIAL_ARTIFACTS"] = str(folder)
    if not (folder / "sample" / "02_mlm_preprocessing.json").exists():
        settings = {"vocabulary_size": profile.vocabulary_size, "seed": profile.seed}
        common.run_series([2], settings, folder)


def train(profile, shuffle):
    """A pretrained model, and the seconds that its steps took."""
    import keras

    from helpers import masking, packing, pretraining, records

    vocabulary, vectors, rows, validation_rows = records.read_preprocessing(profile)
    if shuffle:
        rng = profiles.random_stream(profile.seed, "shuffled words")
        rows = rng.permuted(rows, axis=1)
    keras.utils.set_random_seed(profile.seed)
    log_frequencies = packing.log_frequencies(rows, len(vocabulary))
    model = pretraining.pretraining_model(
        profile,
        profile.pretraining_steps,
        log_frequencies,
        vectors if profile.word_vectors else None,
    )
    focus = masking.focus_ids(vocabulary, profile)
    batches = masking.MaskedBatches(rows, profile, profile.pretraining_steps, focus=focus)
    before = time.perf_counter()
    model.fit(batches, shuffle=False, verbose=0, callbacks=[pretraining.Progress()])
    seconds = time.perf_counter() - before
    # The same masks for all, whatever the masking rate
    as_sample = profiles.load_profile(
        seed=profile.seed, vocabulary_size=profile.vocabulary_size
    )
    validation = masking.MaskedBatches(
        validation_rows, as_sample, len(validation_rows) // as_sample.batch_size, salt=1
    )
    measured = model.evaluate(validation, verbose=0, return_dict=True)
    figures = {
        "seconds": seconds,
        "loss": measured["cross_entropy"],
        "masked words (%)": 100 * measured["accuracy"],
    }
    return model, figures


def agree(profile, model):
    """What notebook 4 asks a model, in percent: held-out places of two words, and made-up
    sentences."""
    from helpers import agreement, records

    vocabulary, _, rows, _ = records.read_preprocessing(profile)
    held_out = records.read_held_out(profile)
    corpus = np.asarray(rows).ravel()
    nouns = agreement.noun_pairs(vocabulary, corpus)
    clues = agreement.number_clues(vocabulary, nouns)
    rng = profiles.random_stream(profile.seed, "made-up sentences")
    made_up = agreement.made_up_sentences(vocabulary, nouns[:40], rng)
    made_up_rows, positions = agreement.rows_of_sentences(made_up.text, vocabulary, 20)
    figures = {}
    right = np.zeros(len(made_up))
    for words in (agreement.PRONOUN, *agreement.VERBS):
        places, position, is_second = agreement.find_places(
            held_out, words, vocabulary, profile.sequence_length
        )
        places, is_second = places[:PLACES], is_second[:PLACES]
        preference = agreement.encoder_prefers(model, places, position, words, vocabulary)
        name = " or ".join(words)
        figures[f"{name} (%)"] = agreement.share_right(preference, is_second)
        of_words = (made_up.words == words).to_numpy()
        if of_words.any():
            misled = agreement.is_misled(places, position, is_second, clues, vocabulary)
            share = agreement.share_right(preference[misled], is_second[misled])
            figures[f"{name}, nearest noun misleads (%)"] = share
            preference = agreement.encoder_prefers(
                model, made_up_rows[of_words], positions[of_words], words, vocabulary
            )
            right[of_words] = (preference > 0) == made_up.plural[of_words]
    for misleads, kind in ((False, "agrees"), (True, "misleads")):
        chosen = (made_up.distance == 3) & (made_up.misleads == misleads)
        figures[f"made up, 3 words, nearer noun {kind} (%)"] = 100 * right[chosen].mean()
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipes", nargs="*", help=", ".join(RECIPES))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    asked = parser.parse_args()
    helpers.choose_backend("jax")
    done = pd.read_csv(FIGURES) if FIGURES.exists() else pd.DataFrame()
    for seed in asked.seeds:
        for name in asked.recipes or RECIPES:
            if len(done) and ((done.recipe == name) & (done.seed == seed)).any():
                continue
            profile = profiles.load_profile(**RECIPES[name], seed=seed)
            preprocess(profile)
            model, figures = train(profile, shuffle=name == SHUFFLED)
            row = {"recipe": name, "seed": seed} | figures | agree(profile, model)
            print(json.dumps(row), flush=True)
            done = pd.concat([done, pd.DataFrame([row])], ignore_index=True)
            done.round(3).to_csv(FIGURES, index=False)
    table = done.drop(columns="seed").groupby("recipe", sort=False).mean()
    loss = table.pop("loss").round(2)
    table = table.round(1)
    table.insert(1, "loss", loss)
    common.replace_table("One change at a time", table.reset_index())


if __name__ == "__main__":
    main()
