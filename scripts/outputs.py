"""What follows from new stored outputs: the picture in README.md, `written` of findings.

    python scripts/outputs.py artifacts/outputs/findings.jsonl

The file has the values of all findings, which notebooks append to it when
`TUTORIAL_FINDINGS` is its path.
"""

import ast
import base64
import json
import pathlib
import sys

import nbformat

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "notebooks"


def update_picture():
    """Extracts the picture from the stored outputs of notebook 4."""
    notebook = nbformat.read(FOLDER / "04_what_it_has_learnt.ipynb", as_version=4)
    (cell,) = (cell for cell in notebook.cells if "result" in cell.metadata.get("tags", []))
    (picture,) = (out.data["image/png"] for out in cell.outputs if "data" in out)
    (FOLDER / "result.png").write_bytes(base64.b64decode(picture))


def update_written(source, values):
    """A cell's source, in which each call of `finding` has the new value as `written`."""
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "finding":
            name = ast.literal_eval(node.args[0])
            (written,) = (word.value for word in node.keywords if word.arg == "written")
            if name in values:
                line = lines[written.end_lineno - 1]
                before, after = line[: written.col_offset], line[written.end_col_offset :]
                lines[written.end_lineno - 1] = f"{before}{values[name]:.3g}{after}"
    return "\n".join(lines)


def main(path):
    update_picture()
    lines = pathlib.Path(path).read_text("utf-8").splitlines()
    values = {line["finding"]: line["value"] for line in map(json.loads, lines)}
    for path in FOLDER.rglob("*.ipynb"):
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            if cell.cell_type == "code" and "finding(" in cell.source:
                cell.source = update_written(cell.source, values)
        nbformat.write(notebook, path)


if __name__ == "__main__":
    main(sys.argv[1])
