"""The whole series, from its first cell to its last, on other profiles and on own text."""

import json
import os
import re
import subprocess
import sys
import zipfile

import nbformat
import pooch
import pytest
from conftest import GENUINE, REPOSITORY

from helpers import results

# The profile's own settings, but for the number of steps, sequences and sentences.
FEW = {
    "batch_size": 4,
    "pretraining_steps": 2,
    "race_steps": 2,
    "validation_sequences": 8,
    "counted_rows": 2000,
    "few_labels": 64,
    "repeats": 1,
    "baseline_epochs": 1,
    "baseline_few_epochs": 1,
    "finetuning_epochs": 1,
    "finetuning_few_epochs": 1,
    "scratch_few_epochs": 1,
}


def start(folder, profile, settings, environment):
    """Starts the series in a process of its own, which works in the folder."""
    command = [sys.executable, "-m", "helpers.tutorial", profile]
    return subprocess.Popen(
        [*command, *(f"{name}={value}" for name, value in settings.items())],
        cwd=folder,
        env={**os.environ, **environment, "TUTORIAL_ARTIFACTS": str(folder / "artifacts")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def files(folder):
    """Puts what the profiles fetch into a folder, in the layout of the genuine files."""
    folder.mkdir()
    name = "bert_vocab_uncased.txt"
    (folder / name).write_bytes((GENUINE / "vocab" / name).read_bytes())
    raw = GENUINE / "wikitext" / "wiki.test.raw"
    with zipfile.ZipFile(folder / "wikitext-103-raw-v1.zip", "w") as archive:
        for part in "train", "valid":
            archive.write(raw, f"wikitext-103-raw/wiki.{part}.raw")
    with zipfile.ZipFile(folder / "SST-2.zip", "w") as archive:
        for part in "train", "dev":
            lines = (GENUINE / "SST-2" / f"{part}.tsv").read_bytes().split(b"\n")
            archive.writestr(f"SST-2/{part}.tsv", b"\n".join(lines[:100]) + b"\n")


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """`guide` and `full`, side by side: each of them leaves a core idle for much of it."""
    folder = tmp_path_factory.mktemp("series")
    if not GENUINE.is_dir():
        pytest.skip("the genuine data are not part of the repository")
    files(folder / "cache")
    # Kernels run this first: the archives are smaller than the real ones, and `full`
    # computes in bfloat16 as it would on a GPU or TPU.
    startup = folder / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    program = [
        "import helpers",
        "from helpers import corpora",
        "choose = helpers.choose_backend",
    ]
    for name in "wikitext-103-raw-v1.zip", "SST-2.zip":
        sha256 = pooch.file_hash(str(folder / "cache" / name))
        program.append(f"corpora.FILES[{name!r}] = ({sha256!r}, ())")
    program += [
        "def chosen(backend):",
        "    choose(backend)",
        "    from helpers import devices",
        "    devices._has_bfloat16 = lambda: True",
        "    return backend",
        "helpers.choose_backend = chosen",
    ]
    (startup / "00-files.py").write_text("\n".join(program), "utf-8")
    environment = {
        "TUTORIAL_CACHE": str(folder / "cache"),
        "IPYTHONDIR": str(folder / "ipython"),
    }
    processes = {
        profile: start(folder, profile, FEW, environment) for profile in ("guide", "full")
    }
    yield folder / "artifacts", processes
    for process in processes.values():
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("name", "precision"), [("guide", "float32"), ("full", "bfloat16")]
)
def test_the_large_profiles_run_from_the_first_cell_to_the_last(running, name, precision):
    artifacts, processes = running
    printed, _ = processes[name].communicate(timeout=900)
    assert processes[name].returncode == 0, printed
    assert "pretrained" in printed.splitlines()[-1]
    for notebook in results.NOTEBOOKS.values():
        for cell in nbformat.read(artifacts / name / f"{notebook}.ipynb", 4).cells:
            for output in cell.get("outputs", []):
                assert output.get("name") != "stderr", output.text
    text = (artifacts / name / "03_encoder_pretraining.ipynb").read_text("utf-8")
    assert f"computing in {precision}" in text


def test_the_example_in_the_readme_runs(tmp_path):
    """Text and classes of one's own; fewer steps than a reader takes."""
    readme = (REPOSITORY / "README.md").read_text("utf-8")
    section = readme.split("## Your own text")[1].split("\n## ")[0]
    program = re.search(r"```python\n(.*?)```", section, re.DOTALL)[1]
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)
    settings = dict(
        re.findall(r"(\w+)=([\w./]+)", re.search(r'SETTINGS="(.*?)"', section)[1])
    )
    fewer = {
        "pretraining_steps": 20,
        "race_steps": 10,
        "repeats": 1,
        "finetuning_epochs": 1,
    }
    process = start(tmp_path, "sample", {**settings, **fewer}, {})
    printed, _ = process.communicate(timeout=900)
    assert process.returncode == 0, printed
    record = tmp_path / "artifacts" / "sample" / "04_fine_tuning.json"
    summary = json.loads(record.read_text("utf-8"))["record"]["figures"]["summary"]
    accuracy = {row["model"]: row["accuracy"] for row in summary}
    # Four classes: words alone tell most of them apart.
    assert accuracy["bag of words"] > 50
    assert accuracy["pretrained"] > 50
