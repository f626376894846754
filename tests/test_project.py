"""Checks across the project: versions, imports, links, words."""

import ast
import itertools
import re
import tomllib
import urllib.parse

import nbformat
import pytest
from markdown_it import MarkdownIt
from packaging.requirements import Requirement

from conftest import NOTEBOOKS, REPOSITORY, SOLUTIONS, plain, run_python

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
MODULES = {path.stem: path for path in (REPOSITORY / "helpers").glob("*.py")}
BENCHMARKS = (REPOSITORY / "benchmarks").glob("*.py")


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
    # The versions in the README for GPUs and TPUs.
    readme = (REPOSITORY / "README.md").read_text("utf-8")
    assert {*re.findall(r'"jax\[[\w-]+\]==([\d.]+)"', readme)} == {pins["jax"]}
    hooks = (REPOSITORY / ".pre-commit-config.yaml").read_text("utf-8")
    assert f"rev: v{pins['ruff']} " in hooks


def test_the_newest_version_is_the_same_everywhere():
    changes = (REPOSITORY / "CHANGELOG.md").read_text("utf-8")
    version, date = re.search(r"^## (\S+) - (\S+)$", changes, re.MULTILINE).groups()
    assert version == PROJECT["version"]
    citation = (REPOSITORY / "CITATION.cff").read_text("utf-8")
    assert f"\nversion: {version}\ndate-released: {date}\n" in citation


@pytest.mark.parametrize(
    "backend", ["jax", pytest.param("tensorflow", marks=pytest.mark.slow)]
)
def test_choosing_a_backend_says_nothing(backend):
    program = (
        "import helpers, sys; assert 'keras' not in sys.modules\n"
        f"assert helpers.choose_backend('jax') == '{backend}'"
    )
    assert run_python("-c", program, KERAS_BACKEND=backend) == ""


def test_the_order_of_axes_is_that_of_text_whatever_the_reader_has_set(tmp_path):
    (tmp_path / "keras.json").write_text('{"image_data_format": "channels_first"}')
    program = "import helpers; helpers.choose_backend(); import keras\n"
    program += "print(keras.config.image_data_format())"
    assert run_python("-c", program, KERAS_HOME=str(tmp_path)) == "channels_last\n"


def test_nothing_that_runs_code_from_a_file_is_used():
    """Models load in Keras' safe mode, the default, and arrays without pickle."""
    folders = [(REPOSITORY / name).glob("*.py") for name in ("benchmarks", "scripts")]
    for path in (*MODULES.values(), *itertools.chain(*folders), *NOTEBOOKS, *SOLUTIONS):
        text = path.read_text("utf-8")
        found = re.search(r"pickle|safe_mode|joblib|unsafe|\beval\(|\bexec\(", text)
        assert not found, f"{path.name}: {found[0]}"


def uses(source):
    """Pairs of module and name that code uses, among them those of `helpers`."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found.add((node.value.id.replace("helpers", "__init__"), node.attr))
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("helpers."):
            module = node.module.removeprefix("helpers.")
            found |= {(module, name.name) for name in node.names}
    return found


# A module imports only those of earlier layers; plots imports none.
LAYERS = (
    "findings intervals plots profiles storage",
    "corpora normalization",
    "checkpoints counting masking models tables wordpieces",
    "baselines kerashub packing pretraining tasks",
    "finetuning",
    "hardware probes records",
)


def imports(source):
    """The modules of `helpers` that code imports."""
    modules = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module == "helpers":
            modules |= {name.name for name in node.names}
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("helpers."):
            modules.add(node.module.removeprefix("helpers."))
    return modules


def test_helpers_are_imported_in_one_direction():
    before = set()
    for layer in LAYERS:
        for module in layer.split():
            assert imports(MODULES[module].read_text("utf-8")) <= before, module
        before |= {*layer.split()}
    assert before | {"__init__"} == {*MODULES}


def names(source):
    """The public names that a module defines."""
    found = set()
    for node in ast.parse(source).body:
        found.add(getattr(node, "name", "_"))
        for target in getattr(node, "targets", []):
            found |= {one.id for one in ast.walk(target) if isinstance(one, ast.Name)}
    return {name for name in found if not name.startswith("_")}


def test_every_name_in_helpers_is_used_elsewhere():
    """In a notebook, a solution, a program or another module; but for constants."""
    code = {name: path.read_text("utf-8") for name, path in MODULES.items()}
    used = {name: uses(source) for name, source in code.items()}
    for path in (*NOTEBOOKS, *SOLUTIONS):
        cells = nbformat.read(path, as_version=4).cells
        used[path] = uses("\n".join(plain(c) for c in cells if c.cell_type == "code"))
    scripts = [*(REPOSITORY / "scripts").glob("*.py"), *BENCHMARKS]
    for path in scripts:
        used[path] = uses(path.read_text("utf-8"))
    alone = []
    for module, source in code.items():
        if module == "kerashub":  # travels with presets; notebook 5 has the same classes
            continue
        elsewhere = set().union(*(found for name, found in used.items() if name != module))
        for name in names(source):
            # Types of arguments and results are named only in docstrings.
            described = name in ("Profile", "Task", "Rows")
            if not (name.isupper() or described) and (module, name) not in elsewhere:
                alone.append(f"{module}.{name}")
    assert not alone


def written():
    """All pages of text: a dict from path to Markdown."""
    names = "README.md", "CONTRIBUTING.md", "CHANGELOG.md"
    names += "benchmarks/README.md", "notebooks/glossary.md"
    pages = {REPOSITORY / name: (REPOSITORY / name).read_text("utf-8") for name in names}
    for path in (*NOTEBOOKS, *SOLUTIONS):
        cells = nbformat.read(path, as_version=4).cells
        pages[path] = "\n\n".join(c.source for c in cells if c.cell_type == "markdown")
    return pages


def tokens_of(page):
    """Yields all tokens of a page's Markdown: blocks and their children."""
    for token in MarkdownIt("commonmark").enable("table").parse(page):
        yield token
        yield from token.children or ()


def anchors(path, page):
    """The anchors of a page's headings, as in GitHub or in JupyterLab."""
    headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    if path.suffix == ".ipynb":
        return {heading.replace(" ", "-") for heading in headings}
    return {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}


def test_links_lead_somewhere():
    pages = written()
    for path, page in pages.items():
        for token in tokens_of(page):
            target = token.attrs.get("href", token.attrs.get("src"))
            if target is None or target.startswith("https://"):
                continue
            file, _, anchor = urllib.parse.unquote(target).partition("#")
            leads = (path.parent / file).resolve() if file else path
            assert target, path.name
            assert leads.exists(), f"{path.name}: {target}"
            assert not anchor or anchor in anchors(leads, pages[leads]), target


def test_links_are_written_as_links():
    for path, page in written().items():
        for token in tokens_of(page):
            # A missing bracket, a space in between, or a bare address.
            wrong = r"\]\s*\(|https?://|\[[^]]*\]\["
            found = token.type == "text" and re.search(wrong, token.content)
            assert not found, f"{path.name}: {token.content}"
            # A picture has alternative text.
            assert token.content or token.type != "image", f"{path.name}: {token.attrs}"


def test_words_are_spelt_as_dictionaries_have_them():
    folders = "helpers", "scripts", "notebooks", "benchmarks", "book"
    pages = "README.md", "CONTRIBUTING.md", "CHANGELOG.md"
    run_python("-m", "codespell_lib", *pages, *folders)


# What the field has other words for: objective, context, to overfit, probability, accuracy.
PRIVATE = "whoever", "by heart", "the company they keep", "legs?", "chances?", "games?"
PRIVATE = re.compile(rf"\b({'|'.join(PRIVATE)}|(is|are) right in)\b", re.IGNORECASE)


def test_words_are_those_of_the_field():
    folders = "helpers", "scripts", "notebooks", "benchmarks", "book", "tests"
    paths = [path for name in folders for path in (REPOSITORY / name).rglob("*.*")]
    paths += [*REPOSITORY.glob("*.md"), REPOSITORY / "Makefile"]
    for path in paths:
        if path.suffix == ".ipynb":
            text = "\n".join(cell.source for cell in nbformat.read(path, 4).cells)
        elif path.suffix in (".py", ".md", ".toml", ".svg", ".yml", ""):
            text = path.read_text("utf-8")
        else:
            continue
        for line in text.splitlines():
            found = PRIVATE.search(line)
            assert not found or line.startswith("PRIVATE = "), f"{path.name}: {line}"


@pytest.mark.parametrize("path", [*NOTEBOOKS, *SOLUTIONS, REPOSITORY / "README.md"])
def test_addresses_are_those_of_pyproject(path):
    name = re.escape(PROJECT["urls"]["Repository"].removeprefix("https://github.com/"))
    text = path.read_text("utf-8")
    opened = re.findall(rf"colab.research.google.com/github/{name}/blob/main/(.+?)\)", text)
    assert text.count("colab.research.google.com") == len(opened)
    expected = [path] if path.suffix == ".ipynb" else NOTEBOOKS
    assert [REPOSITORY / one for one in opened] == [*expected]
    installed = re.findall(rf"git\+https://github.com/{name}\b", text)
    assert len(installed) == text.count("git+https") == (path.suffix == ".ipynb")
