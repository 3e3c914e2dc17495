"""The demos of a page: their names, how they load, what they show, and their files."""

import json
import re

from tests.book.pages import parse
from tests.browser.visit import wait_until
from tests.conftest import ROOT


def demos_of(name):
    return re.findall(r"^demos\.(\w+)\(\)$", (ROOT / f"book/en/{name}.md").read_text("utf-8"), re.M)


def mounted(page, name):
    """Every explorer of a page, scrolled into view so that it loads its state."""
    for view in page.locator("script[type$='widget-view+json']").all():
        view.evaluate("script => script.parentElement.scrollIntoView()")
        page.wait_for_timeout(100)
    wait_until(page, f"document.querySelectorAll('.npo-explorer').length === {len(demos_of(name))}")
    return page.locator(".npo-explorer").all()


def look(figure):
    return (
        "".join(plot.inner_html() for plot in figure.locator(".npo-plot").all())
        + figure.locator(".npo-sentence").inner_text()
    )


def states(site, edition, name):
    """The files with the states of a page's demos: for each view the files that it needs."""
    page = parse(site / f"book/{edition}/{name}.html")
    files = {
        (site / f"book/{edition}" / tag["data-src"]).resolve(): tag["data-models"].split()
        for tag in page.select("script[type$='widget-state+json']")
    }
    views = [json.loads(tag.string)["model_id"] for tag in page.select("script[type$='widget-view+json']")]
    return [{file for file, models in files.items() if view in models} for view in views]
