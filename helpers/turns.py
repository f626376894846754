"""Cells that readers fill in. The solutions of the exercises have checks of their own."""

import numpy as np


def check(answer, right, hint, tolerance=1e-3):
    """Says whether what a reader has filled in is right, and never stops a notebook.

    Args:
        answer: a number or an array; `...` where nothing has been filled in.
        right: a number or an array.
        hint: string, printed if the answer isn't right.
        tolerance: float, how far a number may be off.
    """
    if answer is ...:
        print("Not filled in yet. You can go on, and come back.")
        return
    try:
        fits = np.shape(answer) == np.shape(right)
        fits = fits and np.allclose(answer, right, atol=tolerance)
    except (TypeError, ValueError):
        fits = False
    print("That is right." if fits else f"Not yet: {hint}")
