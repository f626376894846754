"""Draws. Colours can be told apart in grey and by the colour-blind."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import FancyBboxPatch
from matplotlib.ticker import MaxNLocator

# Okabe and Ito's palette, from dark to light, so that it also reads in grey.
PRETRAINED, SCRATCH, WORDS, CHANCE = "#0072B2", "#D55E00", "#E69F00", "#7F7F7F"
WIDTH = 7.5


def _axes(height=3.2, columns=1, **kwargs):
    _, axes = plt.subplots(
        1, columns, figsize=(WIDTH, height), layout="constrained", **kwargs
    )
    for axis in np.atleast_1d(axes):
        axis.spines[["top", "right"]].set_visible(False)
    return axes


def histograms(lengths, unit):
    """Histograms of text lengths, side by side.

    Args:
        lengths: dict of a title to a sequence of int.
        unit: string, what a length counts.
    """
    for axis, (title, values) in zip(
        np.atleast_1d(_axes(2.8, len(lengths))), lengths.items(), strict=True
    ):
        # Bins of whole numbers; a long tail would press the rest against the axis.
        longest = int(np.percentile(values, 99))
        bins = np.arange(0, longest + 1, max(1, longest // 40))
        axis.hist(values, bins=bins, color=PRETRAINED)
        axis.axvline(np.median(values), color="black", linestyle="--", linewidth=1)
        axis.annotate(
            f" median {np.median(values):.0f}",
            (np.median(values), 0.95),
            xycoords=("data", "axes fraction"),
        )
        axis.set(title=title, xlabel=unit, ylabel="texts")
    plt.show()


def curves(series, xlabel, ylabel, levels=None):
    """Lines over steps or epochs, each with a marker and a style of its own.

    Args:
        series: dict of a label to a pair of sequences, x and y.
        xlabel: string.
        ylabel: string.
        levels: dict of a label to a height, drawn as a horizontal line.
    """
    axis = _axes()
    styles = ((PRETRAINED, "-", "o"), (SCRATCH, "--", "s"), (WORDS, "-.", "^"))
    for (label, (x, y)), (color, line, marker) in zip(series.items(), styles, strict=False):
        axis.plot(
            x,
            y,
            line,
            color=color,
            marker=marker,
            markersize=4,
            label=label,
            markevery=0.1,
        )
    for (label, height), line in zip((levels or {}).items(), (":", "-."), strict=False):
        axis.axhline(height, color=CHANCE, linestyle=line, label=label)
    axis.set(xlabel=xlabel, ylabel=ylabel)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.legend(frameon=False)
    plt.show()


def tokens(rows, title=""):
    """Draws tokens as coloured boxes, line by line.

    Args:
        rows: list of lists of pairs: a token, and one of "plain", "hidden", "special",
            "random".
        title: string.
    """
    fill = {
        "plain": ("#F2F2F2", "black"),
        "hidden": (PRETRAINED, "white"),
        "random": (WORDS, "black"),
        "special": ("white", CHANCE),
    }
    figure, axis = plt.subplots(figsize=(WIDTH, 0.2 + 0.42 * len(rows)))
    figure.subplots_adjust(0.01, 0.02, 0.99, 0.9 if title else 0.98)
    axis.set(xlim=(0, 100), ylim=(len(rows), 0), title=title)
    axis.axis("off")
    for y, row in enumerate(rows):
        x = 0.5
        for text, kind in row:
            width = 1.15 * len(text) + 1.2
            back, front = fill[kind]
            axis.add_patch(
                FancyBboxPatch(
                    (x, y + 0.2),
                    width,
                    0.6,
                    boxstyle="round,pad=0,rounding_size=0.2",
                    facecolor=back,
                    edgecolor=CHANCE,
                    linewidth=0.6,
                )
            )
            axis.text(
                x + width / 2,
                y + 0.5,
                text,
                color=front,
                ha="center",
                va="center",
                family="monospace",
                fontsize=8,
            )
            x += width + 0.7
    plt.show()


def wrap(tokens_and_kinds, characters=72):
    """Breaks a list for `tokens` into lines that fit."""
    rows, length = [[]], 0
    for token, kind in tokens_and_kinds:
        if length + len(token) + 2 > characters:
            rows.append([])
            length = 0
        rows[-1].append((token, kind))
        length += len(token) + 2
    return rows


def comparison(tables, guessing=50):
    """Accuracies as bars with 95 % intervals, one chart above the other.

    Args:
        tables: dict of a title to a DataFrame from `results.accuracy_table`.
        guessing: float, the accuracy of guessing in percent, where bars begin.
    """
    _, axes = plt.subplots(
        len(tables),
        figsize=(WIDTH, 0.7 + 1.6 * len(tables)),
        layout="constrained",
        sharex=True,
        squeeze=False,
    )
    colors = {"pretrained": PRETRAINED, "from scratch": SCRATCH, "bag of words": WORDS}
    hatches = {"pretrained": "", "from scratch": "//", "bag of words": ".."}
    for axis, (title, table) in zip(axes[:, 0], tables.items(), strict=True):
        axis.spines[["top", "right"]].set_visible(False)
        for y, (name, row) in enumerate(table.iterrows()):
            axis.barh(
                y,
                row.accuracy - guessing,
                left=guessing,
                color=colors.get(name, CHANCE),
                hatch=hatches.get(name, "xx"),
                edgecolor="white",
                xerr=[[row.accuracy - row.low], [row.high - row.accuracy]],
                error_kw={"capsize": 4},
            )
            axis.annotate(
                f"{row.accuracy:.1f}",
                (guessing, y),
                xytext=(6, 0),
                textcoords="offset points",
                va="center",
                bbox={
                    "boxstyle": "round,pad=0.15",
                    "facecolor": "white",
                    "edgecolor": "none",
                },
            )
        axis.set(yticks=range(len(table)), yticklabels=table.index, title=title)
        axis.invert_yaxis()
    axes[-1, 0].set_xlabel(
        f"test accuracy (%), with 95 % interval; {guessing:.0f} is guessing"
    )
    plt.show()


def confusion(matrix, classes):
    """A confusion matrix with its counts written in.

    Args:
        matrix: int array, `(classes, classes)`: rows true, columns predicted.
        classes: list of strings.
    """
    size = 1.8 + 0.8 * len(classes)
    _, axis = plt.subplots(figsize=(size + 0.2, size - 0.2), layout="constrained")
    axis.imshow(matrix, cmap="Blues", vmin=0)
    for (row, column), count in np.ndenumerate(matrix):
        axis.text(
            column,
            row,
            f"{count:,}",
            ha="center",
            va="center",
            color="white" if count > matrix.max() / 2 else "black",
        )
    ticks = range(len(classes))
    axis.set(
        xticks=ticks,
        xticklabels=classes,
        yticks=ticks,
        yticklabels=classes,
        xlabel="predicted",
        ylabel="true",
    )
    plt.show()


def stacked(labels, parts, ylabel, title):
    """Bars made of parts, one on the other, each with its sum above it.

    Args:
        labels: list of strings, one a bar.
        parts: dict of a part's name to a list of heights, one a bar.
        ylabel: string.
        title: string.
    """
    axis = _axes()
    bottom = np.zeros(len(labels))
    styles = ((PRETRAINED, ""), (WORDS, "//"), ("#E5E5E5", ".."))
    for (name, heights), (color, hatch) in zip(parts.items(), styles, strict=False):
        axis.bar(
            labels,
            heights,
            0.5,
            bottom,
            label=name,
            color=color,
            hatch=hatch,
            edgecolor="white",
        )
        bottom += heights
    for place, height in enumerate(bottom):
        axis.annotate(f"{height:.1f}", (place, height), ha="center", va="bottom")
    axis.set(ylabel=ylabel, title=title)
    axis.margins(y=0.1)
    axis.legend(frameon=False)
    plt.show()
