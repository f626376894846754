"""Tests, in a browser, of the page that scripts/serve.py answers with.

The server runs in the environment of the series, with what `make test-slow` has left.
"""

import re
import subprocess

import pytest
import test_pages
from playwright.sync_api import expect

PYTHON = test_pages.REPOSITORY / ".venv" / "bin" / "python"
SERVE = test_pages.REPOSITORY / "scripts" / "serve.py"
CLASSIFIER = test_pages.REPOSITORY / "artifacts" / "tested" / "sample" / "classifier"
NEEDS = "import fastapi, onnxruntime, tokenizers, uvicorn"

# A line of markup must stay text.
MARKUP = "<img src=x onerror='document.title = 1'> & <b>bold</b>"
LONGEST = "good " * 400  # 2,000 characters
TOO_LONG = "too long " * 300

pytestmark = test_pages.needs_browser
browser = test_pages.browser  # a fixture


@pytest.fixture(scope="module")
def port():
    """That of a server."""
    if not PYTHON.exists() or subprocess.run([PYTHON, "-c", NEEDS]).returncode:
        pytest.skip("there is no .venv with fastapi")
    if not CLASSIFIER.exists():
        pytest.skip("`make test-slow` hasn't left a classifier")
    command = [PYTHON, SERVE, CLASSIFIER, "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield re.search(r":(\d+)/", process.stdout.readline())[1]
        process.kill()


@pytest.fixture(params=[(360, "light"), (360, "dark"), (1600, "light"), (1600, "dark")])
def looked_at(request, port, browser):
    width, scheme = request.param
    page, wrong = test_pages.look_at(browser, f"http://localhost:{port}/", width, scheme)
    yield page, wrong
    page.close()


def classify(page, sentences):
    """Pastes sentences, sends them, and waits for what the page says at the end."""
    page.get_by_label("Sentences, one a line").fill("\n".join(sentences))
    page.keyboard.press("Control+Enter")
    report = page.get_by_role("status")
    expect(report).to_have_text(re.compile(r"[.?]$"), timeout=30_000)
    return report.inner_text()


def answers(page):
    return page.get_by_role("list", name="Answers").get_by_role("listitem")


def test_two_hundred_sentences_are_answered(looked_at):
    page, wrong = looked_at
    sentences = [f"A film to remember, number {number}." for number in range(197)]
    sentences += [MARKUP, LONGEST, "one word " * 60]
    report = classify(page, [*sentences, "", "  "])
    assert report.startswith("200 in all: ")
    assert "2 cut" in report
    assert answers(page).count() == 200
    shown = answers(page).locator(".sentence").all_text_contents()
    assert shown == [sentence.strip() for sentence in sentences]
    last = answers(page).last
    assert last.locator(".tokens span").count() == 48
    expect(last).to_contain_text("Cut here: the rest was not read.")
    percentages = last.locator("dd:not(.track)").all_text_contents()
    total = sum(float(text.removesuffix("\u00a0%")) for text in percentages)
    assert total == pytest.approx(100, abs=0.2)  # they are rounded
    assert page.title() == "A classifier of sentences"
    assert not wrong
    last.scroll_into_view_if_needed()  # what isn't in sight isn't laid out
    assert not page.evaluate(test_pages.OVERFLOWING)
    assert not test_pages.violations(page)


def test_a_sentence_that_is_refused_does_not_lose_the_others(looked_at):
    page, wrong = looked_at
    report = classify(page, ["good"] * 70 + [TOO_LONG] + ["bad"] * 9)
    assert report == "80 in all: 70 favourable, 9 unfavourable, 1 refused."
    assert answers(page).count() == 80
    refused = answers(page).nth(70)
    expect(refused.locator(".sentence")).to_have_text(TOO_LONG)
    expect(refused).to_contain_text("String should have at most 2000 characters.")
    assert not page.evaluate(test_pages.OVERFLOWING)
    # The browser itself reports what a server refuses, and nothing else is wrong.
    assert all("status of 400" in line for line in wrong)


def test_the_page_says_what_is_missing(port, browser):
    page, wrong = test_pages.look_at(browser, f"http://127.0.0.1:{port}/")
    assert classify(page, ["", "  "]) == "Type a sentence."
    assert not wrong
    page.route("**/classify", lambda route: route.abort())
    assert classify(page, ["good"]) == "The server doesn't answer: does it still run?"
    page.close()


def test_the_button_sends_too_and_print_has_the_answers_alone(port, browser):
    page, _ = test_pages.look_at(browser, f"http://127.0.0.1:{port}/", scheme="dark")
    page.get_by_label("Sentences, one a line").fill("good\nbad")
    page.get_by_role("button", name="Classify").click()
    expect(answers(page)).to_have_count(2)
    page.emulate_media(media="print")
    expect(page.get_by_role("button", include_hidden=True)).to_be_hidden()
    expect(answers(page).last).to_be_visible()
    page.close()
