"""Results that notebooks pass on, and intervals for comparing models.

Each notebook ends by writing a record: settings, figures, and checksums of its files.
Later ones read it, and reject what is missing, changed, or made with other settings.
"""

import hashlib
import json
import os
import pathlib
import shutil
import tempfile

import numpy as np
import pooch

import helpers
from helpers import corpora, preprocessing, profiles

_NAMES = ["setup_and_baseline", "mlm_preprocessing", "encoder_pretraining", "fine_tuning"]
_NAMES += ["using_your_encoder", "scaling_out"]
NOTEBOOKS = {number: f"{number:02}_{name}" for number, name in enumerate(_NAMES, 1)}

# The earlier records that each notebook reads, and the settings on which what it hands on
# depends, besides those on which these records depend.
READS = {1: (), 2: (), 3: (2,), 4: (1, 2, 3), 5: (2, 3), 6: (2,)}
DEPENDS = {
    1: "seed repeats task columns lowercase strip_accents few_labels baseline_words",
    2: "seed corpus lowercase strip_accents vocabulary vocabulary_size sequence_length "
    "hidden_dim batch_size",
    3: "seed encoder vocabulary_size hidden_dim num_layers num_heads intermediate_dim "
    "dropout sequence_length sentence_lengths mask_rate neighbour_weight word_vectors "
    "optimizer learning_rate embedding_rate precision batch_size pretraining_steps",
    4: "seed repeats few_labels task columns sentence_lengths finetuning_rate "
    "scratch_rate finetuning_epochs precision",
    5: "seed task columns sentence_lengths finetuning_rate",
    6: "seed sequence_length batch_size mask_rate neighbour_weight",
}
# Settings that a notebook reads to measure or to show something, but on which what it hands
# on doesn't depend. With another task, an encoder needn't be pretrained again.
SHOWS = {
    1: "corpus",
    2: "task columns sentence_lengths mask_rate neighbour_weight word_vectors",
    3: "allow_slow task columns few_labels lowercase strip_accents",
    4: "lowercase strip_accents",
    5: "corpus",
    6: "pretraining_steps corpus",
}


def keep_on_drive(wanted):
    """In Colab, stores results on Google Drive, which outlasts Colab's machine."""
    if wanted:
        try:
            from google.colab import drive
        except ImportError as error:
            raise RuntimeError("This is not Colab: set DRIVE to False.") from error
        drive.mount("/content/drive")
        os.environ["TUTORIAL_ARTIFACTS"] = helpers.ON_DRIVE


def path(profile, name):
    """The path of a result, in the profile's folder: in `TUTORIAL_ARTIFACTS` if that is
    set, else in `artifacts` of the checkout or of the current folder."""
    checkout = pathlib.Path(__file__).resolve().parents[1]
    home = checkout if (checkout / "notebooks").is_dir() else pathlib.Path.cwd()
    root = os.environ.get("TUTORIAL_ARTIFACTS") or home / "artifacts"
    folder = pathlib.Path(root, profile.name).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    return folder / name


def inputs(profile, notebook):
    """All that a notebook's results depend on: its settings, checksums of users' files, and
    a checksum of each earlier record that it reads."""
    depends = {name: getattr(profile, name) for name in DEPENDS[notebook].split()}
    for name in {"corpus", "task", "vocabulary"} & depends.keys():
        depends[name] = corpora.checksum(depends[name])
    if notebook == 3 and profile.encoder == "rotary":
        # It has no embedding for each position, so its weights fit rows of any length.
        del depends["sentence_lengths"]
    for earlier in READS[notebook]:
        depends[NOTEBOOKS[earlier]] = _fingerprint(_load(profile, earlier))
    # As JSON has it, such as lists for tuples, since it is compared with a record.
    return json.loads(json.dumps(depends))


def _load(profile, notebook):
    """A record as it is stored, or an empty dict if it is missing or damaged."""
    try:
        record = json.loads(path(profile, f"{NOTEBOOKS[notebook]}.json").read_text("utf-8"))
        # An incomplete record, or one of an earlier version of the series.
        return record if record.keys() == {"inputs", "figures", "files"} else {}
    except (FileNotFoundError, AttributeError, UnicodeDecodeError, json.JSONDecodeError):
        return {}


def _fingerprint(record):
    """A checksum of what a record read and wrote, but not of its figures: a notebook that
    is run again and writes the same files leaves later records valid."""
    content = json.dumps([record.get("inputs"), record.get("files")], sort_keys=True)
    return f"record {hashlib.sha256(content.encode()).hexdigest()[:16]}"


def write_record(profile, notebook, figures, files=()):
    """Writes a notebook's record, as its last step: figures, a JSON-serialisable dict, the
    checksums of its files, given by name, and what all of it depends on."""
    checksums = {name: pooch.file_hash(str(path(profile, name))) for name in files}
    depends = inputs(profile, notebook)
    record = {"inputs": depends, "figures": figures, "files": checksums}
    with helpers.writing(path(profile, f"{NOTEBOOKS[notebook]}.json")) as file:
        file.write(json.dumps(record, indent=1).encode())


def read_record(profile, notebook):
    """Reads the figures of an earlier notebook, having checked its record and those that it
    depends on. A RuntimeError says which notebook hasn't been run, or with other settings
    or text, or before an earlier one was run again, or which file is missing or changed."""
    for earlier in READS[notebook]:
        read_record(profile, earlier)
    record, problem = _load(profile, notebook), None
    if not record:
        problem = "has no complete record"
    elif record["inputs"] != (now := inputs(profile, notebook)):
        differ = profiles.differences(record["inputs"], now)
        problem = f"was run with other settings, text or earlier results ({differ})"
    else:
        for name, checksum in record["files"].items():
            file = path(profile, name)
            if not file.exists() or pooch.file_hash(str(file)) != checksum:
                problem = f"wrote a {name} that is missing or has changed"
    if problem:
        name = NOTEBOOKS[notebook]
        advice = f"run notebooks/{name}.ipynb from top to bottom with the profile"
        advice += f" `{profile.name}` and the same OVERRIDES"
        raise RuntimeError(f"Notebook {name} {problem}: {advice}.")
    return record["figures"]


def read_preprocessing(profile):
    """The results of notebook 2: vocabulary, word vectors, training rows and validation
    rows; see `preprocessing.open_rows`."""
    read_record(profile, 2)
    vocabulary = preprocessing.read_vocabulary(path(profile, "vocabulary.txt"))
    rows = path(profile, "rows.bin")
    if rows.is_relative_to(helpers.ON_DRIVE):
        # Rows are read in random order, which is slow on Drive.
        rows = shutil.copy(rows, tempfile.mkdtemp())
    rows, measured, _ = preprocessing.open_rows(profile, rows)
    return vocabulary, np.load(path(profile, "word_vectors.npy")), rows, measured


def bootstrap_interval(values, seed=0, resamples=5000):
    """The 95 % bootstrap interval of a mean over draws and sentences: a pair of floats.

    Each resample draws both with replacement: runs (of labels and of initial weights), and
    test sentences. With a single run, only sentences vary.

    Args:
        values: `([draws,] sentences)`, whether each sentence is correct, or a difference.
        seed: int.
        resamples: int.
    """
    values = np.atleast_2d(np.asarray(values, dtype=float))
    draws, sentences = values.shape
    rng = np.random.default_rng(seed)
    # How often each draw and each sentence occurs in a resample.
    of_draws = rng.multinomial(draws, np.full(draws, 1 / draws), resamples)
    means = np.empty(resamples)
    for number, of_draw in enumerate(of_draws):
        of_sentences = np.bincount(
            rng.integers(sentences, size=sentences), minlength=sentences
        )
        means[number] = of_draw @ (values @ of_sentences)
    low, high = np.quantile(means / values.size, [0.025, 0.975])
    return float(low), float(high)


def paired_difference(first, second):
    """The difference in accuracy of two models on the same sentences, in points, and the
    ends of its 95 % interval: three floats.

    Args:
        first, second: bool, `([draws,] sentences)`, which predictions are correct. Draws
            with the same number had the same labels; a model with a single one, which needs
            no seed, is compared with each draw of the other.
    """
    first = np.atleast_2d(np.asarray(first, dtype=float))
    second = np.atleast_2d(np.asarray(second, dtype=float))
    difference = 100 * (first - second)  # points
    low, high = bootstrap_interval(difference)
    return float(difference.mean()), low, high
