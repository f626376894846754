"""What a pretraining step costs, what tokens buy, and what that says of larger runs.

    python benchmarks/scaling.py

Step time against width, depth and vocabulary, with a fitted line; loss against tokens,
each point a run of its own with its own schedule; and, marked as a prediction, the hours
that the Keras guide's run takes on named accelerators.
"""

import time

import common
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import scipy.stats

import helpers

helpers.choose_backend("jax")

import keras
from train_step import useful_flops

from helpers import preprocessing, profiles, training

SIZES = [
    {},
    {"hidden_dim": 64, "intermediate_dim": 256},
    {"hidden_dim": 192, "intermediate_dim": 768},
    {"hidden_dim": 256, "intermediate_dim": 1024},
    {"num_layers": 1},
    {"num_layers": 4},
    {"vocabulary_size": 4000},
    {"vocabulary_size": 8000},
    {"vocabulary_size": 32000},
]
STEPS = (150, 300, 600, 1200)

# Peak of dense products in the precision that Keras would use, TFLOP/s, from the makers'
# data sheets; and the share of it that a step reaches, which is an assumption.
ACCELERATORS = {"T4 (float16)": 65, "L4 (bfloat16)": 121, "A100 (bfloat16)": 312}
ACCELERATORS |= {"TPU v5e, one chip (bfloat16)": 197}
SHARE = 0.1, 0.3


def step_seconds(profile):
    """Seconds of a step on random tokens: five measurements of five steps."""
    keras.utils.set_random_seed(profile.seed)
    vocabulary, rows = common.random_corpus(profile)
    frequencies = np.zeros(len(vocabulary), "float32")
    model = training.pretraining_model(profile, 1000, frequencies)
    batches = preprocessing.MaskedBatches(rows, profile, vocabulary, 5)
    model.fit(batches, verbose=0, shuffle=False)
    seconds = []
    for _ in range(common.ROUNDS):
        before = time.perf_counter()
        model.fit(batches, verbose=0, shuffle=False)
        seconds.append((time.perf_counter() - before) / 5)
    return seconds


def losses(profile):
    """Validation loss after each of `STEPS`, with tokens."""
    _, vocabulary, rows, vectors, _ = common.prepare(profile)
    kept, rows = np.split(rows, [profile.validation_sequences])
    log_frequencies = preprocessing.log_frequencies(rows, vocabulary)
    measured = []
    for steps in STEPS:
        keras.utils.set_random_seed(profile.seed)
        model = training.pretraining_model(profile, steps, log_frequencies, vectors)
        batches = preprocessing.MaskedBatches(rows, profile, vocabulary, steps)
        model.fit(batches, verbose=0, shuffle=False)
        validation = preprocessing.MaskedBatches(
            kept, profile, vocabulary, len(kept) // profile.batch_size, salt=1
        )
        loss = model.evaluate(validation, verbose=0, return_dict=True)["masked_words_loss"]
        tokens = steps * profile.batch_size * profile.sequence_length
        measured.append((tokens, loss))
        print(f"{tokens:,} tokens: loss {loss:.3f}", flush=True)
    return np.array(measured)


def main():
    profile = profiles.load_profile("sample")
    entries = []
    for changes in SIZES:
        sized = profiles.load_profile("sample", **changes)
        seconds = step_seconds(sized)
        name = ", ".join(f"{key} {value:,}" for key, value in changes.items())
        entries.append((name or "sample", useful_flops(sized) / 1e9, seconds))
        print(name, common.spread([1000 * s for s in seconds]), "ms", flush=True)
    work = np.array([gigaflops for _, gigaflops, _ in entries])
    medians = np.array([np.median(seconds) for *_, seconds in entries])
    fit = scipy.stats.linregress(work, medians)
    steps = pd.DataFrame(
        {
            "profile": [name for name, *_ in entries],
            "GFLOP a step": work,
            "ms a step": [common.spread([1000 * s for s in x]) for *_, x in entries],
            "ms by the line": 1000 * (fit.intercept + fit.slope * work),
        }
    ).set_index("profile")

    measured = losses(profile)
    tokens, loss = measured.T

    # A straight line on the logarithm: over so short a range no floor shows yet.
    doubling = scipy.stats.linregress(np.log2(tokens), loss)

    guide = profiles.load_profile("guide")
    whole = useful_flops(guide) * guide.pretraining_steps
    predicted = pd.DataFrame(
        {
            name: {
                f"hours at {100 * share:.0f} % of its peak": whole
                / (share * peak * 1e12)
                / 3600
                for share in SHARE
            }
            for name, peak in ACCELERATORS.items()
        }
    ).T
    predicted.index.name = "accelerator"

    figure, (left, right) = plt.subplots(1, 2, figsize=(7.5, 3.2), layout="constrained")
    left.plot(work, 1000 * medians, "o")
    ends = np.array([0, work.max()])
    left.plot(ends, 1000 * (fit.intercept + fit.slope * ends), "--", color="grey")
    left.set(xlabel="GFLOP a step", ylabel="ms a step")
    right.plot(tokens / 1e6, loss, "o")
    fitted = doubling.intercept + doubling.slope * np.log2(tokens)
    right.plot(tokens / 1e6, fitted, "--", color="grey")
    right.set(xlabel="million tokens", ylabel="validation loss", xscale="log")
    right.set_xticks(tokens / 1e6, [f"{count / 1e6:.1f}" for count in tokens], minor=False)
    right.set_xticks([], minor=True)
    figure.savefig(common.FOLDER / "scaling.png", dpi=110)
    common.report(
        "scaling",
        "What a step costs, and what tokens buy",
        steps,
        f"The line: {1000 * fit.intercept:.0f} ms + {1000 * fit.slope:.1f} ms for each "
        f"GFLOP (r = {fit.rvalue:.3f}).",
        "",
        "| tokens | validation loss |",
        "|---|---|",
        *(f"| {int(count):,} | {value:.3f} |" for count, value in measured),
        "",
        f"Each doubling of the tokens takes {-doubling.slope:.2f} off the loss "
        f"(r = {doubling.rvalue:.3f}); a straight line that must bend somewhere, so "
        "nothing to extrapolate far with.",
        "",
        f"A prediction, not a measurement: the guide's {guide.pretraining_steps:,} steps "
        f"are {whole / 1e15:,.1f} PFLOP.",
        "",
        predicted.to_markdown(floatfmt=".2f"),
        "",
        common.versions("keras", "keras-hub", "jax"),
    )


if __name__ == "__main__":
    main()
