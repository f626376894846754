"""Each notebook runs alone, as in Colab, with Colab's versions of packages."""

import os
import re
import shutil
import subprocess

import nbformat
import pytest

from conftest import NOTEBOOKS, REPOSITORY, UNNUMBERED

pytestmark = pytest.mark.weekly

# Colab has had Python 3.13 since August 2026. These versions are from its package lists of
# that time (github.com/googlecolab/backend-info, commit f140424), except for the GPU's JAX,
# from June's list. The image for TPUs has neither TensorFlow nor KerasHub.
KEPT = {
    "gpu": {"jax==0.7.2", "numpy==2.1.3", "tensorflow==2.20.0"},
    "tpu": {"jax==0.7.2", "numpy==2.1.3", "libtpu==0.0.21.1"},
}
# The other one has a KerasHub that is too old for the series. Last, a substitute for
# Colab's front end.
THERE = ["pandas==2.2.3", "keras==3.13.2", "ipykernel", "nbclient"]

# Small enough to run every cell quickly
OVERRIDES = {"hidden_dim": 32, "num_layers": 1, "pretraining_steps": 5}
OVERRIDES |= {"repeats": 1, "finetuning_epochs": 1}

# A stub of Colab's module, whose drive is a folder given by the environment.
DRIVE = """
import os

def mount(path):
    from helpers import storage
    assert path == "/content/drive"
    storage.ON_DRIVE = os.environ["STUB_DRIVE"]
"""

RUN = """
import sys, nbclient, nbformat

notebook = nbformat.read(sys.argv[1], as_version=4)
nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
nbformat.write(notebook, sys.argv[1])
"""


def run(*command, **options):
    """Runs a program, which must succeed: its output."""
    options |= {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    done = subprocess.run([str(argument) for argument in command], **options)
    assert done.returncode == 0, done.stdout
    return done.stdout


def copy_repository(repository):
    """A repository with the files of this checkout, committed or not."""
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "helpers", repository / "helpers", ignore=ignore)
    for name in "pyproject.toml", "README.md", "LICENSE":
        shutil.copy(REPOSITORY / name, repository)
    author = "-c", "user.name=a", "-c", "user.email=a@example.org"
    run("git", "init", "--quiet", cwd=repository)
    run("git", "add", "--all", cwd=repository)
    run("git", *author, "commit", "--quiet", "-m", "all", cwd=repository)


@pytest.fixture(scope="module", params=KEPT)
def machine(request, tmp_path_factory):
    """A machine like Colab's: its Python, the environment of its processes, and the
    packages that must not change."""
    if not shutil.which("git"):
        pytest.skip("the notebooks are installed with git")
    # If pyenv manages several versions, its `python3.13` needs this.
    environment = os.environ | {"PYENV_VERSION": "3.13"}
    python = shutil.which("python3.13")
    if not python or subprocess.run([python, "--version"], env=environment).returncode:
        pytest.skip("there is no python3.13, which Colab has")
    folder = tmp_path_factory.mktemp("colab")
    copy_repository(folder / "repository")
    (folder / "stub" / "google" / "colab").mkdir(parents=True)
    (folder / "stub" / "google" / "colab" / "drive.py").write_text(DRIVE)
    run(python, "-m", "venv", folder / "venv", env=environment)
    python = folder / "venv" / "bin" / "python"
    kept = KEPT[request.param]
    packages = THERE if request.param == "tpu" else [*THERE, "keras-hub==0.26.0"]
    run(python, "-m", "pip", "install", "--quiet", *kept, *packages)
    address = re.search(r'Repository = "(.*)"', (REPOSITORY / "pyproject.toml").read_text())
    ours = "KERAS_", "JAX_", "TUTORIAL_", "PYTHON", "VIRTUAL_ENV"
    environment = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    environment |= {
        # Without a TPU its library would complain.
        "JAX_PLATFORMS": "cpu",
        "PATH": f"{python.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(folder / "stub"),
        "STUB_DRIVE": str(folder / "drive"),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.file://{folder / 'repository'}.insteadOf",
        "GIT_CONFIG_VALUE_0": address[1],
    }
    return python, environment, kept


@pytest.mark.parametrize("path", [*NOTEBOOKS, *UNNUMBERED], ids=lambda path: path.stem)
def test_each_notebook_runs_alone(machine, tmp_path, path):
    python, environment, kept = machine
    if kept == KEPT["tpu"] and path not in NOTEBOOKS[:2]:
        pytest.skip("what is installed is the same on both, but for TensorFlow")
    run(python, "-m", "pip", "uninstall", "--quiet", "--yes", "pretraining-tutorial")
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if "parameters" in cell.metadata.get("tags", []):
            cell.source = f'PROFILE = "sample"\nOVERRIDES = {OVERRIDES}\nDRIVE = True'
    nbformat.write(notebook, tmp_path / path.name)
    run(python, "-c", RUN, path.name, cwd=tmp_path, env=environment)
    # Only the front end writes here: the executed notebook.
    assert list(tmp_path.iterdir()) == [tmp_path / path.name]
    installed = run(python, "-m", "pip", "freeze").splitlines()
    assert kept < set(installed)
    assert "keras-hub==0.26.0" not in installed
    for cell in nbformat.read(tmp_path / path.name, as_version=4).cells:
        for output in cell.get("outputs", []):
            assert output.get("name") != "stderr", output.text
