"""Runs the notebooks in order: what `make tutorial` and `make outputs` call."""

import argparse
import ast
import base64
import pathlib
import sys
import textwrap
import time

import nbclient
import nbformat
from nbconvert import HTMLExporter
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

from helpers import profiles, results, widgets

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "notebooks"


class _Progress:
    """Prints a line for each cell: its number, its seconds and how it begins."""

    def __init__(self, name, notebook):
        self.name = name
        self.cells = sum(cell.cell_type == "code" for cell in notebook.cells)
        self.done = 0
        self.started = 0.0

    def start(self, cell, cell_index):
        self.started = time.perf_counter()

    def executed(self, cell, cell_index, execute_reply):
        self.done += 1
        seconds = time.perf_counter() - self.started
        begins = textwrap.shorten(cell.source.split("\n")[0], 60, placeholder=" ...")
        print(
            f"{self.name[:2]} {self.done:3}/{self.cells} {seconds:7.1f} s  {begins}",
            flush=True,
        )


def execute(name, parameters=None):
    """Executes one notebook in a fresh kernel.

    Args:
        name: string, one of `results.NOTEBOOKS`, or "solutions/" and one of them.
        parameters: dict of values for the cell tagged `parameters`; None leaves the
            notebook as it is.

    Returns:
        The notebook with its outputs, and the error that stopped it, or None.
    """
    path = FOLDER / f"{name}.ipynb"
    if parameters is None:
        notebook = nbformat.read(path, as_version=4)
    else:
        notebook = parameterize_notebook(load_notebook_node(str(path)), parameters)
    progress = _Progress(name, notebook)
    client = nbclient.NotebookClient(
        notebook,
        timeout=None,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        # Where the command was given, so that paths among the settings can be relative.
        resources={"metadata": {"path": str(pathlib.Path.cwd())}},
        on_cell_start=progress.start,
        on_cell_executed=progress.executed,
        # The kernel would warn of other users of this machine in every notebook.
        extra_arguments=["--log-level=ERROR"],
    )
    error = None
    try:
        client.execute()
    except nbclient.exceptions.CellExecutionError as stopped:
        error = stopped
    # A stored box has no kernel to answer it: its text stays.
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(widgets.WIDGET, None)
    notebook.metadata.pop("widgets", None)
    return notebook, error


def store(notebook, name):
    """Writes a notebook back with its outputs, without what differs each time."""
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {
                "display_name": "Python 3 (ipykernel)",
                "language": "python",
                "name": "python3",
            },
            "language_info": {"name": "python"},
        }
    )
    nbformat.write(notebook, FOLDER / f"{name}.ipynb")
    for cell in notebook.cells:
        # The picture in README.md.
        if "result" in cell.metadata.get("tags", []):
            picture = next(o.data["image/png"] for o in cell.outputs if "data" in o)
            (FOLDER / "result.png").write_bytes(base64.b64decode(picture))


def write(notebook, profile, name):
    """Writes an executed notebook and its HTML among the profile's artifacts."""
    nbformat.write(notebook, results.path(profile, f"{name}.ipynb"))
    page, _ = HTMLExporter().from_notebook_node(notebook)
    results.path(profile, f"{name}.html").write_text(page, "utf-8")


def overrides(assignments):
    """Settings from the command line: `seed=1` is a number, `corpus=my.txt` a string.

    Args:
        assignments: list of strings, each `setting=value`.

    Returns:
        A dict of setting to value.

    Raises:
        ProfileError: one has no equals sign.
    """
    values = {}
    for assignment in assignments:
        setting, equals, value = assignment.partition("=")
        if not equals:
            raise profiles.ProfileError(
                f"`{assignment}` sets nothing: give a setting as in seed=1."
            )
        try:
            values[setting] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            values[setting] = value
    return values


def main(arguments=None):
    """The command line. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m helpers.tutorial", description=__doc__)
    parser.add_argument("profile", nargs="?", default="sample")
    parser.add_argument(
        "settings", nargs="*", metavar="setting=value", help="replaces one of the profile"
    )
    parser.add_argument(
        "--in-place", action="store_true", help="refresh the notebooks' stored outputs"
    )
    options = parser.parse_args(arguments)
    try:
        replaced = overrides(options.settings)
        profile = profiles.load_profile(options.profile, **replaced)
    except profiles.ProfileError as error:
        print(error, file=sys.stderr)
        return 2
    started = time.perf_counter()
    names = list(results.NOTEBOOKS.values())
    if options.in_place:
        names += [f"solutions/{name}" for name in names]
    for name in names:
        parameters = {"PROFILE": profile.name, "OVERRIDES": replaced}
        notebook, error = execute(name, None if options.in_place else parameters)
        if not options.in_place:
            write(notebook, profile, name)
        if error:
            print(f"{name} stopped: {error.ename}: {error.evalue}", file=sys.stderr)
            return 1
        if options.in_place:
            store(notebook, name)
    print(f"\n{(time.perf_counter() - started) / 60:.1f} minutes in all\n")
    print(results.summary(profile).round(1).to_string())
    return 0


if __name__ == "__main__":
    sys.exit(main())
