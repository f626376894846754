"""A Sphinx extension with what the pages need beyond Jupyter Book."""

import pathlib
import re

from docutils import nodes
from docutils.transforms import Transform
from myst_nb.core.render import NbElementRenderer


def describe_pictures():
    """Takes the alternative text of a picture from the metadata of its output.

    MyST-NB reads only width and height there, and the text only from the metadata of the
    cell.
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
    """Turns JupyterLab's anchors, such as `#Where-it-looks`, into `#where-it-looks`."""

    # Before MyST resolves links.
    default_priority = 870

    def apply(self):
        for link in self.document.findall(nodes.reference):
            if link.get("id_link"):
                link["refuri"] = "#" + re.sub(r"[^\w-]", "", link["refuri"].lower())


def mend_tables(app, document):
    """Turns the empty corner of a pandas table from a heading into a plain cell."""
    for html in document.findall(nodes.raw):
        if "<th></th>" in html.astext():
            html.children = [nodes.Text(html.astext().replace("<th></th>", "<td></td>"))]


def name_toggles(app, page, template, context, document):
    """Labels the navigation button that shows and hides the pages of `helpers`."""
    make = context["generate_toctree_html"]

    def make_named(*arguments, **options):
        named = '<summary aria-label="Modules of helpers">'
        return str(make(*arguments, **options)).replace("<summary>", named)

    context["generate_toctree_html"] = make_named


def insert_first_page(app, name, source):
    """Puts what `make demo` shows, between two comments of its page, on the first page."""
    if name == "book/first_page":
        page = pathlib.Path(app.srcdir, "helpers", "page", "index.html").read_text("utf-8")
        _, _, rest = page.partition("too. -->\n")
        shown, _, _ = rest.partition("<!-- The end")
        source[0] = source[0].replace("WHAT THE DEMO SHOWS", shown)


def setup(app):
    describe_pictures()
    app.connect("source-read", insert_first_page)
    app.connect("doctree-read", mend_tables)
    # After the theme has set the function that is wrapped.
    app.connect("html-page-context", name_toggles, priority=900)
    app.add_transform(JupyterAnchors)
    return {"parallel_read_safe": True}
