"""Tests, in a browser, of the pictures that a reader can operate."""

import importlib.util

import numpy as np
import pytest
import test_pages
from test_pages import (
    REPOSITORY,
    assert_readable,
    in_each_window,
    needs_browser,
    opened,
)

pytestmark = needs_browser
browser = test_pages.browser  # a fixture

# Alone: the package needs what isn't in the environment of the web site.
path = REPOSITORY / "helpers" / "showing.py"
specification = importlib.util.spec_from_file_location("showing", path)
showing = importlib.util.module_from_spec(specification)
specification.loader.exec_module(showing)

SENTENCE = "the actress is not very good , but the role fits [MASK] <b>voice</b> ."
TOKENS = SENTENCE.split(" ")
HEADS = ["block 1, head 1", "block 1, head 2", "block 2, head 1"]
WEIGHTS = np.random.default_rng(0).dirichlet(np.full(len(TOKENS), 0.3), (3, len(TOKENS)))
WEIGHTS = WEIGHTS.round(3)

WORDS = ["not", "a", "dull", "film"]
FEATURES = ["negates", "judges", "names a thing"]
VECTORS = np.array([[1.0, 0, 0], [0, 0, 0], [0, 1, 0], [0, 0, 1]])
TO_QUERY = np.array([[0.0, 0], [4, 0], [0, 4]])
TO_KEY = np.array([[1.0, 0], [0, 1], [0, 0]])

HEAD = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Pictures</title>
<meta name="viewport" content="width=device-width">
<style>:root { color-scheme: light dark; background: Canvas; color: CanvasText }</style>
<main><h1>Pictures</h1>"""


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A page with three pictures, two of one kind."""
    pictures = [
        showing.attention(TOKENS, HEADS, WEIGHTS, 11, 1),
        showing.head(WORDS, VECTORS, TO_QUERY, TO_KEY, np.eye(3), FEATURES),
        showing.attention(TOKENS[:2], ["another"], np.full((1, 2, 2), 0.5), 0, 0),
    ]
    path = tmp_path_factory.mktemp("pictures") / "pictures.html"
    shown = [picture._repr_html_() for picture in pictures]
    path.write_text(f"{HEAD}{''.join(shown)}</main></html>", "utf-8")
    return path.as_uri()


@pytest.fixture
def page(browser, address):
    with opened(browser, address) as page:
        yield page


@in_each_window
def test_everybody_can_read_it(browser, address, width, scheme):
    with opened(browser, address, width, scheme) as page:
        page.get_by_role("checkbox").check()
        assert_readable(page)


def percent(weight):
    return f"{int(100 * weight + 0.5)} %"


def said_of(token, head):
    """What the picture says of a token's attention."""
    weights = WEIGHTS[head, token]
    parts = []
    for to in np.argsort(-weights, kind="stable")[:3]:
        parts.append(f"{TOKENS[to]} {percent(weights[to])}")
    return f"{TOKENS[token]} looks mostly at: {' · '.join(parts)}"


def assert_looks(page, token, head):
    picture = page.locator(".attention").first
    assert picture.locator("[aria-live=polite]").inner_text() == said_of(token, head)
    buttons = picture.locator("button")
    pressed = buttons.evaluate_all("all => all.map(one => one.ariaPressed === 'true')")
    assert np.flatnonzero(pressed).tolist() == [token]
    filled = buttons.evaluate_all("all => all.map(one => one.style.backgroundSize)")
    filled = [float(size.split()[1].rstrip("%")) for size in filled]
    np.testing.assert_allclose(filled, 100 * WEIGHTS[head, token], atol=1e-3)
    shares = picture.locator("small").all_inner_texts()
    assert sum(share != "" for share in shares) == 3


def test_attention_by_keyboard(page):
    assert_looks(page, 11, 1)
    picture = page.locator(".attention").first
    picture.get_by_label("Head").focus()
    page.keyboard.press("ArrowDown")
    assert_looks(page, 11, 2)
    page.keyboard.press("Tab")
    last = len(TOKENS) - 1
    for key, place in (
        ("ArrowRight", last - 1),
        ("ArrowDown", last),
        ("ArrowRight", last),
        ("ArrowLeft", last - 1),
        ("Home", 0),
        ("ArrowUp", 0),
        ("End", last),
    ):
        page.keyboard.press(key)
        assert_looks(page, place, 2)
    # The next stop is in the next picture.
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.type") == "range"


def test_attention_by_mouse(page):
    picture = page.locator(".attention").first
    picture.get_by_label("Head").select_option(HEADS[0])
    assert_looks(page, 11, 0)
    picture.get_by_role("button", name="actress").hover()
    assert_looks(page, 1, 0)
    picture.get_by_role("button", name="<b>voice</b>").click()
    assert_looks(page, 12, 0)
    other = page.locator(".attention").nth(1)
    assert "the looks mostly at: the 50 % · actress 50 %" in other.inner_text()


def numpy_says(to_query, to_key, degrees=0.0, first=0):
    """Attention and what tokens receive, as tables of texts: see *Attention by hand*."""
    angles = np.deg2rad(degrees) * (first + np.arange(len(WORDS)))
    # In the plane of complex numbers, in which a rotation is a product.
    query = VECTORS @ to_query @ [1, 1j] * np.exp(1j * angles)
    key = VECTORS @ to_key @ [1, 1j] * np.exp(1j * angles)
    scores = np.outer(query, key.conj()).real / np.sqrt(2)
    attention = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    weights = [percent(weight) for weight in attention.ravel()]
    return [weights, [f"{number:.2f}" for number in (attention @ VECTORS).ravel()]]


def shown(page):
    """The same from the picture."""
    tables = page.locator(".head table")
    cells = [tables.nth(number).locator("td + td, th + td") for number in (2, 3)]
    return [of_table.all_inner_texts() for of_table in cells]


def arrows(page):
    """How far each arrow is turned, anticlockwise, in degrees: queries, then keys."""
    turned = page.locator(".head svg path:not(.axes)").evaluate_all(
        "all => all.map(one => one.transform.baseVal[0].angle)"
    )
    return [-angle for angle in turned]


def entry(page, matrix, row, column):
    table = page.locator(".head table", has_text=matrix)
    return table.get_by_label(f"{FEATURES[row]}, column {column + 1}")


def test_matrices_by_keyboard(page):
    assert shown(page) == numpy_says(TO_QUERY, TO_KEY)
    said = page.locator(".head [aria-live=polite]")
    assert said.inner_text().endswith("a → all alike · dull → not 85 % · film → dull 85 %")
    entry(page, "to_query", 1, 0).focus()
    for _ in range(5):
        page.keyboard.press("ArrowLeft")
    entry(page, "to_query", 0, 1).press("End")
    entry(page, "to_key", 2, 1).press("Home")
    to_query = np.array([[0.0, 5], [1.5, 0], [0, 4]])
    to_key = np.array([[1.0, 0], [0, 1], [0, -5]])
    weights, received = numpy_says(to_query, to_key)
    assert shown(page) == [weights, received]
    assert f"dull → not {weights[8]}" in said.inner_text()
    np.testing.assert_allclose(arrows(page), [90, 0, 90, 0, 90, -90], atol=1e-3)


def test_only_offsets_count(page):
    turn = page.get_by_label("turn per position").first
    first = page.get_by_label("first position").first
    assert turn.is_disabled()
    page.get_by_label("rotary positions").check()
    before = shown(page)
    assert before == numpy_says(TO_QUERY, TO_KEY, 30)
    # Queries of *dull* and *film* at positions 2 and 3; keys of *not* and *dull*
    np.testing.assert_allclose(arrows(page), [60, 180, 0, 150], atol=1)
    first.fill("1")
    np.testing.assert_allclose(arrows(page), [90, -150, 30, 180], atol=1)
    assert shown(page) == before
    turn.fill("45")
    assert shown(page) == numpy_says(TO_QUERY, TO_KEY, 45, 1)
    assert shown(page) != before
    page.get_by_label("rotary positions").uncheck()
    assert shown(page) == numpy_says(TO_QUERY, TO_KEY)
