"""Pictures show what they are given, also where it is hostile, and say what doesn't fit."""

import json
import re

import numpy as np
import pytest

from helpers import showing

TOKENS = ["the", "</script><img src=x onerror=alert(1)>", '"good"', "<!--"]
HEADS = ["block 1, head 1", "block 1, head 2"]
VECTORS = np.array([[1.0, 0, 0], [0, 0, 0], [0, 1, 0], [0, 0, 1]])
TO_QUERY = np.array([[0, 0], [4, 0], [0, 4]])
TO_KEY = np.array([[1, 0], [0, 1], [0, 0]])
# Looks ahead, at itself, and at all
WEIGHTS = np.stack([np.roll(np.eye(4), 1, axis=1), 0.75 * np.eye(4) + 0.0625])


def attention(tokens=TOKENS, heads=HEADS, weights=WEIGHTS, start=1, head=1):
    return showing.attention(tokens, heads, weights, start, head)


def by_hand(tokens=TOKENS, vectors=VECTORS, query=TO_QUERY, key=TO_KEY, **matrices):
    matrices = {"value": np.eye(3)} | matrices
    return showing.head(tokens, vectors, query, key, **matrices)


PICTURES = pytest.mark.parametrize("make", [attention, by_hand])


@PICTURES
def test_tokens_stay_text(make):
    shown = make()._repr_html_()
    assert "<img" not in shown
    assert "<!--" not in shown
    assert shown.count("</script>") == 1
    # What the script gets is what was given.
    data = re.search(r"draw\(element, (\{.*\})\);\}\)\(\);</script>$", shown)[1]
    assert json.loads(data)["tokens"] == TOKENS


@PICTURES
def test_the_same_content_has_the_same_name(make):
    assert make()._repr_html_() == make()._repr_html_()
    one = re.search(r'id="(.*?)"', make()._repr_html_())[1]
    other = re.search(r'id="(.*?)"', make(tokens=["a", "b", "c", "d"])._repr_html_())[1]
    assert one != other


def percentages(picture):
    return re.findall(r">(\d+ %)<", picture.still)


def test_still_pictures_have_the_numbers():
    assert percentages(attention()) == ["6 %", "81 %", "6 %", "6 %"]
    assert percentages(attention(head=0, start=3)) == ["100 %", "0 %", "0 %", "0 %"]
    expected = ["25 %"] * 8 + ["85 %", "5 %", "5 %", "5 %", "5 %", "5 %", "85 %", "5 %"]
    assert percentages(by_hand()) == expected


def test_words_say_what_is_seen():
    words = repr(attention(["a", "b", "c", "d"]))
    assert words == "block 1, head 2: where b looks, mostly: b 81 %, a 6 %, c 6 %."
    words = repr(by_hand(["not", "a", "dull", "film"]))
    assert words.endswith(
        "not → all alike, a → all alike, dull → not 85 %, film → dull 85 %."
    )


def test_weights_are_rounded():
    weights = np.full((2, 4, 4), 0.25, "float32")
    weights[0, 0] = [0.1, 0.2, 0.3, 0.4]
    weights[0, 1] = [0.12345, 0.87655, 0, 0]
    data = json.loads(attention(weights=weights).data)
    assert data["weights"][0][:2] == [[0.1, 0.2, 0.3, 0.4], [0.123, 0.877, 0, 0]]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"weights": WEIGHTS[0]}, "have the shape (4, 4) instead of (2, 4, 4)."),
        ({"weights": WEIGHTS[:, :, :3]}, "have the shape (2, 4, 3) instead of (2, 4, 4)."),
        ({"heads": HEADS[:1]}, "have the shape (2, 4, 4) instead of (1, 4, 4)."),
        ({"tokens": TOKENS[:3]}, "have the shape (2, 4, 4) instead of (2, 3, 3)."),
        ({"weights": WEIGHTS / 2}, "must add up to 1."),
        ({"weights": WEIGHTS * np.nan}, "must add up to 1."),
        ({"start": 4}, "There is no token 4 or no head 1."),
        ({"head": -1}, "There is no token 1 or no head -1."),
    ],
)
def test_attention_that_does_not_fit(wrong, says):
    with pytest.raises(ValueError, match=re.escape(says)):
        attention(**wrong)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"vectors": VECTORS[:3]}, "4 tokens need as many vectors."),
        ({"vectors": VECTORS[0]}, "4 tokens need as many vectors."),
        ({"query": np.eye(3)}, "The matrix 'query' must have the shape (3, 2)."),
        ({"key": TO_KEY.T}, "The matrix 'key' must have the shape (3, 2)."),
        ({"value": TO_KEY}, "The matrix 'value' must have the shape (3, 3)."),
        ({"features": ["judges"]}, "Vectors of 3 numbers need as many features."),
    ],
)
def test_matrices_that_do_not_fit(wrong, says):
    with pytest.raises(ValueError, match=re.escape(says)):
        by_hand(**wrong)
