"""Shared by the tests in a browser: the browser, and the site as it will be published."""

import functools
import http.server
import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager
from urllib.parse import urlparse

import pytest
from playwright.sync_api import sync_playwright

from tests.book.pages import BASE
from tests.browser.firefox import Firefox
from tests.conftest import ROOT, once

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
def serving(root, not_found=None, asked=None):
    """Address of a server on this machine that shows a folder, and the page `not_found` for missing files.

    `asked` is a list that gets the path and the query of every request.
    """

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            if asked is not None:
                asked.append(self.path)

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


def add_python():
    """Put Python into the pages of a copy of the site; returns what went wrong, or an empty string."""
    command = [sys.executable, ROOT / "book/in_page"]
    made = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace")
    return made.stderr[-1000:] if made.returncode else ""


@pytest.fixture(scope="session")
def python_site(request, site, tmp_path_factory):
    """The folder of the site with Python in its pages, made now unless it is up to date.

    If its files cannot be fetched, tests are skipped with a reason, and under CI=true they fail.
    """
    folder = ROOT / "_build/published"
    is_made = request.config.getoption("--no-build") and (folder / "python/offline.json").is_file()
    if not is_made and (failure := once(tmp_path_factory, "python-site", add_python)):
        (pytest.skip if failure.startswith("Python cannot") else pytest.fail)(failure)
    return folder


@pytest.fixture(scope="session")
def python_server(python_site):
    with serving(python_site) as address:
        yield address


@pytest.fixture(scope="module")
def firefox(tmp_path_factory):
    """A Firefox; without one, its tests are skipped with a reason, and under CI=true they fail."""
    path = shutil.which("firefox-esr") or shutil.which("firefox")
    if path is None:
        pytest.skip("no Firefox on this machine (Debian: apt-get install firefox-esr); its tests cannot run")
    firefox = Firefox(path, tmp_path_factory.mktemp("profile"))
    yield firefox
    firefox.close()
