"""The built pages in a browser: a server on this machine, Chromium, and no way to any other host."""

import functools
import http.server
import importlib.util
import threading
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from built_site import SITE

if importlib.util.find_spec("playwright") is None:
    collect_ignore_glob = ["test_*.py"]  # `make test-pages` installs it


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, *_):
        pass


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """Where the built book is served."""
    assert (SITE / "index.html").exists(), "the book is not built; expected `make book` first"
    handler = functools.partial(QuietHandler, directory=SITE)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/book/"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def browser():
    from paper import launched
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = launched(playwright)
        yield running
        running.close()


@pytest.fixture
def open_page(browser, address) -> Iterator[Callable]:
    """A function that opens a page. At the end, nothing asked for another host, and no script failed."""
    contexts, outside, failures = [], [], []

    def route(handled):
        if urlsplit(handled.request.url).hostname in ("127.0.0.1", None):
            handled.continue_()
        else:
            outside.append(handled.request.url)
            handled.abort()

    def open_it(name: str, script: str = "", **options):
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        contexts.append(context)
        context.route("**/*", route)
        context.add_init_script(script)
        page = context.new_page()
        page.set_default_timeout(300_000)
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.goto(f"{address}{name}.html")
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert outside == []
    assert failures == []
