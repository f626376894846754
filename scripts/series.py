"""Executes notebooks in order, each into a notebook and a web page.

    python scripts/series.py sample "{seed: 1}" artifacts/sample notebooks/*.ipynb

What cells print appears in the terminal.
"""

import argparse
import pathlib
import sys

import nbconvert
import papermill
import traitlets.config
import yaml

from helpers import profiles


def execute(notebook, folder, parameters):
    """Executes a notebook into a folder, and converts it to a page beside it."""
    # Papermill takes braces in a path for names of parameters.
    paths = [str(path).replace("{", "{{").replace("}", "}}") for path in (notebook, folder)]
    papermill.execute_notebook(
        paths[0],
        f"{paths[1]}/{notebook.name}",
        parameters,
        progress_bar=False,
        stdout_file=sys.stdout,
        cwd=".",
        # Otherwise kernels warn that this process talks to them without encryption.
        extra_arguments=["--log-level=ERROR"],
    )
    # Lines that were printed one by one become one output.
    config = traitlets.config.Config({"CoalesceStreamsPreprocessor": {"enabled": True}})
    exporter = nbconvert.HTMLExporter(config=config)
    page, _ = exporter.from_filename(str(folder / notebook.name))
    (folder / f"{notebook.stem}.html").write_text(page, "utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("profile", choices=profiles.PROFILES)
    parser.add_argument(
        "overrides", type=yaml.safe_load, help="settings, as YAML in braces"
    )
    parser.add_argument("folder", type=pathlib.Path, help="where the results go")
    parser.add_argument("notebooks", type=pathlib.Path, nargs="+")
    asked = parser.parse_args()
    try:
        profiles.load_profile(asked.profile, **asked.overrides)
    except (ValueError, TypeError) as error:
        parser.error(" ".join(str(error).split()))
    asked.folder.mkdir(parents=True, exist_ok=True)
    for notebook in asked.notebooks:
        execute(
            notebook, asked.folder, {"PROFILE": asked.profile, "OVERRIDES": asked.overrides}
        )


if __name__ == "__main__":
    main()
