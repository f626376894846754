"""What the pages need and Jupyter Book doesn't do: an extension of Sphinx."""

import re

from docutils import nodes
from docutils.transforms import Transform
from myst_nb.core.render import NbElementRenderer


def describe_pictures():
    """Takes the alternative text of a picture from where the notebook has it.

    MyST-NB reads only width and height from the metadata of an output, and a text only
    from those of the whole cell.
    """
    render = NbElementRenderer.render_image

    def render_image(self, data):
        (image,) = render(self, data)
        about = data.output_metadata.get(data.mime_type, {})
        if "alt" in about:
            image["alt"] = about["alt"]
        return [image]

    NbElementRenderer.render_image = render_image


class JupyterAnchors(Transform):
    """Makes `#A-second-game`, as JupyterLab wants it, the page's `#a-second-game`."""

    # Before MyST looks for what the links lead to.
    default_priority = 870

    def apply(self):
        for link in self.document.findall(nodes.reference):
            if link.get("id_link"):
                link["refuri"] = "#" + re.sub(r"[^\w-]", "", link["refuri"].lower())


def mend_tables(app, document):
    """Makes the empty corner of a table of pandas no heading: it heads nothing."""
    for html in document.findall(nodes.raw):
        if "<th></th>" in html.astext():
            html.children = [nodes.Text(html.astext().replace("<th></th>", "<td></td>"))]


def name_toggles(app, page, template, context, document):
    """Names the button in the navigation that shows and hides the pages of `helpers`."""
    make = context["generate_toctree_html"]

    def make_named(*arguments, **options):
        named = '<summary aria-label="Modules of helpers">'
        return str(make(*arguments, **options)).replace("<summary>", named)

    context["generate_toctree_html"] = make_named


def setup(app):
    describe_pictures()
    app.connect("doctree-read", mend_tables)
    # After the theme has put there what is wrapped.
    app.connect("html-page-context", name_toggles, priority=900)
    app.add_transform(JupyterAnchors)
    return {"parallel_read_safe": True}
