"""The notebooks in Colab: each alone, beside Colab's own packages."""

import json
import os
import re
import shutil
import subprocess
import sys

import nbformat
import pytest
from conftest import REPOSITORY

from helpers import colab, results

NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))
SOLUTIONS = sorted((REPOSITORY / "notebooks" / "solutions").glob("*.ipynb"))

# What Colab had at the end of 2025, other than requirements.txt but within the bounds; and
# a Keras that is too old for the series. nbclient takes the place of Colab's front end.
THERE = [
    "jax==0.7.2",
    "tensorflow==2.19.0",
    "numpy==2.0.2",
    "pandas==2.2.2",
    "ipywidgets==7.7.1",
]
TOO_OLD = ["keras==3.10.0"]
FRONT_END = ["ipykernel", "nbclient"]

# Enough to run every cell.
OVERRIDES = {
    "pretraining_steps": 20,
    "race_steps": 10,
    "counted_rows": 20000,
    "repeats": 1,
    "baseline_few_epochs": 1,
    "finetuning_epochs": 1,
    "scratch_few_epochs": 1,
}

# Colab's module: its drive is a folder that the environment names.
DRIVE = """
import os

from helpers import colab


def mount(path):
    assert path == "/content/drive"
    colab.ON_DRIVE = os.environ["STUB_DRIVE"]
"""

RUN = """
import sys, nbclient, nbformat

notebook = nbformat.read(sys.argv[1], as_version=4)
nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
nbformat.write(notebook, sys.argv[1])
"""


def test_addresses_are_those_of_pyproject():
    stamped = colab.repository()
    for path in (*NOTEBOOKS, *SOLUTIONS, REPOSITORY / "README.md"):
        text = path.read_text("utf-8")
        installed = re.findall(r"git\+https://github\.com/([\w.-]+/[\w.-]+)", text)
        opened = re.findall(
            r"colab\.research\.google\.com/github/([\w.-]+/[\w.-]+)/blob/main/([\w./-]+)\)",
            text,
        )
        assert {*installed, *(name for name, _ in opened)} <= {stamped}, path.name
        if path.suffix == ".ipynb":
            assert len(installed) == 1, path.name
            assert [at for _, at in opened] == [str(path.relative_to(REPOSITORY))]
        else:
            assert len(opened) == len(results.NOTEBOOKS)


def test_stamping_puts_the_name_everywhere(tmp_path, monkeypatch, capsys):
    for name in "pyproject.toml", "README.md":
        shutil.copy(REPOSITORY / name, tmp_path)
    shutil.copytree(REPOSITORY / "notebooks", tmp_path / "notebooks")
    monkeypatch.setattr(colab, "_CHECKOUT", tmp_path)
    old = colab.repository()
    assert colab.main(["no repository"]) == 2
    assert "names no repository" in capsys.readouterr().err
    assert colab.main(["someone/their-series"]) == 0
    assert colab.repository() == "someone/their-series"
    paths = [path for path in tmp_path.glob("**/*") if path.is_file()]
    assert not [path for path in paths if old.encode() in path.read_bytes()]
    for path in tmp_path.glob("notebooks/**/*.ipynb"):
        nbformat.validate(nbformat.read(path, as_version=4))
        assert path.read_text("utf-8").count("someone/their-series") == 2


def test_drive_is_for_colab_only():
    colab.keep_on_drive(False)
    with pytest.raises(colab.ColabError, match="reached from Colab only: set it to False"):
        colab.keep_on_drive(True)


def run(*command, **options):
    done = subprocess.run(
        [*map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **options,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """A machine like Colab's: its Python, and the environment of its processes."""
    if not shutil.which("git"):
        pytest.skip("the notebooks are installed with git")
    folder = tmp_path_factory.mktemp("colab")
    # A repository with what is in this checkout, committed or not.
    repository = folder / "repository"
    repository.mkdir()
    for name in "pyproject.toml", "README.md", "LICENSE":
        shutil.copy(REPOSITORY / name, repository)
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "helpers", repository / "helpers", ignore=ignore)
    author = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    run("git", "init", "--quiet", cwd=repository)
    run("git", "add", "--all", cwd=repository)
    run("git", *author, "commit", "--quiet", "-m", "all", cwd=repository)

    (folder / "stub" / "google" / "colab").mkdir(parents=True)
    (folder / "stub" / "google" / "colab" / "drive.py").write_text(DRIVE)
    run(sys.executable, "-m", "venv", folder / "venv")
    python = folder / "venv" / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run(*install, *THERE, *TOO_OLD, *FRONT_END)
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("KERAS_", "JAX_", "TUTORIAL_", "PYTHON", "VIRTUAL_ENV"))
    }
    return python, {
        **inherited,
        "PATH": f"{python.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(folder / "stub"),
        "STUB_DRIVE": str(folder / "drive"),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.file://{repository}.insteadOf",
        "GIT_CONFIG_VALUE_0": f"https://github.com/{colab.repository()}",
    }


def installed(python):
    listed = run(python, "-m", "pip", "list", "--format", "json")
    return {
        package["name"]: package["version"]
        for package in json.loads(re.search(r"^\[.*\]$", listed, re.MULTILINE)[0])
    }


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_each_notebook_runs_alone(machine, tmp_path, path):
    python, environment = machine
    before = installed(python)
    if "pretraining-tutorial" in before:
        run(python, "-m", "pip", "uninstall", "--quiet", "--yes", "pretraining-tutorial")
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if "parameters" in cell.metadata.get("tags", []):
            cell.source = f'PROFILE = "sample"\nOVERRIDES = {OVERRIDES}\nDRIVE = True'
    nbformat.write(notebook, tmp_path / path.name)
    run(python, "-c", RUN, path.name, cwd=tmp_path, env=environment)
    # The front end writes what was executed; the notebook itself leaves nothing here.
    assert [left.name for left in tmp_path.iterdir()] == [path.name]
    after = installed(python)
    for name in "jax", "jaxlib", "tensorflow", "numpy":
        assert after[name] == before[name]
    assert after["keras"] != TOO_OLD[0].partition("==")[2]
    for cell in nbformat.read(tmp_path / path.name, as_version=4).cells:
        for output in cell.get("outputs", []):
            assert output.get("name") != "stderr", output.text
