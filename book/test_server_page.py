"""Tests, in a browser, of the page that scripts/serve.py answers with.

The server runs in the environment of the series, with what `make test-slow` has left.
"""

import re
import subprocess

import pytest
import test_pages
from playwright.sync_api import expect
from test_pages import REPOSITORY, assert_readable, in_each_window, opened

PYTHON = REPOSITORY / ".venv" / "bin" / "python"
SERVE = REPOSITORY / "scripts" / "serve.py"
CLASSIFIER = REPOSITORY / "artifacts" / "tested" / "sample" / "classifier"
NEEDS = "import fastapi, onnxruntime, tokenizers, uvicorn"

# A line of markup must stay text.
MARKUP = "<img src=x onerror='document.title = 1'> & <b>bold</b>"
LONGEST = "good " * 400  # 2,000 characters
TOO_LONG = "too long " * 300

pytestmark = test_pages.needs_browser
browser = test_pages.browser  # a fixture


@pytest.fixture(scope="module")
def address():
    """That of a server."""
    if not PYTHON.exists() or subprocess.run([PYTHON, "-c", NEEDS]).returncode:
        pytest.skip("there is no .venv with fastapi")
    if not CLASSIFIER.exists():
        pytest.skip("`make test-slow` hasn't left a classifier")
    command = [PYTHON, SERVE, CLASSIFIER, "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process.stdout.readline().strip()
        process.kill()


def classify(page, sentences):
    """Pastes sentences, sends them, and waits for what the page says at the end."""
    page.get_by_label("Sentences, one a line").fill("\n".join(sentences))
    page.keyboard.press("Control+Enter")
    report = page.get_by_role("status")
    expect(report).to_have_text(re.compile(r"[.?]$"), timeout=30_000)
    return report.inner_text()


def answers(page):
    return page.get_by_role("list", name="Answers").get_by_role("listitem")


@in_each_window
def test_everybody_can_read_the_answers(address, browser, width, scheme):
    sentences = ["A film to remember.", MARKUP, LONGEST, "one word " * 60]
    with opened(browser, address, width, scheme) as page:
        report = classify(page, [*sentences, "", "  "])
        assert report.startswith("4 in all: ")
        assert "2 cut" in report
        shown = answers(page).locator(".sentence").all_text_contents()
        assert shown == [sentence.strip() for sentence in sentences]
        last = answers(page).last
        assert last.locator(".tokens span").count() == 48
        expect(last).to_contain_text("Cut here: the rest was not read.")
        percentages = last.locator("dd:not(.track)").all_text_contents()
        total = sum(float(text.removesuffix("\u00a0%")) for text in percentages)
        assert total == pytest.approx(100, abs=0.2)  # they are rounded
        assert page.title() == "A classifier of sentences"
        last.scroll_into_view_if_needed()  # what isn't in sight isn't laid out
        assert_readable(page)


def test_a_sentence_that_is_refused_does_not_lose_the_others(address, browser):
    """Which are sent in several requests."""
    # The browser itself reports what a server refuses.
    with opened(browser, address, 360, expected="status of 400") as page:
        report = classify(page, ["good"] * 70 + [TOO_LONG] + ["bad"] * 59)
        assert report == "130 in all: 70 favourable, 59 unfavourable, 1 refused."
        assert answers(page).count() == 130
        refused = answers(page).nth(70)
        expect(refused.locator(".sentence")).to_have_text(TOO_LONG)
        expect(refused).to_contain_text("String should have at most 2000 characters.")
        assert_readable(page)


def test_the_page_says_what_is_missing(address, browser):
    with opened(browser, address, expected="ERR_FAILED") as page:
        assert classify(page, ["", "  "]) == "Type a sentence."
        page.route("**/classify", lambda route: route.abort())
        assert classify(page, ["good"]) == "The server doesn't answer: does it still run?"


def test_the_button_sends_too_and_print_has_the_answers_alone(address, browser):
    with opened(browser, address, scheme="dark") as page:
        page.get_by_label("Sentences, one a line").fill("good\nbad")
        page.get_by_role("button", name="Classify").click()
        expect(answers(page)).to_have_count(2)
        page.emulate_media(media="print")
        expect(page.get_by_role("button", include_hidden=True)).to_be_hidden()
        expect(answers(page).last).to_be_visible()
