"""Checks across the project: versions, imports, links."""

import ast
import re
import tomllib
import urllib.parse

import nbformat
import pytest
from markdown_it import MarkdownIt
from packaging.requirements import Requirement

from conftest import NOTEBOOKS, REPOSITORY, SOLUTIONS, UNNUMBERED

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
MODULES = {path.stem: path for path in (REPOSITORY / "helpers").glob("*.py")}
PROGRAMS = [*REPOSITORY.glob("scripts/*.py"), *REPOSITORY.glob("benchmarks/*.py")]
DOCUMENTS = [REPOSITORY / "README.md", *REPOSITORY.glob("docs/*.md")]
ALL_NOTEBOOKS = [*NOTEBOOKS, *UNNUMBERED, *SOLUTIONS]


def test_pins_are_within_the_bounds_and_complete():
    lines = (REPOSITORY / "requirements.txt").read_text("utf-8").splitlines()
    wanted = [line for line in lines if line and not line.startswith("#")]
    assert wanted.pop() == "-e ."
    pins = dict(re.fullmatch(r"([\w-]+)==([\w.]+)", line).groups() for line in wanted)
    optional = PROJECT["optional-dependencies"].values()
    bounds = [Requirement(line) for line in sum(optional, PROJECT["dependencies"])]
    assert {bound.name for bound in bounds} == pins.keys()
    for bound in bounds:
        assert bound.specifier.contains(pins[bound.name]), bound.name
    # The versions for GPUs and TPUs
    documented = set()
    for path in DOCUMENTS:
        documented.update(re.findall(r'"jax\[[\w-]+\]==([\d.]+)"', path.read_text("utf-8")))
    assert documented == {pins["jax"]}
    hooks = (REPOSITORY / ".pre-commit-config.yaml").read_text("utf-8")
    assert f"rev: v{pins['ruff']} " in hooks
    assert f"rev: v{pins['codespell']} " in hooks


def test_the_newest_version_is_the_same_everywhere():
    changes = (REPOSITORY / "CHANGELOG.md").read_text("utf-8")
    version, date = re.search(r"^## (\S+) - (\S+)$", changes, re.MULTILINE).groups()
    assert version == PROJECT["version"]
    citation = (REPOSITORY / "CITATION.cff").read_text("utf-8")
    assert f"\nversion: {version}\ndate-released: {date}\n" in citation


def test_nothing_that_runs_code_from_a_file_is_used():
    """Models load in Keras' safe mode, the default, and arrays without pickle."""
    for path in [*MODULES.values(), *PROGRAMS, *ALL_NOTEBOOKS]:
        text = path.read_text("utf-8")
        risk = re.search(r"pickle|safe_mode|joblib|unsafe|\beval\(|\bexec\(", text)
        assert not risk, f"{path.name}: {risk[0]}"


# A module imports only those of earlier layers; plots imports none.
LAYERS = (
    "findings intervals plots profiles showing storage",
    "corpora normalization",
    "checkpoints counting masking models tables wordpieces",
    "baselines kerashub packing pretraining tasks",
    "agreement finetuning",
    "hardware presets records",
    "turns",
)


def imports(source):
    """The modules of `helpers` that code imports."""
    modules = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module == "helpers":
            modules.update(name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and str(node.module).startswith("helpers."):
            modules.add(node.module.removeprefix("helpers."))
    return modules


def test_helpers_are_imported_in_one_direction():
    before = set()
    for layer in LAYERS:
        for module in layer.split():
            assert imports(MODULES[module].read_text("utf-8")) <= before, module
        before.update(layer.split())
    assert before | {"__init__"} == set(MODULES)


def test_every_function_of_helpers_is_used_elsewhere():
    texts = {}
    for path in [*MODULES.values(), *PROGRAMS, *ALL_NOTEBOOKS]:
        texts[path] = path.read_text("utf-8")
    for module, path in MODULES.items():
        source = texts.pop(path)
        elsewhere = "\n".join(texts.values())
        for name in re.findall(r"^def ([a-z]\w+)", source, re.MULTILINE):
            # Those of kerashub.py travel with a preset.
            assert module == "kerashub" or re.search(rf"\b{name}\b", elsewhere), name
        texts[path] = source


def written():
    """All pages of text: a dict from path to Markdown."""
    pages = {}
    names = ["CONTRIBUTING.md", "CHANGELOG.md"]
    names += ["benchmarks/README.md", "benchmarks/version_0.2.md"]
    for name in names:
        pages[REPOSITORY / name] = (REPOSITORY / name).read_text("utf-8")
    for path in [*DOCUMENTS, REPOSITORY / "notebooks" / "glossary.md"]:
        pages[path] = path.read_text("utf-8")
    for path in ALL_NOTEBOOKS:
        cells = nbformat.read(path, as_version=4).cells
        text = [cell.source for cell in cells if cell.cell_type == "markdown"]
        pages[path] = "\n\n".join(text)
    return pages


def anchors(path, page):
    """The anchors of a page's headings, as in GitHub or in JupyterLab."""
    headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    if path.suffix != ".ipynb":
        headings = [re.sub(r"[^\w -]", "", heading.lower()) for heading in headings]
    return {heading.replace(" ", "-") for heading in headings}


def test_links_lead_somewhere():
    pages = written()
    for path, page in pages.items():
        tokens = MarkdownIt("commonmark").enable("table").parse(page)
        for token in tokens:
            tokens.extend(token.children or ())
            # A missing bracket, a space in between, or a bare address
            wrong = re.search(r"\]\s*\(|https?://|\[[^]]*\]\[", token.content)
            assert token.type != "text" or not wrong, f"{path.name}: {token.content}"
            target = token.attrs.get("href", token.attrs.get("src", "https://"))
            assert target, path.name
            if target.startswith("https://"):
                continue
            file, _, anchor = urllib.parse.unquote(target).partition("#")
            leads = (path.parent / file).resolve() if file else path
            assert leads.exists(), f"{path.name}: {target}"
            assert not anchor or anchor in anchors(leads, pages[leads]), target


@pytest.mark.parametrize("path", [*ALL_NOTEBOOKS, REPOSITORY / "README.md"])
def test_addresses_are_those_of_pyproject(path):
    name = re.escape(PROJECT["urls"]["Repository"].removeprefix("https://github.com/"))
    text = path.read_text("utf-8")
    opened = re.findall(rf"colab.research.google.com/github/{name}/blob/main/(.+?)\)", text)
    assert text.count("colab.research.google.com") == len(opened)
    expected = [path] if path.suffix == ".ipynb" else NOTEBOOKS
    assert [REPOSITORY / notebook for notebook in opened] == expected
    installed = re.findall(rf"git\+https://github.com/{name}\b", text)
    assert len(installed) == text.count("git+https") == (path.suffix == ".ipynb")
