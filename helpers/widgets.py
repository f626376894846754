"""A box to type into, where the notebook is open; plain text where it is only read."""

import html

import ipywidgets
from IPython.display import display

WIDGET = "application/vnd.jupyter.widget-view+json"


def ask(answer, question):
    """Shows a box with a question and the answer to it; another question gets another one.

    A front end that runs widgets (JupyterLab, Colab) shows the box. Others (GitHub, a web
    page, nbval) show question and answer as text.

    Args:
        answer: function from a question, string, to its answer, string. What it raises as
            `ValueError` is shown as the answer.
        question: string, the first question.

    Returns:
        None. The box is shown, not returned: the last line of a cell would show it twice.
    """
    box = ipywidgets.Text(
        question, description="Your text", continuous_update=False, layout={"width": "95%"}
    )
    below = ipywidgets.HTML()

    def answered(_=None):
        try:
            text = answer(box.value)
        except ValueError as error:
            text = str(error)
        below.value = f"<pre>{html.escape(text)}</pre>"
        return text

    box.observe(answered, names="value")
    view = ipywidgets.VBox([box, below])
    data = {
        WIDGET: {"version_major": 2, "version_minor": 0, "model_id": view.model_id},
        "text/plain": f"{question}\n{answered()}",
    }
    display(data, raw=True)
