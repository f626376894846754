"""How plain code is, in four counts.

    python scripts/plainness.py helpers notebooks

For each file or folder of Python code or notebooks: comprehensions (generators included),
star-unpackings and assignments of tuples in a hundred statements, and tokens in a mean
logical line. For comparison, nanochat has 2.7, 0.4, 3.7 and 10.7, KerasHub's layers 1.3, 0,
2.2 and 9.7 or less.
"""

import argparse
import ast
import io
import pathlib
import re
import tokenize

import nbformat
import pandas as pd

COMPREHENSIONS = ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp
NO_TOKENS = {
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.COMMENT,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}


def sources(place):
    """Yields the code of each Python file, and of each code cell of each notebook, in a
    folder; or that of a single file."""
    paths = sorted(place.iterdir()) if place.is_dir() else [place]
    for path in paths:
        if path.suffix == ".py":
            yield path.read_text("utf-8")
        if path.suffix != ".ipynb":
            continue
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "code":
                # What only IPython understands becomes a statement that does nothing.
                yield re.sub(r"^( *)[!%].*", r"\1pass", cell.source, flags=re.MULTILINE)


def is_tuple_assignment(node):
    """Whether a node assigns several values to several names, as in `a, b = 1, 2`."""
    if not isinstance(node, ast.Assign):
        return False
    return isinstance(node.targets[0], ast.Tuple)


def count(source):
    """A Series of the numbers of statements, of what may obscure them, of lines and of
    tokens."""
    counts = pd.Series(0, ["statements", "comprehensions", "stars", "tuples"])
    for node in ast.walk(ast.parse(source)):
        counts["statements"] += isinstance(node, ast.stmt)
        counts["comprehensions"] += isinstance(node, COMPREHENSIONS)
        counts["stars"] += isinstance(node, ast.Starred)
        counts["tuples"] += is_tuple_assignment(node)
    tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    counts["lines"] = sum(token.type == tokenize.NEWLINE for token in tokens)
    counts["tokens"] = sum(token.type not in NO_TOKENS for token in tokens)
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("places", nargs="+", type=pathlib.Path)
    table = {}
    for place in parser.parse_args().places:
        total = sum(count(source) for source in sources(place))
        row = 100 * total[["comprehensions", "stars", "tuples"]] / total["statements"]
        row["tokens in a line"] = total["tokens"] / total["lines"]
        table[str(place)] = row
    print(pd.DataFrame(table).T.round(1).to_string())


if __name__ == "__main__":
    main()
