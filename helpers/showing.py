"""Pictures that a reader can operate: in a notebook, on the first page, on its own page.

Each is a script in `helpers/page` that draws into an element what a JSON object says, with
no library and no network. Where scripts don't run, a still picture stands in its place.
"""

import hashlib
import html
import json
import pathlib

import numpy as np

PAGE = pathlib.Path(__file__).with_name("page")


class Picture:
    """What a notebook shows: HTML, or words where there is no HTML."""

    def __init__(self, script, data, still, words):
        """Reads a script that defines `draw(element, data)`.

        Args:
            script: string, the name of a file in `helpers/page`, without `.js`.
            data: what `draw` gets: anything that is JSON.
            still: string, HTML that is shown until `draw` replaces it.
            words: string, a description.
        """
        self.script = script
        self.data = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
        self.still = still
        self.words = words

    def _repr_html_(self):
        style = (PAGE / "page.css").read_text("utf-8")
        script = ""
        for name in ("make", self.script):
            script += (PAGE / f"{name}.js").read_text("utf-8")
        # The same content has the same name, so that stored outputs don't change.
        digest = hashlib.sha256((self.data + script).encode()).hexdigest()[:12]
        name = f"{self.script}-{digest}"
        # `</script>` in a text would end the script.
        data = self.data.replace("<", "\\u003c")
        return (
            f'<div id="{name}" class="picture" role="group" '
            f'aria-label="{html.escape(self.words)}">{self.still}</div>'
            f"<style>{style}</style>"
            f"<script>(() => {{{script}\n"
            f"for (const element of document.querySelectorAll('#{name}'))"
            f" draw(element, {data});}})();</script>"
        )

    def __repr__(self):
        return self.words


def attention(tokens, heads, weights, start, head):
    """Where each token of a sentence looks, in each head: a picture.

    Args:
        tokens: sequence of `n` strings.
        heads: sequence of strings, the names of the heads.
        weights: float array `(heads, from, to)`, with `n` tokens on both sides; what a
            token gives to all others adds up to 1.
        start: int, the token whose attention is shown at first.
        head: int, the head that is shown at first.
    """
    tokens = list(map(str, tokens))
    heads = list(map(str, heads))
    weights = np.asarray(weights, "float64")
    shape = (len(heads), len(tokens), len(tokens))
    if weights.shape != shape:
        raise ValueError(f"The weights have the shape {weights.shape} instead of {shape}.")
    if not (0 <= start < len(tokens) and 0 <= head < len(heads)):
        raise ValueError(f"There is no token {start} or no head {head}.")
    # With bfloat16, weights have two or three digits.
    if not np.allclose(weights.sum(axis=-1), 1, rtol=0, atol=0.02):
        raise ValueError("The weights of each token must add up to 1.")
    weights = weights.round(3)
    shown = weights[head, start]
    caption = f"{heads[head]}: where {tokens[start]} looks"
    still = _table(caption, [tokens[start]], tokens, shown[:, None])
    largest = []
    for to in np.argsort(-shown, kind="stable")[:3]:
        largest.append(f"{tokens[to]} {_percent(shown[to])}")
    data = {
        "tokens": tokens,
        "heads": heads,
        "weights": weights.tolist(),
        "start": int(start),
        "head": int(head),
    }
    return Picture("attention", data, still, f"{caption}, mostly: {', '.join(largest)}.")


def head(tokens, vectors, query, key, value, features=None):
    """Attention by hand, with sliders for two of the matrices: a picture.

    Args:
        tokens: sequence of `n` strings.
        vectors: float array `(n, d)`, a row for each token.
        query: float array `(d, 2)`, which makes queries of vectors: in a plane, so that
            one can draw them.
        key: float array `(d, 2)`, which makes keys.
        value: float array `(d, d)`, which makes values.
        features: sequence of `d` strings, the names of a vector's numbers.
    """
    tokens = list(map(str, tokens))
    vectors = np.asarray(vectors, "float64")
    if vectors.ndim != 2 or len(vectors) != len(tokens):
        raise ValueError(f"{len(tokens)} tokens need as many vectors.")
    size = vectors.shape[1]
    if features is None:
        features = [f"feature {number + 1}" for number in range(size)]
    if len(features) != size:
        raise ValueError(f"Vectors of {size} numbers need as many features.")
    data = {"tokens": tokens, "features": list(map(str, features))}
    matrices = {"vectors": vectors, "query": query, "key": key, "value": value}
    for name, columns in (("query", 2), ("key", 2), ("value", size)):
        matrices[name] = np.asarray(matrices[name], "float64")
        if matrices[name].shape != (size, columns):
            raise ValueError(
                f"The matrix {name!r} must have the shape ({size}, {columns})."
            )
    for name, matrix in matrices.items():
        data[name] = matrix.tolist()
    scores = (vectors @ matrices["query"]) @ (vectors @ matrices["key"]).T / np.sqrt(2)
    weights = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    largest = []
    for token, row in zip(tokens, weights, strict=True):
        most = f"{tokens[row.argmax()]} {_percent(row.max())}"
        if np.ptp(row) < 0.005:
            most = "all alike"
        largest.append(f"{token} → {most}")
    still = _table("Attention of each row", tokens, tokens, weights)
    words = "Attention by hand, with sliders for its matrices. Looks mostly at: "
    return Picture("head", data, still, f"{words}{', '.join(largest)}.")


def _percent(weight):
    return f"{int(100 * weight + 0.5)} %"  # rounded as in JavaScript


def _table(caption, columns, names, weights):
    """HTML of a table with a row for each name; cells are as dark as weights are large."""
    heads = [f'<th scope="col">{html.escape(column)}</th>' for column in columns]
    lines = [f'<table class="grid"><caption>{html.escape(caption)}</caption>']
    lines.append(f"<tr><td></td>{''.join(heads)}</tr>")
    for name, row in zip(names, weights, strict=True):
        cells = [f'<th scope="row">{html.escape(name)}</th>']
        for weight in row:
            colour = f"rgba(0, 114, 178, {0.7 * weight:.3f})"
            cells.append(f'<td style="background: {colour}">{_percent(weight)}</td>')
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return "".join(lines) + "</table>"


def guesses():
    """What the profile `evening`'s encoder guesses in thirty sentences, from before its
    training to the end of it: a `Picture` (scripts/first_page.py has asked it)."""
    data = json.loads((PAGE / "guesses.json").read_text("utf-8"))
    first = data["sentences"][0]
    lines = []
    for time, moment in zip(data["times"], first["guesses"], strict=True):
        shares = [f"{html.escape(word)} {100 * share:.0f} %" for word, share in moment[:3]]
        lines.append(f"<tr><th>{time}</th><td>{', '.join(shares)}</td></tr>")
    still = f"<p>{html.escape(first['text'])}</p><table>{''.join(lines)}</table>"
    words = "Guesses for a missing word, after each of six times of pretraining"
    return Picture("guesses", data, still, words)
