"""What holds the project together: versions, imports, words."""

import os
import re
import subprocess
import sys
import tomllib
import urllib.parse

import nbformat
import pytest
from conftest import REPOSITORY, run_python
from markdown_it import MarkdownIt
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from helpers import results

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]


def pins():
    """The lines of requirements.txt: name to version."""
    lines = (REPOSITORY / "requirements.txt").read_text("utf-8").splitlines()
    wanted = [line for line in lines if line and not line.startswith("#")]
    assert wanted.pop() == "-e ."
    matched = [re.fullmatch(r"([\w-]+)==([\w.]+)", line) for line in wanted]
    assert all(matched), "pin every requirement exactly"
    return {canonicalize_name(match[1]): match[2] for match in matched}


def test_pins_are_within_the_bounds_and_complete():
    optional = PROJECT["optional-dependencies"]
    bounds = {
        canonicalize_name(Requirement(line).name): Requirement(line)
        for lines in (PROJECT["dependencies"], *optional.values())
        for line in lines
    }
    assert bounds.keys() == pins().keys()
    for name, version in pins().items():
        assert bounds[name].specifier.contains(version), name


def test_conda_gets_the_same_environment():
    text = (REPOSITORY / "environment.yml").read_text("utf-8")
    dependencies = re.findall(r"^ +- (.+)$", text.split("dependencies:")[1], re.MULTILINE)
    python, *others = dependencies
    # Everything but Python comes from requirements.txt itself.
    assert others == ["pip", "pip:", "-r requirements.txt"]
    assert Requirement(f"python{PROJECT['requires-python']}").specifier.contains(
        python.removeprefix("python=")
    )


def test_packages_that_were_asked_for_are_there():
    asked = {"keras", "keras-hub", "tensorflow", "jax", "jupyterlab", "matplotlib", "nbval"}
    assert asked <= pins().keys()


def test_importing_helpers_is_quick_and_leaves_the_backend_open():
    program = (
        "import time, sys; before = time.perf_counter(); import helpers;"
        "print(time.perf_counter() - before, 'keras' in sys.modules)"
    )
    printed = run_python(program).split()
    assert float(printed[0]) < 1
    assert printed[1] == "False"


@pytest.mark.parametrize("backend", ["jax", "tensorflow"])
def test_choosing_a_backend_says_nothing(backend):
    program = "import helpers; assert helpers.choose_backend('jax') == '" + backend + "'"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=REPOSITORY,
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_nothing_that_runs_code_from_a_file_is_used():
    """Models load in Keras' safe mode, which is its default, and arrays without pickle."""
    sources = [*(REPOSITORY / "helpers").glob("*.py")]
    sources += (REPOSITORY / "benchmarks").glob("*.py")
    sources += (REPOSITORY / "notebooks").glob("**/*.ipynb")
    for path in sources:
        text = path.read_text("utf-8")
        found = re.search(r"pickle|safe_mode|joblib|unsafe|\beval\(|\bexec\(", text)
        assert not found, f"{path.name}: {found[0]}"


def written():
    """The pages that people read: path to Markdown."""
    pages = {
        path: path.read_text("utf-8")
        for path in (
            REPOSITORY / "README.md",
            REPOSITORY / "benchmarks" / "README.md",
            REPOSITORY / "notebooks" / "glossary.md",
        )
    }
    for path in (REPOSITORY / "notebooks").glob("**/*.ipynb"):
        cells = nbformat.read(path, as_version=4).cells
        pages[path] = "\n\n".join(c.source for c in cells if c.cell_type == "markdown")
    return pages


def tokens_of(page):
    """All tokens of a page's Markdown: blocks, and what stands in them."""
    parser = MarkdownIt("commonmark").enable("table")
    for token in parser.parse(page):
        yield token
        yield from token.children or ()


def anchors(path, page):
    """The names of the page's headings, as GitHub makes them, or JupyterLab."""
    headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    if path.suffix == ".ipynb":
        return {heading.replace(" ", "-") for heading in headings}
    return {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}


def test_links_lead_somewhere():
    pages = written()
    for path, page in pages.items():
        for token in tokens_of(page):
            target = token.attrs.get("href") or token.attrs.get("src")
            if target is None or target.startswith("https://"):
                continue
            file, _, anchor = urllib.parse.unquote(target).partition("#")
            leads = (path.parent / file).resolve() if file else path
            assert leads.exists(), f"{path.name}: {target}"
            if anchor:
                assert anchor in anchors(leads, pages[leads]), f"{path.name}: {target}"


def test_links_are_written_as_links():
    for path, page in written().items():
        for token in tokens_of(page):
            if token.type == "text":
                # A bracket too few, a blank between, or an address without brackets.
                found = re.search(r"\]\s*\(|https?://|\[[^]]*\]\[", token.content)
                assert not found, f"{path.name}: {token.content}"
            if token.type == "link_open":
                assert token.attrs["href"], path.name
            if token.type == "image":
                assert token.content, f"{path.name}: {token.attrs['src']} says nothing"


def test_words_are_spelt_as_dictionaries_have_them():
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "codespell_lib",
            "README.md",
            "helpers",
            "notebooks",
            "benchmarks",
            "book",
        ],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def test_the_curve_that_notebook_4_draws_is_that_of_the_benchmark():
    text = (REPOSITORY / "benchmarks" / "labels.md").read_text("utf-8")
    header, _, *rows = [
        [part.strip() for part in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("|")
    ]
    told = {
        (int(labels), model): [float(part) for part in re.findall(r"[\d.]+", figures)]
        for labels, *cells in rows
        for model, figures in zip(header[1:], cells, strict=True)
    }
    drawn = results.label_curve()[["accuracy", "low", "high"]]
    assert told.keys() == {*drawn.index}
    for place, row in drawn.iterrows():
        # Two decimals and one.
        assert list(row) == pytest.approx(told[place], abs=0.0551)
