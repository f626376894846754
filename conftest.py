"""How `pytest --nbval notebooks` runs and compares the notebooks.

It writes into a folder of its own: what `make tutorial` left is neither used nor lost. By
default, pretraining and comparisons are shortened, and cells whose output a training or the
shortening decides are not compared; contracts are still asserted. With `--full` everything
runs as readers run it, and findings (helpers/findings.py) are asserted, too.
"""

import os
import pathlib
import re
import shutil

ARTIFACTS = pathlib.Path(__file__).resolve().parent / "artifacts"

# What a shortened run overrides: enough to execute every cell. A single length of rows
# saves half of the compilations.
SHORTENED = (
    "OVERRIDES = {'pretraining_steps': 3, 'repeats': 1, 'finetuning_epochs': 1, "
    "'sentence_lengths': [48]}"
)

# Numbers with a decimal point. In cells with the tag `trained` they come out of a training:
# a check after such a cell says what must hold of them.
FIGURE = re.compile(r"(?<![\w.])[-+]?\d[\d,]*\.\d+(?:e[-+]?\d+)?(?![\w.]*\d)")


def pytest_addoption(parser):
    parser.addoption(
        "--full",
        action="store_true",
        help="with --nbval: run the notebooks without shortening them",
    )


def pytest_configure(config):
    if config.getoption("nbval", False):
        folder = ARTIFACTS / ("tested" if config.getoption("full") else "shortened")
        os.environ["TUTORIAL_ARTIFACTS"] = str(folder)
        # The path of a file collects their values instead (benchmarks/spread.py).
        os.environ.setdefault("TUTORIAL_FINDINGS", "raise")


def pytest_collection_modifyitems(session, config, items):
    if not config.getoption("nbval", False):
        return
    full = config.getoption("full")
    cells = [item for item in items if hasattr(item, "cell")]
    for item in cells:
        tags = item.cell.metadata.get("tags", [])
        if "trained" in tags:
            hide_figures(item)
        if not full:
            if "parameters" in tags:
                item.cell.source += f"\n{SHORTENED}"
            if {"trained", "shortened"} & set(tags):
                item.options["check"] = False
    first = any(item.path.name.startswith("01_") for item in cells)
    if first and not config.option.collectonly and not hasattr(config, "workerinput"):
        # The first notebook begins a new series. One notebook by itself goes on with what
        # is there, and workers must not delete each other's results.
        shutil.rmtree(os.environ["TUTORIAL_ARTIFACTS"], ignore_errors=True)


def hide_figures(item):
    """Lets nbval compare a cell's outputs without the numbers that have a decimal point."""
    sanitize = item.sanitize

    def without_figures(text):
        if isinstance(text, str):
            # First, because the other rules replace what stands around a figure.
            text = FIGURE.sub("FIGURE", text)
        return sanitize(text)

    item.sanitize = without_figures
