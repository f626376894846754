"""Keeps what a notebook hands to the next one, and compares models honestly.

Each notebook ends by writing a record: its settings, its figures, and the checksums of
the files it leaves. A later notebook reads the record first, and refuses what is missing,
damaged, or made with other settings.
"""

import hashlib
import json
import os
import pathlib
import shutil

import numpy as np
import pandas as pd
import pooch
import scipy.stats

from helpers import profiles

NOTEBOOKS = {
    1: "01_setup_and_baseline",
    2: "02_mlm_preprocessing",
    3: "03_encoder_pretraining",
    4: "04_fine_tuning",
}

# What `benchmarks/labels.py` has measured.
LABELS = pathlib.Path(__file__).with_name("labels.csv")


class ArtifactError(RuntimeError):
    """An artifact of an earlier notebook that can't be used."""


class MissingArtifactError(ArtifactError):
    """The earlier notebook hasn't been run with this profile."""


class OtherSettingsError(ArtifactError):
    """The earlier notebook was run with other settings."""


def root():
    """The folder of all artifacts.

    `TUTORIAL_ARTIFACTS` where it is set, else `artifacts` beside this package in a
    checkout, else `artifacts` in the working folder.
    """
    chosen = os.environ.get("TUTORIAL_ARTIFACTS")
    if chosen:
        return pathlib.Path(chosen)
    checkout = pathlib.Path(__file__).resolve().parents[1]
    home = checkout if (checkout / "notebooks").is_dir() else pathlib.Path.cwd()
    return home / "artifacts"


def path(profile, name):
    """The path of an artifact of the profile; makes its folder.

    Args:
        profile: a `Profile`.
        name: string, a file name.

    Returns:
        A `pathlib.Path`.
    """
    folder = root() / profile.name
    folder.mkdir(parents=True, exist_ok=True)
    return folder / name


def write_record(profile, notebook, figures, files=()):
    """Records what a notebook found and made; the last thing it does.

    Args:
        profile: a `Profile`.
        notebook: int, the number of the notebook.
        figures: dict of what JSON can hold.
        files: names of artifacts that the notebook has written; a folder stands for all
            that is in it.
    """
    record = {
        "settings": profiles.settings(profile, through=notebook),
        "figures": figures,
        "files": {name: _file_checksum(path(profile, name)) for name in files},
    }
    target = path(profile, f"{NOTEBOOKS[notebook]}.json")
    # Written beside and moved into place: a record is whole or isn't there.
    partial = target.with_suffix(".partial")
    whole = {"record": record, "sha256": _checksum(record)}
    partial.write_text(json.dumps(whole, indent=1), "utf-8")
    partial.replace(target)
    shutil.rmtree(checkpoints(profile, notebook), ignore_errors=True)


def checkpoints(profile, notebook, training=""):
    """The folder where a notebook saves a training that isn't finished.

    `write_record` removes what the notebook has there: run again, it begins again.

    Args:
        profile: a `Profile`.
        notebook: int, the number of the notebook.
        training: string, which of its trainings.

    Returns:
        A `pathlib.Path`.
    """
    return path(profile, "checkpoints") / NOTEBOOKS[notebook] / training


def _checksum(record):
    """The SHA-256 of a record, however it is spaced."""
    return hashlib.sha256(json.dumps(record).encode()).hexdigest()


def _file_checksum(file):
    """The SHA-256 of a file; for a folder, that of its files' names and checksums."""
    if not file.is_dir():
        return pooch.file_hash(str(file))
    return _checksum({one.name: _file_checksum(one) for one in sorted(file.iterdir())})


def read_record(profile, notebook):
    """Reads what an earlier notebook found, and checks what it made.

    Args:
        profile: a `Profile`.
        notebook: int, the number of the earlier notebook.

    Returns:
        The dict of figures that the notebook recorded.

    Raises:
        MissingArtifactError: the notebook hasn't been run.
        OtherSettingsError: it was run with other settings.
        ArtifactError: what it left is damaged.
    """
    name = NOTEBOOKS[notebook]
    advice = (
        f"run notebooks/{name}.ipynb from top to bottom with the profile "
        f"`{profile.name}` and the same OVERRIDES"
    )
    source = path(profile, f"{name}.json")
    try:
        whole = json.loads(source.read_text("utf-8"))
        record = whole["record"]
        if _checksum(record) != whole["sha256"]:
            raise ValueError("another record than was written")
        made_with, figures, files = (
            dict(record[part]) for part in ("settings", "figures", "files")
        )
    except FileNotFoundError as error:
        raise MissingArtifactError(
            f"Notebook {name} has left nothing for the profile `{profile.name}`: "
            f"first {advice}."
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{source.name} is damaged: {advice} again.") from error
    wanted = profiles.settings(profile, through=notebook)
    if made_with != wanted:
        raise OtherSettingsError(
            f"Notebook {name} was run with other settings "
            f"({profiles.differences(made_with, wanted)}): {advice}."
        )
    for file, checksum in files.items():
        if not path(profile, file).exists():
            raise MissingArtifactError(
                f"{file} of notebook {name} is gone: {advice} again."
            )
        if _file_checksum(path(profile, file)) != checksum:
            raise ArtifactError(f"{file} isn't as notebook {name} left it: {advice} again.")
    return figures


def resample(correct, seed=0):
    """The 95 % interval of a mean over test sentences, by the bootstrap.

    Args:
        correct: float array, `(sentences,)`: for each sentence the share of seeds that
            got it right, or the difference of two such shares.
        seed: int.

    Returns:
        A pair of floats.
    """
    interval = scipy.stats.bootstrap(
        (np.asarray(correct, dtype=float),),
        np.mean,
        n_resamples=5000,
        batch=500,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return float(interval.low), float(interval.high)


def accuracy_table(correct):
    """Test accuracy of several models, with 95 % intervals.

    Args:
        correct: dict of a model's name to a bool array, `(seeds, sentences)`, True
            where it was right.

    Returns:
        A DataFrame with one row a model; figures in percent.
    """
    rows = {}
    for name, runs in correct.items():
        runs = np.atleast_2d(np.asarray(runs, dtype=float))
        low, high = resample(runs.mean(axis=0))
        seeds = runs.mean(axis=1)
        rows[name] = {
            "accuracy": 100 * runs.mean(),
            "low": 100 * low,
            "high": 100 * high,
            "seeds": len(runs),
            "lowest seed": 100 * seeds.min(),
            "highest seed": 100 * seeds.max(),
        }
    return pd.DataFrame(rows).T.astype({"seeds": int})


def paired_difference(first, second):
    """How much more often one model is right than another, on the same sentences.

    Args:
        first: bool array, `(seeds, sentences)`.
        second: bool array, `(seeds, sentences)`.

    Returns:
        Three floats in percentage points: the difference, and its 95 % interval.
    """
    difference = np.mean(np.atleast_2d(first), axis=0) - np.mean(
        np.atleast_2d(second), axis=0
    )
    low, high = resample(difference)
    return 100 * difference.mean(), 100 * low, 100 * high


def label_curve():
    """Test accuracy against the number of labelled sentences, in the profile `sample`.

    Returns:
        A DataFrame with a row for each number of `labels` and `model`, and the columns of
        `accuracy_table`; measured by `benchmarks/labels.py`.
    """
    return pd.read_csv(LABELS, index_col=["labels", "model"])


def summary(profile):
    """The table that the whole series comes to.

    Args:
        profile: a `Profile` with which all notebooks were run.

    Returns:
        A DataFrame with one row a model.
    """
    return pd.DataFrame(read_record(profile, 4)["summary"]).set_index("model")
