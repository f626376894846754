"""The first page in a browser, as `make demo` serves it."""

import json
import subprocess
import sys

import numpy as np
import onnxruntime
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

PAGE = REPOSITORY / "helpers" / "page"
RUNTIME = REPOSITORY / "book" / "node_modules" / "onnxruntime-web" / "dist"
GUESSES = json.loads((PAGE / "guesses.json").read_text("utf-8"))

needs_runtime = pytest.mark.skipif(not RUNTIME.is_dir(), reason="needs npm: `make book`")

# The word pieces of a sentence, and what the encoder in the browser makes of it
ASK = """async sentence => {
    const {load, tokenize} = await import("./encoder.js");
    const listed = await (await fetch("vocabulary.txt")).text();
    const ids = new Map(listed.split("\\n").map((piece, id) => [piece, id]));
    window.encoder ??= await load();
    return [tokenize(sentence, ids), await window.encoder(sentence, 20)];
}"""


@pytest.fixture(scope="module")
def address():
    command = [sys.executable, REPOSITORY / "scripts" / "demo.py", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    yield server.stdout.readline().split()[0]
    server.terminate()
    server.wait()


@pytest.fixture
def page(browser, address):
    with opened(browser, address) as page:
        page.locator(".guesses li").first.wait_for()
        yield page


@in_each_window
def test_everybody_can_read_it(browser, address, width, scheme):
    with opened(browser, address, width, scheme) as page:
        page.locator(".guesses li").first.wait_for()
        assert_readable(page)
        page.emulate_media(media="print")
        assert not page.evaluate(test_pages.OVERFLOWING)


def check_all_times(page, slider, moments):
    slider.press("Home")
    for guesses, time in zip(moments, GUESSES["times"], strict=True):
        lines = page.locator(".guesses li").all_inner_texts()
        for shown, (wanted, share) in zip(lines, guesses, strict=True):
            word, percent = shown.split("\n")
            assert word.strip("“”") == wanted
            assert percent == "<1 %" or abs(float(percent[:-2]) - 100 * share) <= 0.5
        assert slider.get_attribute("aria-valuetext") == time
        slider.press("ArrowRight")


def test_slider_and_buttons_show_what_the_data_say(page):
    slider = page.get_by_label("Time of pretraining")
    for number, sentence in enumerate(GUESSES["sentences"]):
        before, after = sentence["text"].split("[MASK]")
        line = page.locator(".sentence").inner_text()
        assert line.startswith(before.strip())
        assert line.endswith(after.strip())
        if number % 10 == 0:
            check_all_times(page, slider, sentence["guesses"])
        page.get_by_role("button", name="Next sentence").press("Enter")
    # After the last one comes the first.
    assert page.locator(".about").inner_text() == GUESSES["sentences"][0]["about"]


def test_play_goes_to_the_end(page):
    page.clock.install()
    page.get_by_role("button", name="Play").click()
    page.clock.run_for(10_000)
    assert page.locator(".time").inner_text() == "an hour (5,000 steps)"
    assert page.get_by_role("button", name="Play").is_visible()


@needs_runtime
def test_the_encoder_in_the_browser_is_that_of_onnxruntime(page):
    session = onnxruntime.InferenceSession(PAGE / "encoder.onnx")
    vocabulary = (PAGE / "vocabulary.txt").read_text("utf-8").split("\n")
    for sentence in GUESSES["sentences"][:3]:
        ids, ((*guesses,),) = page.evaluate(ASK, sentence["text"])
        position = ids.index(4)
        feeds = {"token_ids": np.array([ids], "int32")}
        feeds["mask_positions"] = np.array([[position]], "int32")
        (probabilities,) = session.run(None, feeds)
        for word, share in guesses:
            wanted = probabilities[0, 0, vocabulary.index(word)]
            assert abs(share - wanted) < 1e-4


@needs_runtime
def test_any_sentence_is_answered_or_refused(page):
    field = page.get_by_role("textbox")
    status = page.locator("#ask output")
    answers = page.locator("#ask p")
    button = page.locator("#ask button")
    button.click()
    answers.nth(1).wait_for()
    for text, message in (
        ("No word is missing.", "Write ___ where a word is missing."),
        ("___ " + "word " * 70, "The sentence has 71 word pieces"),
    ):
        field.fill(text)
        button.click()
        page.wait_for_function("document.querySelector('#ask button').disabled === false")
        assert status.inner_text().startswith(message)
    field.fill("the special ___ are great")
    button.click()
    page.wait_for_function("document.querySelector('#ask p').innerText.includes('effects')")
    assert answers.count() == 1
