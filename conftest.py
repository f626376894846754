"""Lets `pytest --nbval notebooks` begin from nothing, in a folder of its own: what `make
tutorial` left is neither used nor lost."""

import os
import pathlib
import shutil

ARTIFACTS = pathlib.Path(__file__).resolve().parent / "artifacts" / "tested"


def pytest_configure(config):
    if config.getoption("nbval", False):
        os.environ["TUTORIAL_ARTIFACTS"] = str(ARTIFACTS)
        shutil.rmtree(ARTIFACTS, ignore_errors=True)
