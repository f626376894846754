"""The box to type into, without a front end to show it."""

import ipywidgets
import pytest

from helpers import widgets


@pytest.fixture
def ask(monkeypatch):
    """`widgets.ask`, which then returns what it shows: box, text below, and plain text."""
    seen = {}

    def stack(children):
        seen["parts"] = children
        return ipywidgets.Box(children)

    monkeypatch.setattr(ipywidgets, "VBox", stack)
    monkeypatch.setattr(widgets, "display", lambda data, raw: seen.update(data))

    def asked(answer, question):
        widgets.ask(answer, question)
        assert widgets.WIDGET in seen
        return *seen["parts"], seen["text/plain"]

    return asked


def test_the_answer_follows_what_is_typed(ask):
    box, below, _ = ask(str.upper, "one")
    assert (box.value, below.value) == ("one", "<pre>ONE</pre>")
    box.value = "a < b"
    assert below.value == "<pre>A &lt; B</pre>"


def test_without_widgets_question_and_answer_are_text(ask):
    *_, plain = ask(str.upper, "one")
    assert plain == "one\nONE"


def test_a_mistake_is_answered_with_its_sentence(ask):
    box, below, _ = ask(lambda text: str(int(text)), "1")
    box.value = "many"
    assert "invalid literal" in below.value
    box.value = "2"
    assert below.value == "<pre>2</pre>"
