"""Shared by the tests in a browser: the browser, and the site as it will be published."""

import functools
import http.server
import subprocess
import sys
import threading
from contextlib import contextmanager
from urllib.parse import urlparse

import pytest
from playwright.sync_api import sync_playwright

from tests.book.pages import BASE
from tests.conftest import ROOT

# assertions in these modules should report what they compared
pytest.register_assert_rewrite("tests.browser.axe", "tests.browser.drawing")

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # no other host has an address
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


@pytest.fixture(scope="session")
def browser(chromium):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def serving(root, not_found=None):
    """Address of a server on this machine that shows a folder, and the page `not_found` for missing files."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

        def send_error(self, code, message=None, explain=None):
            if code != 404 or not not_found:
                return super().send_error(code, message, explain)
            self.send_response(404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(not_found.read_bytes())

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, request, client_address):
            # a page that was left closes the connections of its pending requests
            if not isinstance(sys.exception(), ConnectionError):
                super().handle_error(request, client_address)

    with Server(("127.0.0.1", 0), functools.partial(Quiet, directory=root)) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}/"
        httpd.shutdown()


@pytest.fixture(scope="session")
def server(site, tmp_path_factory):
    """Address of the site where it will be published: under a sub-path."""
    root = tmp_path_factory.mktemp("server")
    path = urlparse(BASE).path.strip("/")
    (root / path).symlink_to(site)
    with serving(root, not_found=site / "404.html") as address:
        yield f"{address}{path}/"


@pytest.fixture(scope="session")
def python_site(site, tmp_path_factory):
    """A copy of the site with Python in its pages; tests that use it are nightly: the first one fetches Pyodide."""
    target = tmp_path_factory.mktemp("in-page") / "site"
    command = [sys.executable, ROOT / "book/in_page", "--site", site, "--to", target]
    made = subprocess.run(command, capture_output=True, encoding="utf-8")
    if made.returncode:
        pytest.fail(f"Python could not be put into the pages: {made.stderr[-1000:]}")
    return target


@pytest.fixture(scope="session")
def python_server(python_site):
    with serving(python_site) as address:
        yield address
