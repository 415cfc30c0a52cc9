"""The built site in headless Chromium: wide and narrow, light and dark, search over HTTP and from a folder."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.page.browser import Tab, chromium, opened

pytestmark = pytest.mark.skipif(chromium() is None, reason="no chromium on this machine")
PAGES = ["index.html", "reference/cli.html", "reference/http.html", "reference/python.html", "how-to/serve.html",
         "reference/formats.html"]
# The search is a dialog in a shadow root of its own.
_DIALOG = "[...document.querySelectorAll('body *')].find(e => e.shadowRoot?.querySelector('dialog'))?.shadowRoot"


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def address(site) -> Iterator[str]:
    handler = functools.partial(_Quiet, directory=str(site.folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with opened(tmp_path_factory.mktemp("browser")) as tab:
        yield tab


@pytest.fixture
def tab(browser: Tab) -> Iterator[Tab]:
    """The tab; afterwards the browser must have had nothing to complain of."""
    browser.size(1280, 900)
    browser.prefers("light")
    browser.problems.clear()
    yield browser
    assert browser.problems == []


@pytest.mark.parametrize("page", PAGES)
def test_no_page_is_wider_than_its_window(tab: Tab, address: str, page: str) -> None:
    for width in (1280, 390):
        tab.size(width, 900, mobile=width < 500)
        tab.goto(f"{address}/{page}")
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        assert tab.text("h1")


def test_colours_follow_the_system(tab: Tab, address: str) -> None:
    seen = []
    for scheme in ("light", "dark"):
        tab.prefers(scheme)
        tab.goto(f"{address}/index.html")
        tab.wait("document.body.dataset.mdColorScheme")
        seen.append(tab.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert seen[0] != seen[1]


@pytest.mark.parametrize("from_folder", [False, True], ids=["http", "folder"])
def test_search_finds_an_error_code(tab: Tab, address: str, site, from_folder: bool) -> None:
    base = Path(site.folder).as_uri() if from_folder else address
    tab.goto(f"{base}/index.html")
    tab.wait("!!document.querySelector('.md-search__button')")
    tab.click(".md-search__button")
    tab.wait(f"!!{_DIALOG}?.querySelector('input')")
    tab.evaluate(f"{_DIALOG}.querySelector('input').focus()")
    tab.type("ambiguous_bundle")
    tab.wait(f"[...{_DIALOG}.querySelectorAll('a')].some(link => link.href.includes('errors/ambiguous_bundle'))")
