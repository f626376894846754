"""Draws. Colours can be told apart in grey and by the colour-blind.

Every picture says in words what it shows: as its alternative text, and where no picture is.
"""

import io
import pathlib

import matplotlib.pyplot as plt
from IPython.display import display

MODELS = {"pretrained": "#0072B2", "from scratch": "#D55E00", "bag of words": "#E69F00"}
MODELS |= {"naive Bayes": "#CC79A7", "counted vectors": "#009E73", "from counts": "#56B4E9"}

plt.style.use(pathlib.Path(__file__).with_name("style.mplstyle"))


def show(words):
    """Shows the figure that was just drawn, once, with what it shows in words."""
    figure, picture = plt.gcf(), io.BytesIO()
    figure.savefig(picture, format="png", dpi=160)  # sharp on fine screens, too
    plt.close(figure)
    width, height = (int(100 * inches) for inches in figure.get_size_inches())
    about = {"alt": words, "width": width, "height": height}
    data = {"image/png": picture.getvalue(), "text/plain": words}
    display(data, metadata={"image/png": about}, raw=True)
