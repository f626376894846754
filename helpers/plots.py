"""Draws. Colours can be told apart in grey and by the colour-blind.

Every picture says in words what it shows, for those who can't see it: as its alternative
text in a browser, and in its place where only text is shown.
"""

import io

import matplotlib.pyplot as plt
import numpy as np
from adjustText import adjust_text
from IPython.display import display
from matplotlib.colors import ListedColormap
from matplotlib.patches import FancyBboxPatch, Patch
from matplotlib.ticker import MaxNLocator

# Okabe and Ito's palette, from dark to light, so that it also reads in grey.
PRETRAINED, SCRATCH, WORDS, CHANCE = "#0072B2", "#D55E00", "#E69F00", "#7F7F7F"
WIDTH = 7.5

# Between the boxes of tokens, in hundredths of a picture's width.
GAP = 0.7

# What a picture is drawn with and shown at, in dots an inch: sharp on fine screens, too.
DRAWN, SHOWN = 160, 100


def _show(figure, words):
    """Shows a figure, once, with what it shows in words."""
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=DRAWN)
    plt.close(figure)
    size = figure.get_size_inches() * SHOWN
    about = {"alt": words, "width": int(size[0]), "height": int(size[1])}
    data = {"image/png": picture.getvalue(), "text/plain": words}
    display(data, metadata={"image/png": about}, raw=True)


def _short(number):
    """A number in words about a picture."""
    return f"{number:.1f}" if abs(number) >= 0.1 else f"{number:.2g}"


def _axes(height=3.2, columns=1, rows=1, **kwargs):
    """A figure, and its axes in one list."""
    figure, axes = plt.subplots(
        rows, columns, figsize=(WIDTH, height), layout="constrained", **kwargs
    )
    axes = np.ravel(axes)
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
    return figure, axes


def series(here):
    """The whole series: what each notebook takes and gives, and where the reader is.

    Args:
        here: int, the number of a notebook.
    """
    boxes = {
        1: (0, 0.4, "1. Setup and baseline", "a bag of words\nlearns the task"),
        2: (0, 2.4, "2. MLM preprocessing", "text becomes batches\nwith hidden words"),
        3: (3.4, 2.4, "3. Encoder pretraining", "a Transformer learns\nto guess the words"),
        4: (
            6.8,
            1.4,
            "4. Fine-tuning",
            "the encoder learns\nthe task, and is\ncompared",
        ),
    }
    figure, axis = plt.subplots(figsize=(WIDTH, 3))
    figure.subplots_adjust(0.01, 0.01, 0.99, 0.99)
    axis.set(xlim=(-2.3, 9.6), ylim=(0, 4))
    axis.axis("off")
    for number, (x, y, title, does) in boxes.items():
        back, front = (PRETRAINED, "white") if number == here else ("#F2F2F2", "black")
        corner = {"boxstyle": "round,pad=0,rounding_size=0.15", "linewidth": 0.8}
        axis.add_patch(
            FancyBboxPatch((x, y), 2.6, 1.3, facecolor=back, edgecolor=CHANCE, **corner)
        )
        style = {"color": front, "ha": "center", "va": "center"}
        axis.text(x + 1.3, y + 1.05, title, fontsize=8.5, weight="bold", **style)
        axis.text(x + 1.3, y + 0.45, does, fontsize=8, **style)
        if number == here:
            axis.text(x + 1.3, y + 1.45, "you are here", fontsize=8, ha="center")
    arrows = (
        ((-0.9, 3.05), (-0.1, 3.05)),
        ((-0.9, 1.05), (-0.1, 1.05)),
        ((2.7, 3.05), (3.3, 3.05)),
        ((6.1, 2.9), (6.7, 2.4)),
        ((2.7, 1.15), (6.7, 1.75)),
    )
    arrow = {"arrowstyle": "->", "color": CHANCE}
    for start, end in arrows:
        axis.annotate("", end, start, arrowprops=arrow)
    for y, words in ((3.05, "much text,\nno labels"), (1.05, "few sentences\nwith labels")):
        axis.text(-1.6, y, words, fontsize=8.5, ha="center", va="center", style="italic")
    # From the labelled sentences to notebook 4, below notebook 1.
    axis.plot([-1.6, -1.6, 8.1], [0.65, 0.15, 0.15], color=CHANCE, linewidth=1)
    axis.annotate("", (8.1, 1.3), (8.1, 0.13), arrowprops=arrow)
    axis.text(4.6, 1.62, "a result to beat", fontsize=8, ha="center", style="italic")
    does = "; ".join(
        f"{title}, {' '.join(words.split())}" for _, _, title, words in boxes.values()
    )
    _show(
        figure,
        f"The series. {does}. Text without labels goes to 2, from there to 3 and 4; "
        f"sentences with labels go to 1 and 4. You are in notebook {here}.",
    )


def histograms(lengths, unit):
    """Histograms of text lengths, side by side.

    Args:
        lengths: dict of a title to a sequence of int.
        unit: string, what a length counts.
    """
    figure, axes = _axes(2.8, len(lengths))
    for axis, (title, values) in zip(axes, lengths.items(), strict=True):
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
    medians = [f"{title}, median {np.median(v):.0f}" for title, v in lengths.items()]
    _show(figure, f"Histograms of the number of {unit}: {'; '.join(medians)}.")


def curves(series, xlabel, ylabel, levels=None):
    """Lines over steps or epochs, each with a marker and a style of its own.

    Args:
        series: dict of a label to a pair of sequences, x and y.
        xlabel: string.
        ylabel: string.
        levels: dict of a label to a height, drawn as a horizontal line.
    """
    figure, (axis,) = _axes()
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
            markevery=max(1, len(x) // 10),
        )
    for (label, height), line in zip((levels or {}).items(), (":", "-."), strict=False):
        axis.axhline(height, color=CHANCE, linestyle=line, label=label)
    axis.set(xlabel=xlabel, ylabel=ylabel)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.legend(frameon=False)
    words = [
        f"{label} from {_short(y[0])} to {_short(y[-1])}, "
        f"lowest {_short(min(y))}, highest {_short(max(y))}"
        for label, (_, y) in series.items()
    ]
    words += [f"{label} at {_short(height)}" for label, height in (levels or {}).items()]
    _show(figure, f"Lines of {ylabel} over {xlabel}: {'; '.join(words)}.")


def _box(text):
    """The width of the box around a token, in hundredths of the picture's."""
    return 1.15 * len(text) + 1.2


def tokens(rows, title=""):
    """Draws tokens as coloured boxes, line by line.

    Args:
        rows: list of lists of pairs: a token, and one of "plain", "hidden", "special",
            "chosen".
        title: string.
    """
    fill = {
        "plain": ("#F2F2F2", "black"),
        "hidden": (PRETRAINED, "white"),
        "chosen": (WORDS, "black"),
        "special": ("white", CHANCE),
    }
    height = (0.4 if title else 0.1) + 0.42 * len(rows)
    figure, axis = plt.subplots(figsize=(WIDTH, height))
    figure.subplots_adjust(0.01, 0, 0.99, 0.42 * len(rows) / height)
    axis.set(xlim=(0, 100), ylim=(len(rows), 0), title=title)
    axis.axis("off")
    for y, row in enumerate(rows):
        x = 0.5
        for text, kind in row:
            width = _box(text)
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
            x += width + GAP
    shown = " ".join(
        f"({kind}: {text})" if kind in ("hidden", "chosen") else text
        for row in rows
        for text, kind in row
    )
    _show(figure, f"Tokens in boxes ({title}): {shown}")


def wrap(tokens_and_kinds):
    """Breaks a list for `tokens` into lines that fit."""
    rows, filled = [[]], 0
    for token, kind in tokens_and_kinds:
        if filled + _box(token) > 99:
            rows.append([])
            filled = 0
        rows[-1].append((token, kind))
        filled += _box(token) + GAP
    return rows


def comparison(tables, guessing=50):
    """Accuracies as bars with 95 % intervals, one chart above the other.

    Args:
        tables: dict of a title to a DataFrame from `results.accuracy_table`.
        guessing: float, the accuracy of guessing in percent, where bars begin.
    """
    figure, axes = _axes(0.7 + 1.6 * len(tables), rows=len(tables), sharex=True)
    colors = {"pretrained": PRETRAINED, "from scratch": SCRATCH, "bag of words": WORDS}
    hatches = {"pretrained": "", "from scratch": "//", "bag of words": ".."}
    for axis, (title, table) in zip(axes, tables.items(), strict=True):
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
    axes[-1].set_xlabel(
        f"test accuracy (%), with 95 % interval; {guessing:.0f} is guessing"
    )
    words = [
        f"{title}: "
        + ", ".join(
            f"{name} {row.accuracy:.1f} ({row.low:.1f} to {row.high:.1f})"
            for name, row in table.iterrows()
        )
        for title, table in tables.items()
    ]
    _show(figure, f"Bars of test accuracy in percent. {'; '.join(words)}.")


def confusion(matrix, classes):
    """A confusion matrix with its counts written in.

    Args:
        matrix: int array, `(classes, classes)`: rows true, columns predicted.
        classes: list of strings.
    """
    size = 1.8 + 0.8 * len(classes)
    figure, axis = plt.subplots(figsize=(size + 0.2, size - 0.2), layout="constrained")
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
    words = [
        f"{100 * share:.1f} % of {true} as {predicted}"
        for true, shares in zip(classes, matrix / matrix.sum(1, keepdims=True), strict=True)
        for predicted, share in zip(classes, shares, strict=True)
    ]
    _show(figure, f"Confusion matrix: {', '.join(words)}.")


def stacked(labels, parts, ylabel, title):
    """Bars made of parts, one on the other, each with its sum above it.

    Args:
        labels: list of strings, one a bar.
        parts: dict of a part's name to a list of heights, one a bar.
        ylabel: string.
        title: string.
    """
    figure, (axis,) = _axes()
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
    words = [f"{label} {height:.1f}" for label, height in zip(labels, bottom, strict=True)]
    _show(figure, f"{title}. Stacked bars of {ylabel}: {', '.join(words)}.")


def rows(pictures):
    """Rows of tokens as fields: which texts they hold, and what is padding.

    Args:
        pictures: dict of a title to an int array, `(rows, sequence)`: 0 for padding, 1 for
            the end of a text, and 2 and 3 in turn for the tokens of one text and the next.
    """
    colors = ListedColormap(["white", "black", PRETRAINED, "#9ECAE1"])
    most = max(map(len, pictures.values()))
    figure, axes = _axes(0.9 + 0.17 * most, len(pictures), sharey=True)
    for axis, (title, kinds) in zip(axes, pictures.items(), strict=True):
        axis.pcolormesh(
            kinds, cmap=colors, vmin=0, vmax=3, edgecolors="white", linewidth=0.4
        )
        axis.set(title=title, xlabel="place in the row (tokens)", ylim=(most, 0))
        axis.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes[0].set_ylabel("row")
    names = "padding", "end of a text", "a text", "the next text"
    patches = [
        Patch(facecolor=colors(kind), edgecolor=CHANCE, label=name)
        for kind, name in enumerate(names)
    ]
    figure.legend(handles=patches, loc="outside lower center", ncols=4, frameon=False)
    words = [
        f"{title}, {len(kinds)} rows, {100 * (kinds == 0).mean():.1f} % padding"
        for title, kinds in pictures.items()
    ]
    _show(figure, f"Rows of tokens: {'; '.join(words)}.")


def attention(maps, tokens):
    """Attention maps of every block and head: how much each token looks at each other one.

    Args:
        maps: dict of a title to a float array, `(blocks, heads, sequence, sequence)`, each
            row with sum 1: the token in the row looks at the one in the column.
        tokens: list of strings.
    """
    blocks, heads, *_ = next(iter(maps.values())).shape
    # All heads side by side if there is room, else a line for each block.
    columns = blocks * heads if blocks * heads <= 4 else heads
    titled = [
        (f"{title}, block {block + 1}, head {head + 1}", each[block, head])
        for title, each in maps.items()
        for block, head in np.ndindex(blocks, heads)
    ]
    lines = len(titled) // columns
    figure, axes = _axes(1 + 9 / columns * lines, columns, lines, sharex=True, sharey=True)
    places = range(len(tokens))
    words = []
    for axis, (title, weights) in zip(axes, titled, strict=True):
        picture = axis.imshow(weights, cmap="Greys", vmin=0, vmax=1)
        axis.set_title(title.replace(", block", "\nblock"), fontsize=8.5)
        axis.set_xticks(places, tokens, rotation=90, fontsize=7)
        axis.set_yticks(places, tokens, fontsize=7)
        words.append(f"{title}: a token gives at most {100 * weights.max():.1f} %")
    for axis in axes[-columns:]:
        axis.set_xlabel("is looked at", fontsize=8.5)
    for axis in axes[::columns]:
        axis.set_ylabel("looks", fontsize=8.5)
    figure.colorbar(
        picture, ax=axes, label="attention", location="bottom", shrink=0.4, aspect=30
    )
    _show(figure, f"Attention maps of: {' '.join(tokens)}. {'; '.join(words)}.")


def word_maps(maps, groups):
    """Words in a plane, side by side.

    Args:
        maps: dict of a title to a float array, `(words, 2)`.
        groups: dict of a group's name to its words, in the order of the maps' rows.
    """
    figure, axes = _axes(4.2, len(maps))
    names = [word for words in groups.values() for word in words]
    styles = ((PRETRAINED, "o"), (SCRATCH, "s"), (WORDS, "^"), (CHANCE, "D"))
    for axis, (title, points) in zip(axes, maps.items(), strict=True):
        axis.set(title=title, xlabel="first component", ylabel="second component")
        axis.margins(0.2, 0.1)
        first = 0
        for (group, members), (color, marker) in zip(groups.items(), styles, strict=False):
            x, y = points[first : first + len(members)].T
            axis.scatter(x, y, 18, color, marker, label=group)
            first += len(members)
    figure.legend(
        *axes[0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=len(groups),
        frameon=False,
    )
    figure.draw_without_rendering()  # a name's room depends on the size of the axes
    for axis, points in zip(axes, maps.values(), strict=True):
        adjust_text(
            [
                axis.text(*point, name, size=7.5)
                for point, name in zip(points, names, strict=True)
            ],
            *points.T,
            ax=axis,
            expand=(1.3, 1.5),
        )
    listed = "; ".join(f"{group}: {' '.join(words)}" for group, words in groups.items())
    _show(figure, f"Maps of words, {' and '.join(maps)}. {listed}.")


def calibration(models, bins=8):
    """How often a classifier is right, against how sure it is.

    Args:
        models: dict of a label to a pair: float array of the probability of the predicted
            class, and bool array of whether it was right, both `(sentences,)`.
        bins: int, groups with as many sentences each.
    """
    figure, (axis,) = _axes(3.6)
    styles = ((PRETRAINED, "-", "o"), (SCRATCH, "--", "s"), (WORDS, "-.", "^"))
    words = []
    for (label, (sure, right)), (color, line, marker) in zip(
        models.items(), styles, strict=False
    ):
        groups = np.array_split(np.argsort(sure), bins)
        x, y = (
            [100 * values[group].mean() for group in groups] for values in (sure, right)
        )
        axis.plot(x, y, line, color=color, marker=marker, markersize=5, label=label)
        words.append(f"{label} from {y[0]:.1f} to {y[-1]:.1f}")
    least = 100 * min(sure.min() for sure, _ in models.values())
    axis.plot([least, 100], [least, 100], ":", color=CHANCE, label="as right as sure")
    axis.set(xlabel="how sure it is (%)", ylabel="how often it is right (%)")
    axis.legend(frameon=False)
    _show(figure, f"Share right in percent, from unsure to sure: {'; '.join(words)}.")


def label_curve(table, now):
    """Accuracy against the number of labels, with 95 % intervals.

    Args:
        table: DataFrame from `results.label_curve`.
        now: dict of a number of labels to a table from `results.accuracy_table`, drawn as
            rings.
    """
    figure, (axis,) = _axes(3.8)
    styles = {
        "pretrained": (PRETRAINED, "-", "o"),
        "from scratch": (SCRATCH, "--", "s"),
        "bag of words": (WORDS, "-.", "^"),
    }
    words = []
    for name, (color, line, marker) in styles.items():
        model = table.xs(name, level="model")
        errors = model.accuracy - model.low, model.high - model.accuracy
        axis.errorbar(
            model.index,
            model.accuracy,
            errors,
            fmt=line + marker,
            color=color,
            label=name,
            markersize=5,
            capsize=3,
        )
        for labels, measured in now.items():
            axis.plot(labels, measured.accuracy[name], "o", ms=12, mfc="none", color=color)
        ends = model.accuracy.iloc[[0, -1]]
        words.append(f"{name} from {ends.iloc[0]:.1f} to {ends.iloc[1]:.1f}")
    ticks = table.index.unique("labels")
    axis.set(
        xscale="log",
        xlabel="labelled sentences (logarithmic)",
        ylabel="test accuracy (%)",
    )
    axis.set_xticks(ticks, [f"{labels:,}" for labels in ticks])
    axis.minorticks_off()
    axis.legend(frameon=False)
    _show(figure, f"Test accuracy, {ticks[0]} to {ticks[-1]} labels: {'; '.join(words)}.")
