"""Cells that readers fill in, and what they predict before they run a cell.

The solutions of the exercises have checks of their own.
"""

import json

import numpy as np
import pandas as pd

from helpers import records, storage

NOT_FILLED_IN = "Not filled in yet. You can go on, and come back."


def check(answer, right, hint, tolerance=1e-3):
    """Says whether what a reader has filled in is right, and never stops a notebook.

    Args:
        answer: a number or an array; `...` where nothing has been filled in.
        right: a number or an array.
        hint: string, printed if the answer isn't right.
        tolerance: float, how far a number may be off.
    """
    if answer is ...:
        print(NOT_FILLED_IN)
        return
    try:
        fits = np.shape(answer) == np.shape(right)
        fits = fits and np.allclose(answer, right, atol=tolerance)
    except (TypeError, ValueError):
        fits = False
    print("That is right." if fits else f"Not yet: {hint}")


def _path(profile):
    """Where the predictions are kept."""
    return records.path(profile, "predictions.json")


def _read(profile):
    """What a reader has predicted, and what came out: a dict of dicts by statement."""
    if not _path(profile).exists():
        return {}
    return json.loads(_path(profile).read_text("utf-8"))


def _store(profile, statement, prediction):
    """Keeps a prediction in the place of an earlier one."""
    stored = _read(profile) | {statement: prediction}
    with storage.writing(_path(profile)) as file:
        file.write(json.dumps(stored, indent=1).encode())


def predictions(profile):
    """A table of what a reader has predicted: whether a statement was taken for `true`, how
    `sure` the reader was, in percent, and the `outcome`, missing until it is known."""
    columns = ["true", "sure", "outcome"]
    return pd.DataFrame.from_dict(_read(profile), "index", columns=columns)


def predict(profile, statement, true, sure):
    """Keeps what a reader predicts.

    Args:
        profile: a `Profile`.
        statement: string, a sentence that will turn out true or false.
        true: bool, whether the reader takes it for true; `...` where nothing has been
            filled in.
        sure: int, from 50, a guess, to 100 percent.
    """
    if true is ... or sure is ...:
        print(NOT_FILLED_IN)
    elif true not in (True, False) or sure not in range(50, 101):
        print("Not yet: give True or False, and a whole number from 50 to 100.")
    else:
        _store(profile, statement, {"true": bool(true), "sure": int(sure), "outcome": None})
        print("Noted.")


def reveal(profile, statement, outcome):
    """Says whether a statement has turned out true, and whether that was predicted."""
    print(f"{statement} That is {'true' if outcome else 'false'}.")
    prediction = _read(profile).get(statement)
    if prediction:
        _store(profile, statement, prediction | {"outcome": bool(outcome)})
        verdict = "right" if prediction["true"] == outcome else "wrong"
        print(f"You were {verdict}, and {prediction['sure']} % sure.")
