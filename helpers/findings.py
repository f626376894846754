"""Checks of what came out of a training.

A *contract* holds by construction: shapes, a saved model that equals the loaded one, a
function of a notebook that equals the helper's. It is an `assert`, and always stops. A
*finding* is what came out: an accuracy, a share, an order of models. Another processor or
seed gives another figure, so in a reader's run it only prints a sentence.
"""

import json
import math
import os


def finding(name, value, low=-math.inf, high=math.inf, *, written):
    """Compares a figure with bounds outside of which the text would be wrong.

    Args:
        name: string, what the figure is, with its unit. The figure's spread over processors
            and seeds is in benchmarks/findings.csv under this name.
        value: number.
        low: number, the lowest value that the text allows.
        high: number, the highest.
        written: number, the value when the text was written.

    The environment variable `TUTORIAL_FINDINGS` tells what happens outside of the bounds.
    If it isn't set, a sentence is printed, and the notebook goes on. "raise", as in tests,
    stops with an AssertionError. Otherwise it is the path of a file, to which each figure
    is appended as a line of JSON, whatever its value.
    """
    value = float(value)
    mode = os.environ.get("TUTORIAL_FINDINGS", "")
    if mode not in ("", "raise"):
        with open(mode, "a", encoding="utf-8") as file:
            file.write(json.dumps({"finding": name, "value": value}) + "\n")
    elif not low <= value <= high:
        figures = f"{name}: here {value:.4g}, where the text was written {written:.4g}"
        if mode == "raise":
            raise AssertionError(f"{figures}; expected {low:.4g} to {high:.4g}")
        print(f"{figures}: go on.")
