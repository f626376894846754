"""Records of what each notebook hands on.

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
import pandas as pd
import pooch

from helpers import corpora, packing, profiles, storage, wordpieces

NOTEBOOKS = {
    1: "01_setup_and_baseline",
    2: "02_mlm_preprocessing",
    3: "03_encoder_pretraining",
    4: "04_what_it_has_learnt",
    5: "05_fine_tuning",
    6: "06_using_your_encoder",
    7: "07_scaling_out",
}

# The earlier records that each notebook reads.
READS = {
    1: (),
    2: (),
    3: (2,),
    4: (2, 3),
    5: (1, 2, 3),
    6: (2, 3),
    7: (2,),
}

# What the models of the series are asked, and by which notebook
ABILITIES = {
    "masked words": 3,
    "his or her": 4,
    "is or are": 4,
    "misled verbs": 4,
    "sentiment, few labels": 5,
    "sentiment, all labels": 5,
    "negation": 6,
}
MODELS = (
    "unigram frequencies",
    "both neighbours",
    "regression on words",
    "naive Bayes",
    "counted vectors",
    "both counts",
    "not pretrained",
    "from counts",
    "pretrained",
)


def keep_on_drive(wanted):
    """In Colab, stores results on Google Drive, which outlasts Colab's machine."""
    if wanted:
        try:
            from google.colab import drive
        except ImportError as error:
            raise RuntimeError("This is not Colab: set DRIVE to False.") from error
        drive.mount("/content/drive")
        os.environ["TUTORIAL_ARTIFACTS"] = storage.ON_DRIVE


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
    depends = {name: getattr(profile, name) for name in profiles.DEPENDS[notebook].split()}
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
    with storage.writing(path(profile, f"{NOTEBOOKS[notebook]}.json")) as file:
        file.write(json.dumps(record, indent=1).encode())


def read_record(profile, notebook):
    """Reads the figures of an earlier notebook, having checked its record and those that it
    depends on. A RuntimeError says which notebook hasn't been run, or with other settings
    or text, or before an earlier one was run again, or which file is missing or changed."""
    for earlier in READS[notebook]:
        read_record(profile, earlier)
    record = _load(profile, notebook)
    problem = None
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


def scoreboard(profile, notebook):
    """What the notebooks have measured so far, up to this one: a table of text with a row
    for each model and a column for each ability, in percent, empty where nothing was
    measured. A notebook's figures have them as `scores`: for each ability a dict of percent
    by model."""
    scores = {}
    for earlier in range(1, notebook + 1):
        try:
            scores |= read_record(profile, earlier).get("scores", {})
        except RuntimeError:
            continue  # not run yet, or with other settings
    table = pd.DataFrame(scores, index=MODELS, columns=list(ABILITIES))
    return table.map(lambda share: "" if np.isnan(share) else f"{share:.1f}")


def read_held_out(profile):
    """The held-out texts: token ids with [SEP] after each text, int `(tokens,)`."""
    return packing.open_held_out(profile, path(profile, "rows.bin"))


def read_preprocessing(profile):
    """The results of notebook 2: vocabulary, word vectors, training rows and validation
    rows; see `packing.open_rows`."""
    read_record(profile, 2)
    vocabulary = wordpieces.read_vocabulary(path(profile, "vocabulary.txt"))
    vectors = np.load(path(profile, "word_vectors.npy"))
    rows = path(profile, "rows.bin")
    if rows.is_relative_to(storage.ON_DRIVE):
        # Rows are read in random order, which is slow on Drive.
        folder = tempfile.mkdtemp()
        shutil.copy(packing.held_out_path(rows), folder)
        rows = shutil.copy(rows, folder)
    rows, validation_rows, _ = packing.open_rows(profile, rows)
    return vocabulary, vectors, rows, validation_rows
