"""Cells that readers fill in: nothing stops them."""

import itertools
import json

import nbformat
import numpy as np
import pytest

from conftest import NOTEBOOKS
from helpers import turns


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (..., "Not filled in yet"),
        ([1.0, 2.0], "That is right"),
        (np.array([1.0, 2.0004]), "That is right"),
        ([1.0, 2.1], "Not yet: think"),
        (1.0, "Not yet: think"),
        ("two", "Not yet: think"),
        (None, "Not yet: think"),
    ],
)
def test_an_answer_is_judged_and_never_raises(answer, said, capsys):
    turns.check(answer, np.array([1.0, 2.0]), "think")
    assert capsys.readouterr().out.startswith(said)


def test_each_turn_is_empty_and_has_a_check_below():
    found = 0
    for path in NOTEBOOKS:
        cells = nbformat.read(path, as_version=4).cells
        for cell, following in itertools.pairwise(cells):
            if "turn" in cell.metadata.get("tags", []):
                found += 1
                assert " = ..." in cell.source
                assert following.source.startswith("# @title Check your turn")
                assert "hide-input" in following.metadata.tags
                assert "Not filled in yet" in json.dumps(following.outputs)
    assert found
