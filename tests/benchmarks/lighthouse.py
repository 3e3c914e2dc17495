"""Lighthouse on pages of the built site, as a phone sees them: medians of several runs next to the budgets.

A server on this machine sends the site compressed and under the sub-path where it will be published. Lighthouse comes
from npm and simulates a slow phone, whose processor is `--slowdown` times slower than this machine's. Scores depend on
the machine, so the last column is Lighthouse's own measure of its speed; on a busy machine the scores are too low.
"""

import asyncio
import json
import logging
import os
import subprocess
import tempfile
import threading
from pathlib import Path
from statistics import median
from urllib.parse import urlparse

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, StaticFileHandler

from tests.benchmarks import make_parser
from tests.book.pages import BASE, all_pages
from tests.browser.conftest import ARGUMENTS
from tests.conftest import ROOT, find_chromium

PACKAGE = "lighthouse@13.5.0"
CATEGORIES = ("performance", "accessibility", "best-practices", "seo")
# this page asks search engines not to list it
UNLISTED = "404.html"
BUDGETS = {"performance": 95, "accessibility": 100, "best-practices": 100, "seo": 100, "LCP s": 1.5, "CLS": 0.05}


def audit(report, name):
    return report["audits"][name]["numericValue"]


def figures(report):
    """The row of the table for one run."""
    transferred = report["audits"]["network-requests"]["details"]["items"]
    return {
        **{name: 100 * report["categories"][name]["score"] for name in CATEGORIES},
        "LCP s": audit(report, "largest-contentful-paint") / 1000,
        "CLS": audit(report, "cumulative-layout-shift"),
        "TBT ms": audit(report, "total-blocking-time"),
        "work ms": audit(report, "mainthread-work-breakdown"),
        "kB": sum(item["transferSize"] for item in transferred) / 1000,
        "requests": len(transferred),
        "machine": report["environment"]["benchmarkIndex"],
    }


def serve(site):
    """Start a server in its own thread; returns the site's address."""
    path = urlparse(BASE).path
    started, address = threading.Event(), []

    async def run():
        handler = (rf"{path}(.*)", StaticFileHandler, {"path": str(site), "default_filename": "index.html"})
        [socket] = bind_sockets(0, "127.0.0.1")
        HTTPServer(Application([handler], compress_response=True)).add_sockets([socket])
        address.append(f"http://127.0.0.1:{socket.getsockname()[1]}{path}")
        started.set()
        await asyncio.Event().wait()

    threading.Thread(target=lambda: asyncio.run(run()), daemon=True).start()
    started.wait()
    return address[0]


def measure(program, address, slowdown):
    """One run of Lighthouse. Failed audits are printed, because scores alone say little."""
    command = [program, address, "--output=json", "--quiet", f"--only-categories={','.join(CATEGORIES)}"]
    # the pictures of the whole page are not used
    command += ["--disable-full-page-screenshot", f"--throttling.cpuSlowdownMultiplier={slowdown}"]
    command += [f"--chrome-flags=--headless=new {' '.join(ARGUMENTS)}"]
    environment = os.environ | {"CHROME_PATH": find_chromium() or ""}
    run = subprocess.run(command, capture_output=True, encoding="utf-8", env=environment)
    if run.returncode:
        raise SystemExit(f"lighthouse {address} failed:\n{run.stderr[-2000:]}")
    return json.loads(run.stdout)


def faults(report):
    """The audits that cost points in a category that should be full."""
    for name in CATEGORIES[1:]:
        for reference in report["categories"][name]["auditRefs"]:
            found = report["audits"][reference["id"]]
            if reference["weight"] and found["score"] is not None and found["score"] < 1:
                yield f"{found['id']}: {found['title']}"


def missed(page, name, value):
    if name not in BUDGETS or (page == UNLISTED and name == "seo"):
        return False
    return value < BUDGETS[name] if name in CATEGORIES else value > BUDGETS[name]


def main():
    parser = make_parser("tests.benchmarks.lighthouse", __doc__)
    parser.add_argument("pages", nargs="*", help="paths in the site, such as book/en/npo.html (default: every page)")
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="runs of each page (default: 5)")
    parser.add_argument("--slowdown", type=float, default=4, metavar="N", help="of the phone's processor (default: 4)")
    options = parser.parse_args()
    # Lighthouse asks the server for files above the site: robots.txt, a favicon
    logging.getLogger("tornado.access").setLevel(logging.ERROR)
    site = ROOT / "_build/html"
    unknown = [page for page in options.pages if not (site / page).is_file()]
    if unknown:
        parser.error(f"not in _build/html: {', '.join(unknown)}")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["npm", "install", "--silent", "--no-save", "--prefix", folder, PACKAGE], check=True)
        program, address = Path(folder, "node_modules/.bin/lighthouse"), serve(site)
        failed = table(program, address, options.pages or all_pages(site), options)
    print(f"\n{failed} figures miss their budgets: {BUDGETS}" if failed else f"\nall budgets are met: {BUDGETS}")


def table(program, address, pages, options):
    """Print a row for each page as soon as it is measured; returns how many figures miss their budgets."""
    failed = 0
    for number, page in enumerate(pages):
        reports = [measure(program, address + page, options.slowdown) for _ in range(options.runs)]
        rows = [figures(report) for report in reports]
        middle = {name: median(row[name] for row in rows) for name in rows[0]}
        if not number:
            print(f"{f'median of {options.runs}':40}", *(f"{name:>15}" for name in middle))
        marked = {name: f"{value:.4g}{' !' if missed(page, name, value) else ''}" for name, value in middle.items()}
        print(f"{page:40}", *(f"{text:>15}" for text in marked.values()), flush=True)
        for fault in sorted(set().union(*map(faults, reports))):
            print(f"    {fault}", flush=True)
        failed += sum(missed(page, name, value) for name, value in middle.items())
    return failed


if __name__ == "__main__":
    main()
