"""Results that notebooks pass on, and intervals for comparing models.

Each notebook ends by writing a record: settings, figures, and checksums of its files.
Later ones read it, and reject what is missing, changed, or made with other settings.
"""

import json
import os
import pathlib
import shutil
import tempfile

import numpy as np
import pooch
import scipy.stats

import helpers
from helpers import corpora, preprocessing, profiles

_NAMES = ["setup_and_baseline", "mlm_preprocessing", "encoder_pretraining", "fine_tuning"]
_NAMES += ["using_your_encoder", "scaling_out"]
NOTEBOOKS = {number: f"{number:02}_{name}" for number, name in enumerate(_NAMES, 1)}


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
    """All that the notebooks up to this one depend on: settings, and checksums of files."""
    found = profiles.settings(profile, notebook)
    for name in {"corpus", "task", "vocabulary"} & found.keys():
        found[name] = corpora.checksum(found[name])
    return json.loads(json.dumps(found))  # as a record gives it back


def write_record(profile, notebook, figures, files=()):
    """Writes a notebook's record, as its last step: figures, a JSON-serialisable dict, and
    the checksums of its files, given by name."""
    made = {name: pooch.file_hash(str(path(profile, name))) for name in files}
    record = {"settings": inputs(profile, notebook), "figures": figures, "files": made}
    with helpers.writing(path(profile, f"{NOTEBOOKS[notebook]}.json")) as file:
        file.write(json.dumps(record, indent=1).encode())


def read_record(profile, notebook):
    """Reads the figures of an earlier notebook; a RuntimeError if it hasn't been run, or
    with other settings or text, or if one of its files is missing or has changed."""
    name, found = NOTEBOOKS[notebook], None
    try:
        record = json.loads(path(profile, f"{name}.json").read_text("utf-8"))
        differ = profiles.differences(record["settings"], inputs(profile, notebook))
        if differ:
            found = f"was run with other settings or text ({differ})"
        for file, checksum in record["files"].items():
            left = path(profile, file)
            if not left.exists() or pooch.file_hash(str(left)) != checksum:
                found = f"wrote a {file} that is missing or has changed"
    except (FileNotFoundError, LookupError, TypeError, json.JSONDecodeError):
        found = "has no complete record"
    if found:
        advice = f"run notebooks/{name}.ipynb from top to bottom with the profile"
        advice += f" `{profile.name}` and the same OVERRIDES"
        raise RuntimeError(f"Notebook {name} {found}: {advice}.")
    return record["figures"]


def read_preprocessing(profile):
    """The results of notebook 2: vocabulary, word vectors, training rows and validation
    rows; see `preprocessing.open_rows`."""
    read_record(profile, 2)
    vocabulary = path(profile, "vocabulary.txt").read_text("utf-8").split("\n")
    rows = path(profile, "rows.bin")
    if rows.is_relative_to(helpers.ON_DRIVE):
        # Rows are read in random order, which is slow on Drive.
        rows = shutil.copy(rows, tempfile.mkdtemp())
    rows, measured, _ = preprocessing.open_rows(profile, rows)
    return vocabulary, np.load(path(profile, "word_vectors.npy")), rows, measured


def bootstrap_interval(values, seed=0):
    """The 95 % bootstrap interval of a mean over test sentences, a pair of floats. `values`
    has, for each, the share of seeds that are correct, or a difference of such shares."""
    options = {"n_resamples": 5000, "batch": 500, "method": "percentile", "rng": seed}
    values = np.asarray(values, dtype=float)
    interval = scipy.stats.bootstrap((values,), np.mean, **options).confidence_interval
    return float(interval.low), float(interval.high)


def paired_difference(first, second):
    """The difference in accuracy of two models on the same sentences, in points, and its
    95 % interval, from which predictions are correct: bool, `([seeds,] sentences)`."""
    means = (np.atleast_2d(correct).mean(axis=0) for correct in (first, second))
    difference = np.subtract(*means)
    return tuple(100 * np.array([difference.mean(), *bootstrap_interval(difference)]))
