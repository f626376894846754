"""Draws. Colours can be told apart in grey and by the colour-blind.

Every picture says in words what it shows, for those who can't see it: as its alternative
text in a browser, and in its place where only text is shown.
"""

import html
import io
import pathlib

import matplotlib.pyplot as plt
from IPython.display import display

PRETRAINED, SCRATCH, WORDS = "#0072B2", "#D55E00", "#E69F00"
MODELS = {"pretrained": PRETRAINED, "from scratch": SCRATCH, "bag of words": WORDS}

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


def tokens(pieces):
    """Shows tokens in a line, some of them marked, from a list of pairs: a token, and what
    it is, "plain", "hidden", "chosen" or "special"."""
    tags = {"plain": "code", "hidden": "mark", "chosen": "strong", "special": "small"}
    shown = [f"<{tags[kind]}>{html.escape(text)}</{tags[kind]}>" for text, kind in pieces]
    plain = [text if kind == "plain" else f"({kind}: {text})" for text, kind in pieces]
    display({"text/html": " ".join(shown), "text/plain": " ".join(plain)}, raw=True)
