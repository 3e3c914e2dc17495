"""A demo whose numbers are missing or damaged says so, keeps its picture, and does not disturb the rest of the page."""

import json
import re

import pytest

from tests.book.pages import CHAPTERS, EDITIONS
from tests.browser.demos import demos_of, look, states
from tests.browser.visit import DESKTOP, Visit
from tests.conftest import nightly

NAME = next(name for name in CHAPTERS if len(demos_of(name)) > 1)
SAID = {
    "zh": {"start": "这个演示无法启动：", "unreachable": "加载失败", "damaged": "缺失或已损坏", "remedy": "刷新页面"},
    "en": {
        "start": "This demo could not be started: ",
        "unreachable": "cannot be loaded",
        "damaged": "missing or damaged",
        "remedy": "Reload the page",
    },
}


def edited(change):
    """A script with a state, after a change of its models."""

    def edit(script):
        state = json.loads(re.fullmatch(r"npoWidgetState\((.*)\);\n", script, re.S)[1])
        for model in state["state"].values():
            change(model)
        return f"npoWidgetState({json.dumps(state)});"

    return edit


def shorten(model):
    for buffer in model.get("buffers", []):
        buffer["data"] = buffer["data"][: len(buffer["data"]) // 8 * 4]


# changes to the demo's own file or to the one that all share, and what its reader is told
DAMAGES = {
    "missing file": ("own", None, "unreachable"),
    "half a file": ("own", lambda script: script[: len(script) // 2], "damaged"),
    "a page in place of the file": ("own", lambda script: "<!doctype html><title>Hello</title>", "damaged"),
    "no models": ("own", lambda script: "npoWidgetState({});", "damaged"),
    "no chart": ("own", edited(lambda model: model["state"].pop("chart", None)), "damaged"),
    "no numbers": ("own", edited(lambda model: model.pop("buffers", None)), "damaged"),
    "half the numbers": ("own", edited(shorten), "damaged"),
    "missing shared file": ("shared", None, "unreachable"),
    "half a shared file": ("shared", lambda script: script[: len(script) // 2], "damaged"),
    "a shared script that fails": (
        "shared",
        edited(lambda model: model["state"].update(_esm="export default { render() { null.x } }")),
        "damaged",
    ),
}


# the languages in turn; each damage in both every night
CASES = [(list(EDITIONS)[(i + j) % 2], damage) for j in range(2) for i, damage in enumerate(DAMAGES)]


@pytest.mark.parametrize(("edition", "damage"), [*CASES[: len(DAMAGES)], *nightly(*CASES[len(DAMAGES) :])])
def test_a_damaged_demo_says_so_and_the_page_goes_on(browser, site, server, edition, damage):
    place, change, reason = DAMAGES[damage]
    needed = states(site, edition, NAME)
    shared = set.intersection(*needed)
    [file] = shared if place == "shared" else needed[0] - shared
    n_broken = len(needed) if place == "shared" else 1
    with Visit(browser, server, **DESKTOP) as visit:

        def answer(route):
            body = None if change is None else change(file.read_text("utf-8"))
            route.fulfill(status=404 if body is None else 200, body=body or "", content_type="text/javascript")

        visit.context.route(f"**/{file.name}", answer)
        page = visit.open(f"{server}book/{edition}/{NAME}.html")
        views = page.locator("script[type$='widget-view+json'] + .widget-stand-in")
        for view in views.all():
            view.scroll_into_view_if_needed()
            view.locator("[role=alert], .npo-explorer").wait_for()
        alerts = page.locator(".widget-stand-in [role=alert]")
        assert alerts.count() == n_broken
        for alert in alerts.all():
            text = alert.inner_text()
            said = SAID[edition]
            assert text.startswith(said["start"]) and said[reason] in text and said["remedy"] in text
            assert not re.search("undefined|null|Error|[{}]", text)
        for view in views.all()[:n_broken]:
            assert view.locator("img").is_visible() and not view.locator(".npo-explorer").count()
        assert page.locator(".npo-explorer").count() == len(needed) - n_broken
        for figure in page.locator(".npo-explorer").all():
            start = look(figure)
            figure.locator("input").last.press("ArrowLeft")
            assert look(figure) != start
        # the console gives the details
        assert visit.complaints
