"""The whole series, with other profiles and with users' text."""

import json
import random
import re
import shutil
import zipfile

import nbformat
import pandas as pd
import pooch
import pytest
import yaml

from conftest import NOTEBOOKS, REPOSITORY, UNNUMBERED, finish, run_python, start_python
from helpers import normalization, profiles, records

pytestmark = pytest.mark.slow

SERIES = [*NOTEBOOKS, *UNNUMBERED]

# Small widths, batches and numbers of steps
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

# Programs that kernels run first. This one registers smaller archives, and makes `full`
# compute in bfloat16, as on a GPU or TPU.
SMALL_ARCHIVES = """
import pathlib
import helpers
from helpers import corpora

corpora.FILES = pathlib.Path({files!r})
choose = helpers.choose_backend

def choose_and_change():
    choose()
    import keras
    from helpers import hardware

    def use_devices(profile):
        policy = profile.precision.replace("bfloat16", "mixed_bfloat16")
        keras.config.set_dtype_policy(policy)
        return f"computing in {{profile.precision}}"

    hardware.use_devices = use_devices

helpers.choose_backend = choose_and_change
"""
# Collects which settings a notebook reads, and stores them with its record. In a function,
# because notebooks have variables of the same names.
RECORD_READS = """
import helpers

helpers.choose_backend()

def watch():
    import dataclasses, json
    from helpers import profiles, records

    names = set()
    look, write = profiles.Profile.__getattribute__, records.write_record

    def look_and_record(profile, name):
        if name in profiles.SETTINGS:
            names.add(name)
        return look(profile, name)

    def unrecorded(function):
        def call(*arguments, **options):
            before = set(names)
            result = function(*arguments, **options)
            names.intersection_update(before)
            return result
        return call

    def write_with_reads(profile, notebook, *arguments, **options):
        reads = json.dumps(sorted(names))
        write(profile, notebook, *arguments, **options)
        records.path(profile, f"reads_{notebook}.json").write_text(reads)

    profiles.Profile.__getattribute__ = look_and_record
    # What copies, compares or checks all settings doesn't use them.
    dataclasses.replace = unrecorded(dataclasses.replace)
    profiles.load_profile = unrecorded(profiles.load_profile)
    profiles.is_sample = unrecorded(profiles.is_sample)
    records.inputs = unrecorded(records.inputs)
    records.write_record = write_with_reads

watch()
"""
# Gives matrix products the precision of bfloat16 or TF32, the defaults on a TPU and on an
# NVIDIA GPU.
SHORT_PRODUCTS = """
from jax import lax

bind = lax.dot_general_p.bind

def short(left, right, **options):
    if left.dtype == "float32":
        left = lax.reduce_precision(left, 8, {digits})
        right = lax.reduce_precision(right, 8, {digits})
    return bind(left, right, **options)

lax.dot_general_p.bind = short
"""


def run_first(folder, program):
    """Environment variables with which kernels run a program first."""
    startup = folder / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00-first.py").write_text(program, "utf-8")
    return {"IPYTHONDIR": str(folder)}


def start_series(folder, profile, settings, notebooks=SERIES, **environment):
    """Starts notebooks in the same way as `make series`."""
    results = folder / "artifacts" / profile
    environment["TUTORIAL_ARTIFACTS"] = str(results.parent)
    command = [REPOSITORY / "scripts" / "series.py", profile, json.dumps(settings), results]
    return start_python(*command, *notebooks, folder=folder, **environment)


def run_series(folder, profile, settings, notebooks=SERIES, **environment):
    """Runs notebooks in order: what they print. None writes to standard error."""
    process = start_series(folder, profile, settings, notebooks, **environment)
    printed = finish(process, seconds=3600)
    for path in notebooks:
        executed = folder / "artifacts" / profile / path.name
        for cell in nbformat.read(executed, as_version=4).cells:
            for output in cell.get("outputs", []):
                assert output.get("name") != "stderr", output.text
    return printed


def accuracies(folder, profile):
    """What notebook 5 has recorded for each model."""
    record = folder / "artifacts" / profile / f"{records.NOTEBOOKS[5]}.json"
    summary = json.loads(record.read_text("utf-8"))["figures"]["summary"]
    return {row["model"]: row["all labels"] for row in summary}


@pytest.fixture(scope="module")
def archives(tmp_path_factory, genuine):
    """Environment variables for a cache with smaller versions of the files that the large
    profiles download."""
    folder = tmp_path_factory.mktemp("archives")
    shutil.copy(genuine / "vocab" / "bert_vocab_uncased.txt", folder)
    raw = genuine / "wikitext" / "wiki.test.raw"
    with zipfile.ZipFile(folder / "wikitext-103-raw-v1.zip", "w") as archive:
        archive.write(raw, "wikitext-103-raw/wiki.train.raw")
        archive.write(raw, "wikitext-103-raw/wiki.valid.raw")
    with zipfile.ZipFile(folder / "SST-2.zip", "w") as archive:
        for part, count in ("train", 300), ("dev", 100):  # as many are held out
            lines = (genuine / "SST-2" / f"{part}.tsv").read_bytes().splitlines(True)
            archive.writestr(f"SST-2/{part}.tsv", b"".join(lines[:count]))
    known = ""
    for path in folder.glob("*.*"):
        known += f"{path.name} {pooch.file_hash(str(path))} http://127.0.0.1:1/\n"
    (folder / "files.txt").write_text(known)
    first = run_first(folder, SMALL_ARCHIVES.format(files=str(folder / "files.txt")))
    return first | {"TUTORIAL_CACHE": str(folder)}


@pytest.mark.weekly
@pytest.mark.parametrize(
    ("name", "precision"), [("guide", "float32"), ("full", "bfloat16")]
)
def test_the_large_profiles_run(archives, tmp_path, name, precision):
    sizes = {"hidden_dim": 64, "batch_size": 4, "pretraining_steps": 2, "few_labels": 64}
    sizes = SMALL | sizes | {"num_layers": profiles.load_profile(name).num_layers}
    printed = run_series(tmp_path, name, sizes, **archives)
    assert f"computing in {precision}" in printed
    assert "pretrained" in accuracies(tmp_path, name)


def test_the_example_of_own_text_runs(tmp_path):
    """Users' text and classes, with a smaller and faster encoder."""
    page = (REPOSITORY / "docs" / "own_text.md").read_text("utf-8")
    program = re.search(r"```python\n(.*?)```", page, re.DOTALL)[1]
    run_python("-c", program, folder=tmp_path)
    labels = tmp_path / "labels.csv"
    pd.read_csv(labels)[::5].to_csv(labels, index=False)  # a fifth is enough here
    settings = yaml.safe_load("{" + re.search(r'SETTINGS="(.*?)"', page)[1] + "}")
    settings |= {"hidden_dim": 64, "num_layers": 1, "pretraining_steps": 20}
    settings |= {"repeats": 1, "finetuning_epochs": 1}
    run_series(tmp_path, "sample", settings)
    # Four classes, which words alone distinguish well
    accuracy = accuracies(tmp_path, "sample")
    assert accuracy["naive Bayes"] > 50
    assert accuracy["pretrained"] > 50


LATIN, RUSSIAN = "abcdefghijklmnopqrstuvwxyz", "абвгдежзиклмнопрстуфхцчшыэюя"
MANY = [f"{'$' * (number % 3)}類 {number}" for number in range(150)]


def draw_words(rng, alphabet, count):
    """Random words of two to seven letters."""
    words = []
    for _ in range(count):
        words.append("".join(rng.choices(alphabet, k=rng.randint(2, 7))))
    return words


def sentences(alphabet, known, texts, words_in_text, words_in_row, sizes):
    """Random texts, and rows of texts with the names of their classes, given with their
    sizes: each has three words of its own."""
    rng = random.Random(0)
    words = draw_words(rng, alphabet, known)
    corpus = []
    for _ in range(texts):
        corpus.append(" ".join(rng.choices(words, k=words_in_text)))
    rows = []
    for number, (name, size) in enumerate(sizes.items()):
        for _ in range(size):
            own = rng.choices(words[3 * number : 3 * number + 3], k=2)
            row = rng.choices(words, k=words_in_row - 2) + own
            rows.append((" ".join(row), name))
    return corpus, rows


def surnames():
    """Texts of one word, and rows of them with the country that their ending tells."""
    rng = random.Random(0)
    corpus = []
    rows = []
    for word in sorted(set(draw_words(rng, LATIN, 500)))[:400]:
        ending, country = rng.choice([("ov", "Russia"), ("ez", "Spain")])
        corpus.append(word + ending)
        rows.append((word + ending, country))
    return corpus, rng.sample(rows, 200)


def write_data(folder, corpus, rows):
    """Writes texts and rows into a folder with spaces in its name: the settings."""
    folder = folder / "my own text"
    folder.mkdir()
    (folder / "corpus.txt").write_text("\n".join(corpus), "utf-8")
    table = pd.DataFrame(rows, columns=["text", "label"])
    table.to_csv(folder / "table.CSV", index=False, sep=";")
    return {"corpus": str(folder / "corpus.txt"), "task": str(folder / "table.CSV")}


def check_reads(folder):
    """Each notebook reads the settings that helpers/profiles.py say, and no others."""
    for notebook, depends in profiles.DEPENDS.items():
        reads = set(json.loads((folder / f"reads_{notebook}.json").read_text()))
        declared = set(depends.split() + profiles.SHOWS[notebook].split())
        allowed = set(declared)
        for earlier in records.READS[notebook]:
            allowed.update(profiles.DEPENDS[earlier].split())
        assert declared <= reads <= allowed, notebook


SHORT = sentences(LATIN, 60, 3000, 5, 5, {"often": 980, "rare": 20})
LONG = sentences(RUSSIAN, 3000, 150, 500, 500, {f"Тема {n}": 15 for n in range(20)})
ONE_LINE = sentences(LATIN, 40_000, 1, 300_000, 30, dict.fromkeys(MANY, 12))


@pytest.mark.parametrize(
    ("data", "settings", "digits", "devices", "message"),
    [
        pytest.param(
            SHORT,
            {"vocabulary_size": 150, "sequence_length": 16, "sentence_lengths": [16]},
            7,
            8,
            "balanced accuracy",
            id="short texts, a class of 2 %, few pieces, short rows; bfloat16; 8 devices",
        ),
        pytest.param(
            LONG,
            {"vocabulary_size": 2000, "sequence_length": 256, "sentence_lengths": [64]},
            10,
            4,
            "",
            id="texts of 500 words, 20 classes, long rows; TF32; 4 devices",
        ),
        pytest.param(
            ONE_LINE,
            {"vocabulary_size": 30_000, "lowercase": False, "few_labels": 400},
            23,
            2,
            "",
            id="a corpus of one line, many pieces, 150 classes; float32; 2 devices",
        ),
        pytest.param(
            surnames(),
            {"vocabulary_size": 150, "sequence_length": 16, "few_labels": 60},
            23,
            1,
            r"search for halves is left out\.",
            id="texts of one word; float32; 1 device",
        ),
    ],
)
def test_other_data_runs_from_the_first_cell_to_the_last(
    tmp_path, data, settings, digits, devices, message
):
    """No cell relies on film reviews, on the precision of float32, or on one device."""
    first = run_first(tmp_path, RECORD_READS + SHORT_PRODUCTS.format(digits=digits))
    first["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={devices}"
    first["NPROC"] = "16"  # with fewer threads virtual devices wait for each other
    corpus, rows = data
    settings = SMALL | write_data(tmp_path, corpus, rows) | settings
    printed = run_series(tmp_path, "sample", settings, **first)
    assert f"of {devices}, computing" in printed
    check_reads(tmp_path / "artifacts" / "sample")
    assert re.search(message, printed)
    # Corpus and sentences have the same words.
    assert re.findall(r"\[UNK\] in the .*: (.*) %", printed) == ["0.00", "0.00"]
    assert "pretrained" in accuracies(tmp_path, "sample")


def test_the_baseline_of_the_sample_holds_with_short_products(tmp_path):
    """Notebook 1 compares sums of weights; later checks have wide margins."""
    first = run_first(tmp_path, SHORT_PRODUCTS.format(digits=7))
    run_series(tmp_path, "sample", {}, NOTEBOOKS[:1], **first)


def test_text_that_the_vocabulary_lacks_is_named(tmp_path):
    """A sixth of it is in another alphabet."""
    corpus = ["all of it is known"] * 300 + ["слова"] * 300
    rows = [(f"known{' it' * number}", number % 2) for number in range(60)]
    pieces = [*normalization.SPECIAL_TOKENS, *corpus[0].split()]
    (tmp_path / "pieces.txt").write_text("\n".join(pieces), "utf-8")
    settings = SMALL | write_data(tmp_path, corpus, rows)
    settings |= {"vocabulary": str(tmp_path / "pieces.txt"), "vocabulary_size": 10}
    process = start_series(tmp_path, "sample", settings, NOTEBOOKS[1:2])
    printed, _ = process.communicate(timeout=600)
    assert process.returncode != 0
    assert re.search("no piece for these characters of it: [слова]{5}", printed)
    assert "More than a tenth of the text is [UNK]" in printed
