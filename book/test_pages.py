"""Tests, in a browser, of every page of the web site that `make book` has built."""

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

# Each page is tested in both widths and both colour schemes, and one of each kind in all
# four combinations.
WIDE, NARROW = (1600, "light"), (360, "dark")
OTHERS = (1600, "dark"), (360, "light")
OF_EACH_KIND = [
    FRONT,
    "README.html",
    "api/helpers/models/index.html",
    "notebooks/01_setup_and_baseline.html",
    "search.html",
]

needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="`chromium` is not installed")

# Containers lack Chromium's sandbox, and tests need no updates.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

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
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


def look_at(browser, url, width=1280, scheme="light"):
    """A page in its own window, and the errors while it loaded."""
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
    return page, wrong


@pytest.fixture(
    scope="module",
    params=[(name, *window) for name in PAGES for window in (WIDE, NARROW)]
    + [(name, *window) for name in OF_EACH_KIND for window in OTHERS],
    ids=lambda param: "-".join(map(str, param)),
)
def looked_at(request, address, browser):
    name, width, scheme = request.param
    page, wrong = look_at(browser, address + name, width, scheme)
    yield page, wrong
    page.close()


@functools.cache
def parsed(name):
    return bs4.BeautifulSoup((SITE / name).read_text("utf-8"), "html.parser")


@functools.cache
def anchors(name):
    return {tag["id"] for tag in parsed(name).find_all(id=True)} | {""}


def test_there_is_a_page_for_every_text_and_every_module():
    sources = [*REPOSITORY.glob("*.md"), *(REPOSITORY / "benchmarks").glob("[Rv]*.md")]
    sources += (REPOSITORY / "docs").glob("*.md")
    for pattern in "*.ipynb", "solutions/*.ipynb", "*.md":
        sources += (REPOSITORY / "notebooks").glob(pattern)
    wanted = {
        path.relative_to(REPOSITORY).with_suffix(".html").as_posix() for path in sources
    }
    wanted |= {
        f"api/helpers/{path.stem}/index.html"
        for path in (REPOSITORY / "helpers").glob("[!_]*.py")
    }
    assert set(PAGES) == wanted | {FRONT, "api/helpers/index.html", "search.html"}


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


def test_the_navigation_has_every_page():
    links = parsed(FRONT).select(".bd-sidebar-primary nav a[href]")
    there = set()
    for link in links:
        path = (SITE / FRONT).parent / link["href"].partition("#")[0]
        there.add(path.resolve().relative_to(SITE).as_posix())
    # The link of the page itself is empty.
    assert there - {"book"} | {FRONT} == set(PAGES) - {"search.html"}


@pytest.mark.parametrize("name", [name for name in PAGES if "notebooks/0" in name])
def test_names_in_the_code_of_a_notebook_lead_to_the_api(name):
    links = {link["href"] for link in parsed(name).select(".cell_input pre a[href]")}
    assert any(link.startswith("../api/helpers/") and "#" in link for link in links)


@needs_browser
def test_a_page_loads_without_an_error_and_asks_for_nothing_outside(looked_at):
    _, wrong = looked_at
    assert not wrong


@needs_browser
def test_every_picture_shows_and_is_described(looked_at):
    page, _ = looked_at
    pictures = page.evaluate(PICTURES)
    assert not [one for one in pictures if not one["shows"]]
    # Sphinx uses the file name where there is no description.
    assert not [one for one in pictures if one["alt"].endswith((".png", ".svg"))]


@needs_browser
def test_nothing_overflows(looked_at):
    page, _ = looked_at
    assert not page.evaluate(OVERFLOWING)


def violations(page):
    """What axe finds: a list of tuples that say what, where and how to mend it."""
    # Preloading looks for styles in the wrong places.
    options = {"resultTypes": ["violations"], "preload": False}
    found = []
    for one in Axe().run(page, options=options).response["violations"]:
        for node in one["nodes"]:
            shown = node["html"][:200]
            found.append((one["id"], node["target"], shown, node["failureSummary"]))
    return found


@needs_browser
def test_axe_finds_nothing(looked_at):
    page, _ = looked_at
    assert not violations(page)


@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_has_the_colours_of_the_system(browser, address, scheme):
    page, _ = look_at(browser, address + FRONT, scheme=scheme)
    assert page.evaluate("document.documentElement.dataset.theme") == scheme
    page.close()


@needs_browser
def test_the_search_finds(browser, address):
    page, wrong = look_at(browser, address + "search.html?q=rotary")
    found = page.locator("#search-results li a[href*='03_encoder_pretraining.html']")
    found.first.wait_for()
    assert not wrong
    page.close()


@needs_browser
def test_the_address_of_the_site_leads_to_the_front_page(browser, address):
    page = browser.new_page()
    page.goto(address)
    page.wait_for_url(address + FRONT)
    page.close()
