"""Extracts the picture in README.md from the stored outputs of notebook 4."""

import base64
import pathlib

import nbformat

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "notebooks"

notebook = nbformat.read(FOLDER / "04_fine_tuning.ipynb", as_version=4)
(cell,) = (one for one in notebook.cells if "result" in one.metadata.get("tags", []))
(picture,) = (one.data["image/png"] for one in cell.outputs if "data" in one)
(FOLDER / "result.png").write_bytes(base64.b64decode(picture))
