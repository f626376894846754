"""Plotting. Colours are distinguishable in greyscale and to colour-blind readers.

Every figure has a description, used as its alternative text and as its plain-text output.
"""

import io
import pathlib

import matplotlib.pyplot as plt
from IPython.display import display

MODELS = {
    "pretrained": "#0072B2",
    "not pretrained": "#D55E00",
    "bag of words": "#E69F00",
    "naive Bayes": "#CC79A7",
    "counted vectors": "#009E73",
    "both counts": "#6A51A3",
    "from counts": "#56B4E9",
}

plt.style.use(pathlib.Path(__file__).with_name("style.mplstyle"))


def show(words):
    """Displays and closes the current figure, with `words` as its description."""
    figure = plt.gcf()
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=160)  # sharp on high-resolution screens
    plt.close(figure)
    width, height = (100 * figure.get_size_inches()).astype(int).tolist()
    about = {"alt": words, "width": width, "height": height}
    data = {"image/png": picture.getvalue(), "text/plain": words}
    display(data, metadata={"image/png": about}, raw=True)
