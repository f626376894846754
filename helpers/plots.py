"""Draws. Colours can be told apart in grey and by the colour-blind.

Every picture says in words what it shows, for those who can't see it: as its alternative
text in a browser, and in its place where only text is shown.
"""

import html
import io

import matplotlib.pyplot as plt
from IPython.display import display

# Okabe and Ito's palette, from dark to light, so that it also reads in grey.
PRETRAINED, SCRATCH, WORDS, CHANCE = "#0072B2", "#D55E00", "#E69F00", "#7F7F7F"
MODELS = {"pretrained": PRETRAINED, "from scratch": SCRATCH, "bag of words": WORDS}

plt.rcParams |= {
    "figure.figsize": (7.5, 3.2),
    "figure.constrained_layout.use": True,
    # What pandas and scikit-learn draw, too, takes these in turn.
    "axes.prop_cycle": plt.cycler(
        color=[PRETRAINED, SCRATCH, WORDS, CHANCE],
        linestyle=["-", "--", "-.", ":"],
        marker=["o", "s", "^", "D"],
        markevery=[0.1] * 4,
    ),
    "lines.markersize": 4,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "legend.frameon": False,
}


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


def comparison(tables, guessing=50):
    """Accuracies as bars with 95 % intervals, which begin where guessing is, one chart
    above the other; `tables` is a dict of a title to a `results.accuracy_table`."""
    size, words = (7.5, 0.7 + 1.6 * len(tables)), []
    _, axes = plt.subplots(len(tables), sharex=True, squeeze=False, figsize=size)
    for axis, (title, table) in zip(axes[:, 0], tables.items(), strict=True):
        style = {"color": [MODELS.get(name, CHANCE) for name in table.index], "capsize": 4}
        errors = [table.accuracy - table.low, table.high - table.accuracy]
        axis.barh(table.index, table.accuracy, xerr=errors, **style)
        for place, right in enumerate(table.accuracy):
            # At the left end, clear of the interval.
            box = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none"}
            axis.annotate(f" {right:.1f}", (guessing, place), va="center", bbox=box)
        axis.set(title=title, ylim=(len(table) - 0.5, -0.5))
        words += [f"{title}, {name} {right:.1f}" for name, right in table.accuracy.items()]
    axis.set(xlabel="test accuracy (%), with 95 % interval", xlim=(guessing, None))
    show(f"Bars of test accuracy in percent: {'; '.join(words)}.")
