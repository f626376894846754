"""The whole series, with other profiles and with users' text."""

import json
import random
import re
import shutil
import subprocess
import sys
import zipfile

import nbformat
import pandas as pd
import pooch
import pytest
import yaml

from conftest import NOTEBOOKS, REPOSITORY, run_python, start_python
from helpers import normalization, profiles, records

pytestmark = pytest.mark.slow

# Smaller width, batches and numbers of steps and labels
FEW = {
    "hidden_dim": 64,
    "intermediate_dim": 64,
    "batch_size": 4,
    "pretraining_steps": 2,
    "few_labels": 64,
    "repeats": 1,
    "finetuning_epochs": 1,
}

# Kernels run this first: it registers smaller archives, and makes `full` compute in
# bfloat16, as on a GPU or TPU.
STARTUP = """
import pathlib
import helpers
from helpers import corpora

corpora.FILES = pathlib.Path({files!r})
choose = helpers.choose_backend

def chosen(backend="jax"):
    name = choose(backend)
    import keras
    from helpers import hardware

    def use_devices(profile):
        policy = profile.precision.replace("bfloat16", "mixed_bfloat16")
        keras.config.set_dtype_policy(policy)
        return f"computing in {{profile.precision}}"

    hardware.use_devices = use_devices
    return name

helpers.choose_backend = chosen
"""

# Collects which settings each notebook reads, and stores them with its record.
# In a function, because notebooks have variables of the same names.
READS = """
import helpers

helpers.choose_backend()


def watch():
    import dataclasses
    import json
    from helpers import profiles, records

    names = set()
    look, load = profiles.Profile.__getattribute__, profiles.load_profile
    write = records.write_record

    def recorded(profile, name):
        names.add(name)
        return look(profile, name)

    def unrecorded(function):
        def called(*arguments, **options):
            before = {*names}
            result = function(*arguments, **options)
            names.clear()
            names.update(before)
            return result

        return called

    def written(profile, notebook, *arguments, **options):
        settings = sorted({*names} & load().__dataclass_fields__.keys() - {"name"})
        file = records.path(profile, f"reads_{notebook}.json")
        write(profile, notebook, *arguments, **options)
        file.write_text(json.dumps(settings))

    profiles.Profile.__getattribute__ = recorded
    # What copies, compares or checks all settings doesn't use them.
    dataclasses.replace = unrecorded(dataclasses.replace)
    profiles.load_profile = unrecorded(load)
    profiles.is_sample = unrecorded(profiles.is_sample)
    records.inputs = unrecorded(records.inputs)
    records.write_record = written


watch()
"""

# Gives matrix products the precision of bfloat16 or TF32, the defaults on a TPU and on an
# NVIDIA GPU.
SHORT_PRODUCTS = """
from jax import lax

bind = lax.dot_general_p.bind


def short(left, right, **options):
    if left.dtype == "float32":
        left, right = (lax.reduce_precision(each, 8, {digits}) for each in (left, right))
    return bind(left, right, **options)


lax.dot_general_p.bind = short
"""


def run_first(folder, program):
    """Environment variables with which kernels run a program first."""
    startup = folder / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00-first.py").write_text(program, "utf-8")
    return {"IPYTHONDIR": str(folder)}


def run_series(folder, profile, overrides, **environment):
    """Runs all notebooks in order: their output, and the accuracies."""
    environment["TUTORIAL_ARTIFACTS"], said = str(folder / "artifacts"), ""
    for path in NOTEBOOKS:
        settings = ["-p", "PROFILE", profile, "-y", f"OVERRIDES: {json.dumps(overrides)}"]
        command = ["-m", "papermill", path, folder / path.name, *settings, "--cwd", folder]
        run_python(*command, **environment)
        for cell in nbformat.read(folder / path.name, as_version=4).cells:
            for output in cell.get("outputs", []):
                assert output.get("name") != "stderr", output.text
                said += output.get("text", "")
    record = folder / "artifacts" / profile / f"{records.NOTEBOOKS[4]}.json"
    summary = json.loads(record.read_text("utf-8"))["figures"]["summary"]
    return said, {row["model"]: row["all labels"] for row in summary}


@pytest.fixture(scope="module")
def fetched(tmp_path_factory, genuine):
    """Environment variables for a cache with smaller versions of the files that the large
    profiles download."""
    folder = tmp_path_factory.mktemp("fetched")
    shutil.copy(genuine / "vocab" / "bert_vocab_uncased.txt", folder)
    raw = genuine / "wikitext" / "wiki.test.raw"
    with zipfile.ZipFile(folder / "wikitext-103-raw-v1.zip", "w") as archive:
        for part in "train", "valid":
            archive.write(raw, f"wikitext-103-raw/wiki.{part}.raw")
    with zipfile.ZipFile(folder / "SST-2.zip", "w") as archive:
        for part in "train", "dev":
            lines = (genuine / "SST-2" / f"{part}.tsv").read_bytes().splitlines(True)
            count = 300 if part == "train" else 100  # as many sentences are held out
            archive.writestr(f"SST-2/{part}.tsv", b"".join(lines[:count]))
    hashes = {path.name: pooch.file_hash(str(path)) for path in folder.glob("*.*")}
    known = [f"{name} {sha256} http://127.0.0.1:1/\n" for name, sha256 in hashes.items()]
    (folder / "files.txt").write_text("".join(known))
    program = STARTUP.format(files=str(folder / "files.txt"))
    return {"TUTORIAL_CACHE": str(folder), **run_first(folder, program)}


@pytest.mark.weekly
@pytest.mark.parametrize("name", ["guide", "full"])
def test_the_large_profiles_run_from_the_first_cell_to_the_last(fetched, tmp_path, name):
    said, accuracy = run_series(tmp_path, name, FEW, **fetched)
    assert f"computing in {'bfloat16' if name == 'full' else 'float32'}" in said
    assert [*accuracy][-1] == "naive Bayes + pretrained"


def test_the_example_in_the_readme_runs(tmp_path):
    """Users' text and classes, with a smaller and faster encoder."""
    readme = (REPOSITORY / "README.md").read_text("utf-8")
    section = readme.split("## Your own text")[1].split("\n## ")[0]
    program = re.search(r"```python\n(.*?)```", section, re.DOTALL)[1]
    run_python("-c", program, folder=tmp_path)
    labels = tmp_path / "labels.csv"
    pd.read_csv(labels)[::5].to_csv(labels, index=False)  # a fifth is enough here
    settings = yaml.safe_load("{" + re.search(r'SETTINGS="(.*?)"', section)[1] + "}")
    settings |= {"hidden_dim": 64, "num_layers": 1, "pretraining_steps": 20}
    settings |= {"repeats": 1, "finetuning_epochs": 1}
    _, accuracy = run_series(tmp_path, "sample", settings)
    # Four classes, which words alone distinguish well
    assert accuracy["bag of words"] > 50
    assert accuracy["pretrained"] > 50
    # The classifier is used and served.
    section = readme.split("## Use what you have trained")[1].split("\n## ")[0]
    commands = re.search(r"```sh\n(.*?)```", section, re.DOTALL)[1]
    commands = commands.replace("libraries/sample", str(tmp_path / "artifacts" / "sample"))
    commands = commands.replace(".venv/bin/python", sys.executable).replace("8000", "8767")
    line, server, question = commands.splitlines()
    options = {"capture_output": True, "text": True, "cwd": REPOSITORY, "shell": True}
    label, _, sentence = subprocess.run(line, **options).stdout.strip().split("\t")
    assert label in ("keras", "matplotlib", "pandas", "scipy")
    assert sentence == "Draws a histogram of the values."
    with subprocess.Popen(server.split(), cwd=REPOSITORY) as process:
        again = f"{question} --silent --retry 20 --retry-connrefused"
        answers = json.loads(subprocess.run(again, **options).stdout)
        process.terminate()
    assert [answer["label"] for answer in answers] == [label]


def generated(folder, alphabet, known, corpus, table, names, sizes):
    """Writes random text to a folder with spaces in its name: a corpus (number and length
    of texts) and a table (length and number of texts), whose classes differ in words."""
    rng, folder = random.Random(0), folder / "my own text"
    folder.mkdir()
    words = ["".join(rng.choices(alphabet, k=rng.randint(2, 7))) for _ in range(known)]
    texts = [" ".join(rng.choices(words, k=corpus[1])) for _ in range(corpus[0])]
    (folder / "corpus.txt").write_text("\n".join(texts), "utf-8")
    rows = []
    for number, (name, size) in enumerate(zip(names, sizes, strict=True)):
        for _ in range(size):
            own = rng.choices(words[3 * number : 3 * number + 3], k=2)
            rows.append((" ".join(rng.choices(words, k=table - 2) + own), name))
    columns = {"index": False, "header": ["text", "label"], "sep": ";"}
    pd.DataFrame(rows).to_csv(folder / "table.CSV", **columns)
    return {"corpus": str(folder / "corpus.txt"), "task": str(folder / "table.CSV")}


LATIN, RUSSIAN = "abcdefghijklmnopqrstuvwxyz", "абвгдежзиклмнопрстуфхцчшыэюя"
MANY = [f"{'$' * (n % 3)}類 {n}" for n in range(150)]
SMALL = {
    "hidden_dim": 32,
    "intermediate_dim": 64,
    "num_layers": 1,
    "batch_size": 16,
    "pretraining_steps": 3,
    "baseline_words": 400,
    "few_labels": 160,
    "repeats": 1,
    "finetuning_epochs": 1,
}


def check_reads(folder):
    """Each notebook reads the settings that helpers/profiles.py say, and no others."""
    for notebook, depends in profiles.DEPENDS.items():
        reads = {*json.loads((folder / f"reads_{notebook}.json").read_text())}
        declared = {*depends.split(), *profiles.SHOWS[notebook].split()}
        earlier = [profiles.DEPENDS[number].split() for number in records.READS[notebook]]
        assert reads <= declared.union(*earlier), notebook
        assert declared <= reads, notebook


@pytest.mark.parametrize(
    ("data", "settings", "digits", "devices"),
    [
        pytest.param(
            (LATIN, 60, (3000, 5), 5, ["often", "rare"], [980, 20]),
            {"vocabulary_size": 150, "sequence_length": 16, "sentence_lengths": [16]},
            7,
            8,
            id="short texts, a class of 2 %, few pieces, short rows; bfloat16; 8 devices",
        ),
        pytest.param(
            (RUSSIAN, 3000, (150, 500), 500, [f"Тема {n}" for n in range(20)], [15] * 20),
            {"vocabulary_size": 2000, "sequence_length": 256, "sentence_lengths": [64]},
            10,
            4,
            id="texts of 500 words, 20 classes, long rows; TF32; 4 devices",
        ),
        pytest.param(
            (LATIN, 40_000, (1, 300_000), 30, MANY, [12] * 150),
            {"vocabulary_size": 30_000, "lowercase": False, "few_labels": 400},
            23,
            2,
            id="a corpus of one line, many pieces, 150 classes; float32; 2 devices",
        ),
    ],
)
def test_other_data_runs_from_the_first_cell_to_the_last(
    tmp_path, data, settings, digits, devices
):
    """No cell relies on film reviews, on the precision of float32, or on one device."""
    first = run_first(tmp_path, READS + SHORT_PRODUCTS.format(digits=digits))
    first["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={devices}"
    first["NPROC"] = "16"  # with fewer threads virtual devices wait for each other
    settings = SMALL | generated(tmp_path, *data) | settings
    said, accuracy = run_series(tmp_path, "sample", settings, **first)
    assert f"of {devices}, computing" in said
    check_reads(tmp_path / "artifacts" / "sample")
    assert ("balanced accuracy" in said) == ("rare" in data[4])
    # Corpus and sentences have the same words.
    assert re.findall(r"\[UNK\] in the .*: (.*) %", said) == ["0.00", "0.00"]
    assert [*accuracy][-1] == "naive Bayes + pretrained"


def test_the_baseline_of_the_sample_holds_with_short_products(tmp_path):
    """Notebook 1 compares sums of weights; later checks have wide margins."""
    first = run_first(tmp_path, SHORT_PRODUCTS.format(digits=7))
    command = "-m", "papermill", NOTEBOOKS[0], tmp_path / "executed.ipynb"
    run_python(*command, "--cwd", tmp_path, TUTORIAL_ARTIFACTS=str(tmp_path), **first)


@pytest.mark.parametrize("foreign", [100, 300])
def test_text_that_the_vocabulary_lacks_is_named(tmp_path, foreign):
    """Notebook 2 tolerates a sixteenth of such text, but not a sixth."""
    lines = ["all of it is known"] * 300 + ["слова"] * foreign
    rows = [f"known{' it' * n},{n % 2}" for n in range(60)]
    pieces = [*normalization.SPECIAL_TOKENS, *lines[0].split()]
    for name, content in (
        ("corpus", lines),
        ("task", ["text,label", *rows]),
        ("own", pieces),
    ):
        (tmp_path / f"{name}.csv").write_text("\n".join(content), "utf-8")
    settings = SMALL | {"vocabulary": str(tmp_path / "own.csv"), "vocabulary_size": 10}
    settings |= {name: str(tmp_path / f"{name}.csv") for name in ("corpus", "task")}
    path = tmp_path / "executed.ipynb"
    arguments = ["-y", f"OVERRIDES: {json.dumps(settings)}", "--cwd", tmp_path]
    command = "-m", "papermill", NOTEBOOKS[1], path, *arguments
    process = start_python(*command, TUTORIAL_ARTIFACTS=str(tmp_path))
    printed, _ = process.communicate(timeout=300)
    assert bool(process.returncode) == (foreign == 300), printed
    assert ("More than a tenth of the text is [UNK]" in printed) == (foreign == 300)
    assert re.search(
        "no piece for these characters of it: [слова]{5}", path.read_text("utf-8")
    )
    assert (tmp_path / "sample" / "rows.bin").exists() == (foreign == 100)
