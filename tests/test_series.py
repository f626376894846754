"""The whole series, from its first cell to its last, on other profiles and on own text."""

import json
import re
import shutil
import zipfile

import nbformat
import pooch
import pytest
import yaml

from conftest import NOTEBOOKS, REPOSITORY, run_python

pytestmark = pytest.mark.slow

# The profile's own settings, but for width, steps and sentences.
FEW = {
    "hidden_dim": 64,
    "intermediate_dim": 64,
    "batch_size": 4,
    "pretraining_steps": 2,
    "few_labels": 64,
    "repeats": 1,
    "finetuning_epochs": 1,
}

# Kernels run this first: the archives are smaller than the real ones, and `full` computes
# in bfloat16 as it would on a GPU or TPU.
STARTUP = """
import pathlib
import helpers
from helpers import corpora

corpora.FILES = pathlib.Path({files!r})
choose = helpers.choose_backend

def chosen(backend):
    name = choose(backend)
    import keras
    from helpers import training

    def use_devices(profile):
        policy = profile.precision.replace("bfloat16", "mixed_bfloat16")
        keras.config.set_dtype_policy(policy)
        return f"computing in {{profile.precision}}"

    training.use_devices = use_devices
    return name

helpers.choose_backend = chosen
"""


def run_series(folder, profile, overrides, **environment):
    """Runs the notebooks, one after the other: what they print, and the accuracies."""
    environment["TUTORIAL_ARTIFACTS"], said = str(folder / "artifacts"), ""
    for path in NOTEBOOKS:
        settings = ["-p", "PROFILE", profile, "-y", f"OVERRIDES: {json.dumps(overrides)}"]
        command = ["-m", "papermill", path, folder / path.name, *settings, "--cwd", folder]
        run_python(*command, **environment)
        for cell in nbformat.read(folder / path.name, as_version=4).cells:
            for output in cell.get("outputs", []):
                assert output.get("name") != "stderr", output.text
                said += output.get("text", "")
    record = folder / "artifacts" / profile / f"{NOTEBOOKS[-1].stem}.json"
    summary = json.loads(record.read_text("utf-8"))["figures"]["summary"]
    return said, {row["model"]: row["accuracy"] for row in summary}


@pytest.fixture(scope="module")
def fetched(tmp_path_factory, genuine):
    """An environment in which all that the large profiles fetch is there: smaller files,
    in the layout of the genuine ones."""
    folder = tmp_path_factory.mktemp("fetched")
    startup = folder / "profile_default" / "startup"
    startup.mkdir(parents=True)
    shutil.copy(genuine / "vocab" / "bert_vocab_uncased.txt", folder)
    raw = genuine / "wikitext" / "wiki.test.raw"
    with zipfile.ZipFile(folder / "wikitext-103-raw-v1.zip", "w") as archive:
        for part in "train", "valid":
            archive.write(raw, f"wikitext-103-raw/wiki.{part}.raw")
    with zipfile.ZipFile(folder / "SST-2.zip", "w") as archive:
        for part in "train", "dev":
            lines = (genuine / "SST-2" / f"{part}.tsv").read_bytes().splitlines(True)
            archive.writestr(f"SST-2/{part}.tsv", b"".join(lines[:100]))
    hashes = {path.name: pooch.file_hash(str(path)) for path in folder.glob("*.*")}
    known = [f"{name} {sha256} http://127.0.0.1:1/\n" for name, sha256 in hashes.items()]
    (folder / "files.txt").write_text("".join(known))
    program = STARTUP.format(files=str(folder / "files.txt"))
    (startup / "00-files.py").write_text(program, "utf-8")
    return {"TUTORIAL_CACHE": str(folder), "IPYTHONDIR": str(folder)}


@pytest.mark.parametrize("name", ["guide", "full"])
def test_the_large_profiles_run_from_the_first_cell_to_the_last(fetched, tmp_path, name):
    said, accuracy = run_series(tmp_path, name, FEW, **fetched)
    assert f"computing in {'bfloat16' if name == 'full' else 'float32'}" in said
    assert [*accuracy][-1] == "pretrained"


def test_the_example_in_the_readme_runs(tmp_path):
    """Text and classes of one's own; fewer steps than a reader takes."""
    readme = (REPOSITORY / "README.md").read_text("utf-8")
    section = readme.split("## Your own text")[1].split("\n## ")[0]
    program = re.search(r"```python\n(.*?)```", section, re.DOTALL)[1]
    run_python("-c", program, folder=tmp_path)
    settings = yaml.safe_load("{" + re.search(r'SETTINGS="(.*?)"', section)[1] + "}")
    settings |= {"pretraining_steps": 20, "repeats": 1, "finetuning_epochs": 1}
    _, accuracy = run_series(tmp_path, "sample", settings)
    # Four classes: words alone tell most of them apart.
    assert accuracy["bag of words"] > 50
    assert accuracy["pretrained"] > 50
