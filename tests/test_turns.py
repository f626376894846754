"""Cells that readers fill in: nothing stops them."""

import itertools
import json
import re

import keras
import nbformat
import numpy as np
import pandas as pd
import pytest
import scipy.special

from conftest import NOTEBOOKS, UNNUMBERED
from helpers import presets, records, turns


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


def find_turns():
    """The cells to fill in, and the checks below them, by the name of what is asked."""
    found = {}
    for path in [*NOTEBOOKS, *UNNUMBERED]:
        cells = nbformat.read(path, as_version=4).cells
        for cell, following in itertools.pairwise(cells):
            if "turn" in cell.metadata.get("tags", []):
                (name,) = re.findall(r"(\w+) = \.\.\.", cell.source)
                found[name] = cell, following
    return found


TURNS = find_turns()

# A right answer to each, and a wrong one that a reader may give
ANSWERS = {
    "softmax_by_hand": ("np.exp(two_logits) / np.exp(two_logits).sum()", "[0.25, 0.75]"),
    "probability_by_hand": ("10 / 25_000", "10 / 20_000"),
    "points_by_hand": ("196 * (0.76 * 0.24 / 1706) ** 0.5", "196 * 0.76 * 0.24 / 1706"),
    "rows_by_hand": ("4", "6"),
    "pmi_by_hand": ("np.log(25)", "np.log2(25)"),
    "restored": ("original[0]", "original"),
    "deviation_by_hand": (
        "(queries * keys).sum(axis=1).std()",
        "(queries * keys).std()",  # of the products
    ),
    "received": ("attention[3] @ value", "attention[:, 3] @ value"),
    "unigram_perplexity": ("np.exp(unigram_loss)", "2**unigram_loss"),
    "share_by_hand": (
        "100 * ((preference > 0) == is_second).mean()",
        "100 * (preference > 0).mean()",
    ),
    "forecast": ("3.43", "3.8"),  # on the line
    "mean_by_hand": ("token_vectors[:2].mean(axis=0)", "token_vectors.mean(axis=0)"),
    "points_ahead": ("100 * (first - second)[drawn].mean()", "25"),
    "softened_by_hand": ("scipy.special.softmax([0.5, 1.5])", "[0.3, 0.7]"),
    "added_by_hand": ("8 * (1000 + 1000)", "8 * 1000 * 1000"),
    "operations_by_hand": ("6 * 3e6 * 64 * 32", "6 * 3e6 * 32"),
    "reached_by_hand": ("100 * BANDWIDTH / 1e12", "PEAK / 1e12"),
}
IS_SECOND = np.array([True, False, False, False])
# What cells take from those above them
ABOVE = {
    "np": np,
    "keras": keras,
    "scipy": scipy,
    "turns": turns,
    "masked": {"token_ids": np.array([5, 4, 4]), "mask_ids": np.array([6, 7, 0])},
    "original": np.array([[5, 6, 7]]),
    "attention": np.array([[0.0] * 4] * 3 + [[0.1, 0.2, 0.3, 0.4]]),
    "value": np.eye(4, 3),
    "unigram_loss": 6.5,
    "PRONOUN": "pronoun",
    "asked": {"pronoun": (None, None, IS_SECOND, {"pretrained": IS_SECOND - 0.5}, None)},
    "right": pd.DataFrame({"p or r or o or n or o or u or n": {"pretrained": 100.0}}),
    "presets": presets,
    "PEAK": 197e12,
    "BANDWIDTH": 819e9,
}


def test_each_turn_is_empty_and_has_a_check_below():
    assert set(TURNS) == set(ANSWERS)
    for _, following in TURNS.values():
        assert following.source.startswith("# @title Check your turn")
        assert "hide-input" in following.metadata.tags
        assert "Not filled in yet" in json.dumps(following.outputs)


@pytest.mark.parametrize("name", ANSWERS)
def test_a_check_knows_right_from_wrong(name, capsys):
    cell, following = TURNS[name]
    right, wrong = ANSWERS[name]
    for answer, said in (("...", "Not filled"), (right, "That is"), (wrong, "Not yet")):
        names = dict(ABOVE)
        exec(cell.source.replace(f"{name} = ...", f"{name} = {answer}"), names)
        exec(following.source, names)
        assert capsys.readouterr().out.startswith(said), answer


def test_predictions_are_kept_until_the_outcome_is_known(artifacts, profile, capsys):
    records.write_record(profile, 1, {"scores": {"negation": {"naive Bayes": 12.3}}})
    cells = []
    for path in NOTEBOOKS:
        for cell in nbformat.read(path, as_version=4).cells:
            if "prediction" in cell.metadata.get("tags", []):
                cells.append(cell.source)
    for source in cells:
        names = {"turns": turns, "profile": profile}
        for sure in ("...", "'very'", "40", "80"):
            filled = source.replace("true = ...", "true = True")
            exec(filled.replace("sure = ...", f"sure = {sure}"), names)
        said = capsys.readouterr().out.split("\n")
        assert said[3:] == ["Noted.", ""]
        turns.reveal(profile, names["statement"], False)
        assert "You were wrong, and 80 % sure." in capsys.readouterr().out
    turns.reveal(profile, "Nobody has predicted this.", True)
    assert capsys.readouterr().out == "Nobody has predicted this. That is true.\n"
    predictions = turns.predictions(profile)
    assert len(predictions) == len(cells) > 4
    assert not predictions.outcome.any()
    board = records.scoreboard(profile, 5)
    assert board.loc["naive Bayes", "negation"] == "12.3"
    assert (board == "").sum(axis=None) == board.size - 1
