"""Tests, in a browser, of every page of the web site that `make book` has built."""

import contextlib
import functools
import http.server
import pathlib
import shutil
import threading
import urllib.parse

import bs4
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
SITE = REPOSITORY / "artifacts" / "book" / "_build" / "html"
CHROMIUM = shutil.which("chromium")

# Every page, except parts of the theme, and index.html, which redirects to the front page.
PAGES = sorted(
    path.relative_to(SITE).as_posix()
    for path in SITE.rglob("*.html")
    if path.relative_to(SITE).parts[0] not in ("_static", "index.html")
)
FRONT = "book/first_page.html"

# Each page is tested in two of these windows, and one of each kind in all of them.
WINDOWS = [(1600, "light"), (360, "dark"), (1600, "dark"), (360, "light")]
OF_EACH_KIND = [
    FRONT,
    "README.html",
    "api/helpers/models/index.html",
    "notebooks/01_setup_and_baseline.html",
    "search.html",
]

needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="`chromium` is not installed")
in_each_window = pytest.mark.parametrize(("width", "scheme"), WINDOWS)

# Elements wider than the window, unless they are in something that scrolls, or in a sidebar
# that is hidden outside it.
OVERFLOWING = """() => {
    const wide = document.documentElement.clientWidth;
    const excused = element => {
        for (let one = element; one; one = one.parentElement) {
            const how = getComputedStyle(one);
            if (how.position === "fixed") return true;
            if (one !== element && one !== document.body
                && ["auto", "scroll"].includes(how.overflowX)
                && one.getBoundingClientRect().right <= wide + 1) return true;
        }
        return false;
    };
    const found = [...document.querySelectorAll("main *")].filter(element =>
        element.checkVisibility() && element.getBoundingClientRect().right > wide + 1
        && !excused(element));
    if (document.documentElement.scrollWidth > wide) found.push(document.documentElement);
    return found.map(element => element.outerHTML.slice(0, 150));
}"""

PICTURES = """() => [...document.images].map(image => ({
    source: image.src, alt: image.alt, shows: image.complete && image.naturalWidth > 0,
}))"""


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def address():
    handler = functools.partial(Handler, directory=SITE)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=["--disable-gpu"])


@contextlib.contextmanager
def opened(browser, url, width=1280, scheme="light", expected=None):
    """A page in a window of its own, in which nothing may go wrong, except for messages
    that contain what is expected."""
    page = browser.new_page(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
        # Colours are measured when animations have ended.
        reduced_motion="reduce",
    )
    wrong = []

    def said(message):
        if message.type in ("error", "warning"):
            wrong.append(f"{message.text} ({message.location['url']})")

    def leaves(route):
        wrong.append(f"asked for {route.request.url}")
        route.abort()

    page.on("console", said)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    # Blocks and reports requests to other sites.
    origin = "/".join(url.split("/")[:3])
    page.route(lambda one: not one.startswith((origin, "data:", "blob:")), leaves)
    page.goto(url)
    page.evaluate("window.MathJax?.startup?.promise.then(() => {})")
    yield page
    page.close()
    assert not [line for line in wrong if not expected or expected not in line]


def assert_readable(page):
    """Nothing overflows, and axe finds nothing to mend."""
    assert not page.evaluate(OVERFLOWING)
    # Preloading looks for styles in the wrong places.
    options = {"resultTypes": ["violations"], "preload": False}
    found = []
    for one in Axe().run(page, options=options).response["violations"]:
        for node in one["nodes"]:
            found.append((one["id"], node["target"], node["failureSummary"]))
    assert not found


@functools.cache
def parsed(name):
    return bs4.BeautifulSoup((SITE / name).read_text("utf-8"), "html.parser")


@functools.cache
def anchors(name):
    return {tag["id"] for tag in parsed(name).find_all(id=True)} | {""}


def test_every_text_and_every_module_has_a_page_in_the_navigation():
    wanted = {FRONT, "api/helpers/index.html"}
    texts = "*.md", "docs/*.md", "benchmarks/[Rv]*.md", "notebooks/*.md"
    for pattern in *texts, "notebooks/*.ipynb", "notebooks/solutions/*.ipynb":
        for path in REPOSITORY.glob(pattern):
            wanted.add(path.relative_to(REPOSITORY).with_suffix(".html").as_posix())
    for path in REPOSITORY.glob("helpers/[!_]*.py"):
        wanted.add(f"api/helpers/{path.stem}/index.html")
    assert set(PAGES) == wanted | {"search.html"}
    there = {FRONT}  # the link of the page itself is empty
    for link in parsed(FRONT).select(".bd-sidebar-primary nav a[href$='.html']"):
        path = (SITE / FRONT).parent / link["href"]
        there.add(path.resolve().relative_to(SITE).as_posix())
    assert there == wanted


@pytest.mark.parametrize("name", [*PAGES, "index.html"])
def test_no_link_inside_the_site_is_broken(name):
    broken = []
    for tag in parsed(name).find_all(["a", "link", "img", "script", "source"]):
        link = tag.get("href", tag.get("src"))
        url = urllib.parse.urlsplit(link or "")
        if link is None or url.scheme in ("https", "data"):
            continue
        path = urllib.parse.unquote(url.path)
        target = (SITE / name).parent / path if path else SITE / name
        inside = target.resolve().is_relative_to(SITE) and target.is_file()
        if not inside or (
            target.suffix == ".html"
            and urllib.parse.unquote(url.fragment)
            not in anchors(target.resolve().relative_to(SITE).as_posix())
        ):
            broken.append(link)
    assert not broken


IN_WINDOWS = []
for name in PAGES:
    for window in WINDOWS[: 4 if name in OF_EACH_KIND else 2]:
        IN_WINDOWS.append((name, *window))


@needs_browser
@pytest.mark.parametrize(("name", "width", "scheme"), IN_WINDOWS)
def test_everybody_can_read_a_page(address, browser, name, width, scheme):
    """Without an error, and without a request to another site."""
    with opened(browser, address + name, width, scheme) as page:
        assert page.evaluate("document.documentElement.dataset.theme") == scheme
        for picture in page.evaluate(PICTURES):
            assert picture["shows"], picture["source"]
            # Sphinx uses the file name where there is no description.
            assert not picture["alt"].endswith((".png", ".svg"))
        assert_readable(page)


@needs_browser
def test_the_search_finds(browser, address):
    with opened(browser, address + "search.html?q=rotary") as page:
        found = page.locator("#search-results li a[href*='03_encoder_pretraining.html']")
        found.first.wait_for()


@needs_browser
def test_the_address_of_the_site_leads_to_the_front_page(browser, address):
    page = browser.new_page()
    page.goto(address)
    page.wait_for_url(address + FRONT)
    page.close()
