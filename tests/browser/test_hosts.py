"""Explorers in other people's pages: from right to left, under a policy, in frames, with large letters."""

import functools
import http.server
import os
import re
import subprocess
import sysconfig
import threading
from contextlib import contextmanager
from itertools import pairwise

import numpy as np
import pytest

from npo_tutorial.explore import Grid, Images, explore, save_html
from tests.browser.conftest import ARGUMENTS
from tests.browser.drawing import drawing, opened, put
from tests.browser.visit import DESKTOP, PHONE, Visit, too_wide
from tests.conftest import nightly
from tests.project import ROOT

X = np.linspace(-10, 10, 21)
HEBREW = "ההפסד יורד."


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A page in each language, and the English one in a page that runs from right to left."""
    folder = tmp_path_factory.mktemp("hosts")
    shown = explore(
        lambda x, k, method: {"a curve with a name of some length": k * x, "row": Images([0.5, 1 / k])},
        X,
        title={"en": "A title of several words", "zh": "标题"},
        x_label={"en": "log-ratio", "zh": "对数比"},
        y_label=HEBREW,
        say=lambda k, method: {"en": f"It falls to −{10 * k}.", "zh": f"降到 −{10 * k}。"},
        animate="k",
        images=np.eye(4)[:2],
        k=Grid([1, 2, 3], label={"en": "temperature of the model", "zh": "温度"}),
        method=["GA", "NPO", "gradient descent"],
    )
    for language in ("en", "zh"):
        save_html(shown, folder / f"{language}.html", title="Hosts", language=language)
    page = (folder / "en.html").read_text("utf-8")
    (folder / "rtl.html").write_text(page.replace('<html lang="en">', '<html lang="he" dir="rtl">'), "utf-8")
    return folder


@contextmanager
def guarded(folder, policy):
    """Address of a server that sends a Content Security Policy with every page."""

    class Guarded(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

        def end_headers(self):
            self.send_header("Content-Security-Policy", policy)
            super().end_headers()

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Guarded, directory=folder)) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}/"
        httpd.shutdown()


# where a character of a text is painted
LEFT_OF = """(element, character) => {
  const text = element.firstChild, range = document.createRange(), at = text.data.indexOf(character);
  range.setStart(text, at);
  range.setEnd(text, at + 1);
  return range.getBoundingClientRect().left;
}"""


def test_numbers_and_axes_run_from_left_to_right_in_every_page(browser, folder):
    with opened(browser, folder, "rtl.html") as page:
        figure = page.locator(".npo-explorer")
        frame = figure.locator(".npo-frame").bounding_box()
        ticks = figure.locator(".npo-chart text").all()
        below = [tick for tick in ticks if tick.get_attribute("text-anchor") == "middle"]
        beside = [tick for tick in ticks if tick.get_attribute("text-anchor") == "end"]
        assert len(below) >= 3 and len(beside) >= 3
        assert all(tick.bounding_box()["x"] + tick.bounding_box()["width"] <= frame["x"] for tick in beside)
        lefts = [tick.bounding_box()["x"] for tick in below]
        assert lefts == sorted(lefts) and below[0].text_content() == "−10"
        for text in (below[0], figure.locator(".npo-sentence")):
            minus, one = (text.evaluate(LEFT_OF, character) for character in "−1")
            assert minus < one
        # a label of the host's own keeps its direction: its full stop comes last, which is on the left
        label = figure.locator(".npo-y-label")
        assert label.evaluate(LEFT_OF, ".") < label.evaluate(LEFT_OF, HEBREW[0])
        # the page itself runs the other way
        heading = page.locator("h1")
        assert heading.evaluate("e => getComputedStyle(e).direction") == "rtl"


# a policy, whether explorers move under it, what is said if not
POLICIES = {
    "least": ("default-src 'none'; script-src 'unsafe-inline' blob:; img-src data:", True, None),
    "no blob": (
        "script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:",
        False,
        "the security policy of this page forbids its script. It must allow blob: in script-src.",
    ),
    "no script": ("default-src 'self'", False, None),
}


@pytest.mark.parametrize("case", POLICIES)
def test_under_a_policy_it_moves_or_the_picture_stays_and_the_reason_is_true(browser, folder, case):
    policy, moves, reason = POLICIES[case]
    with guarded(folder, policy) as address, Visit(browser, address, **DESKTOP) as visit:
        page = visit.open(address + "en.html")
        if moves:
            figure = page.locator(".npo-explorer")
            figure.locator(".npo-chart[viewBox]").wait_for()
            before = drawing(figure)
            put(figure.locator("input[type=range]"), 2)
            assert drawing(figure) != before
            assert not page.locator("figure").count()
            # styles of its own, though the policy allows no element and no attribute with styles
            assert figure.locator(".npo-curve").first.evaluate("e => getComputedStyle(e).stroke") == "rgb(0, 96, 192)"
            assert figure.locator("img").first.evaluate("e => e.naturalWidth && getComputedStyle(e).opacity") == "0.55"
            return
        if reason:
            alert = page.locator("[role=alert]")
            alert.wait_for()
            assert alert.inner_text() == f"This demo could not be started: {reason}"
        else:
            assert not page.locator("[role=alert]").count()
        picture = page.get_by_role("img", name="A title of several words")
        assert picture.bounding_box()["height"] > 150
        # with the colours of its curves
        strokes = picture.locator("path").evaluate_all("all => all.map(e => getComputedStyle(e).stroke)")
        assert "rgb(0, 96, 192)" in strokes


def test_the_picture_is_in_the_page_before_the_script_and_is_small(folder):
    page = (folder / "en.html").read_text("utf-8")
    picture, script = page.index("<svg"), page.index("<script>")
    assert picture < script and "<noscript" not in page
    assert page.index("</svg>") - picture < 12_000


def test_it_moves_in_a_frame_with_a_sandbox(browser, folder):
    (folder / "frame.html").write_text(
        '<!doctype html><title>Course</title><link rel="icon" href="data:,">'
        '<iframe src="en.html" sandbox="allow-scripts" width="800" height="900"></iframe>',
        "utf-8",
    )
    with guarded(folder, "frame-src 'self'") as address, Visit(browser, address, **DESKTOP) as visit:
        figure = visit.open(address + "frame.html").frame_locator("iframe").locator(".npo-explorer")
        figure.locator(".npo-chart[viewBox]").wait_for()
        before = drawing(figure)
        put(figure.locator("input[type=range]"), 2)
        assert drawing(figure) != before
        assert not visit.complaints


@pytest.fixture(scope="module")
def large(chromium, browser):
    """A browser whose reader has set letters of 32 pixels, twice the usual."""
    arguments = [*ARGUMENTS, "--blink-settings=defaultFontSize=32"]
    large = browser.browser_type.launch(executable_path=chromium, args=arguments)
    yield large
    large.close()


SIZES = "all => all.map(e => parseFloat(getComputedStyle(e).fontSize))"


@pytest.mark.parametrize("root", ["", "html { font-size: 62.5% }"], ids=["plain", "a host with a small rem"])
def test_letters_are_as_large_as_the_reader_wants_and_all_fits_a_phone(browser, large, folder, root):
    sizes = []
    for one in (browser, large):
        with opened(one, folder, "en.html", **PHONE) as page:
            if root:
                page.add_style_tag(content=root)
                page.wait_for_timeout(200)
            figure = page.locator(".npo-explorer")
            sizes.append(figure.locator("> *, text, button, output, .npo-choice span").evaluate_all(SIZES))
            assert not too_wide(page)
            assert max(sizes[-1]) == (15 if one is browser else 30) and min(sizes[-1]) >= (12 if one is browser else 24)
            box = figure.bounding_box()
            for text in figure.locator("text, label, button, .npo-sentence").all():
                place = text.bounding_box()
                assert box["x"] - 1 <= place["x"] and place["x"] + place["width"] <= box["x"] + box["width"] + 1
            ticks = figure.locator(".npo-chart text[text-anchor=middle]").all()
            ends = [(tick.bounding_box()["x"], tick.bounding_box()["width"]) for tick in ticks]
            assert len(ends) > 1
            assert all(x + width < after for (x, width), (after, _) in pairwise(ends))


CELL = """---
jupytext: {text_representation: {extension: .md, format_name: myst}}
kernelspec: {display_name: Python 3, language: python, name: python3}
---

# Another page

```{code-cell} ipython3
%s```
"""
# the files of a site, the command that builds it, and its page
SITES = {
    "Jupyter Book": (
        {
            "_toc.yml": "format: jb-book\nroot: page\n",
            "_config.yml": "title: Other\nsphinx: {config: {nb_ipywidgets_js: {}}}\n",
        },
        ["jupyter-book", "build", ".", "-W", "--keep-going"],
        "_build/html/page.html",
    ),
    "Sphinx": (
        {"conf.py": 'extensions = ["myst_nb"]\nroot_doc = "page"\nnb_ipywidgets_js = {}\n'},
        ["sphinx-build", "-W", ".", "html"],
        "html/page.html",
    ),
}


@pytest.mark.parametrize("case", nightly(*SITES))
def test_the_cell_of_the_page_about_it_works_in_another_site(browser, tmp_path, case):
    files, command, page = SITES[case]
    code = re.search(r"```python\n(.*?)```", (ROOT / "book/en/explorers.md").read_text("utf-8"), re.S)[1]
    for name, text in (files | {"page.md": CELL % code}).items():
        (tmp_path / name).write_text(text, "utf-8")
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [os.path.join(sysconfig.get_path("scripts"), command[0]), *command[1:]],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    # the site's own scripts may ask for other hosts
    with Visit(browser, tmp_path.as_uri() + "/", **DESKTOP) as visit:
        visit.page.goto((tmp_path / page).as_uri())
        figure = visit.page.locator(".npo-explorer")
        figure.locator(".npo-chart[viewBox]").wait_for()
        before = drawing(figure)
        put(figure.locator("input[type=range]"), 2)
        assert drawing(figure) != before
