"""Demos and the concept map in other people's pages: the line that the book offers, and what it shows there."""

import gzip
import re

import pytest
from bs4 import BeautifulSoup

from npo_tutorial import demos
from tests.book.pages import BASE, CHAPTERS, EDITIONS, LOADED, NAMES, all_pages, editions, parse
from tests.browser.axe import opened, violations
from tests.browser.conftest import serving
from tests.browser.demos import demos_of, look
from tests.browser.visit import DESKTOP, Visit
from tests.conftest import nightly

PAGES = {(edition, name): f"embed/{edition}/{name}.html" for edition in EDITIONS for name in demos.__all__}
CHAPTER_OF = {demo: name for name in CHAPTERS for demo in demos_of(name)}


def lines(site, edition, name):
    """The lines that a page offers to copy."""
    return [tag.get_text().strip() for tag in parse(site / f"book/{edition}/{name}.html").select("details.embed pre")]


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    """Another person's site: its folder and its address, an origin other than the book's."""
    root = tmp_path_factory.mktemp("stranger")
    with serving(root) as address:
        yield root, address


def test_each_demo_has_a_self_contained_page_in_each_language(site):
    assert {page for page in all_pages(site) if page.startswith("embed/")} == set(PAGES.values())
    for (edition, name), page in PAGES.items():
        content = (site / page).read_bytes()
        size = len(gzip.compress(content))
        assert size <= 60_000, f"{page} must have at most 60 kB (gzip), it has {size}: give the demo fewer numbers"
        soup = parse(site / page)
        own = [tag for name_of_tag, attribute in LOADED for tag in soup.select(f"{name_of_tag}[{attribute}]")]
        loaded = [tag for tag in own if tag.name != "link" or "icon" in tag["rel"]]
        assert all(tag.get("src", tag.get("href")).startswith("data:") for tag in loaded), page
        assert [link["href"] for link in soup.select("a")] == [f"../../book/{edition}/{CHAPTER_OF[name]}.html"]
        assert not re.search(r"@import|url\((?!data:)", " ".join(style.get_text() for style in soup.select("style")))


@pytest.mark.parametrize("edition", EDITIONS)
def test_the_line_is_under_each_demo_and_under_the_map(site, edition):
    for name in NAMES:
        soup = parse(site / f"book/{edition}/{name}.html")
        expected = [f"{BASE}embed/{edition}/{demo}.html" for demo in demos_of(name)]
        expected += [f"{BASE}NPO.html?lang={edition}" for _ in soup.select("iframe.concept-map")]
        frames = [BeautifulSoup(line, "html.parser") for line in lines(site, edition, name)]
        assert [frame.iframe["src"] for frame in frames] == expected
        assert all(frame.iframe["title"] and len(frame.contents) == 1 for frame in frames)
        for details in soup.select("details.embed"):
            before = details.find_previous_sibling()
            assert before.select("script[type$='widget-view+json']") or before.name == "iframe"
            assert details.summary.get_text() == {"zh": "嵌入", "en": "Embed"}[edition]


@editions("zh")
def test_the_line_is_copied(browser, server, site, edition):
    with Visit(browser, server, **DESKTOP) as visit:
        visit.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = visit.open(f"{server}book/{edition}/divergence.html")
        for details, line in zip(page.locator("details.embed").all(), lines(site, edition, "divergence"), strict=True):
            details.locator("summary").press("Enter")
            details.locator("pre").hover()
            details.locator("button.copybtn").click()
            page.wait_for_timeout(200)
            assert page.evaluate("navigator.clipboard.readText()").strip() == line
        assert not visit.complaints


@pytest.mark.parametrize(
    ("edition", "scheme"), [("zh", "light"), ("en", "dark"), *nightly(("zh", "dark"), ("en", "light"))]
)
def test_the_line_works_in_a_page_of_another_origin(browser, server, site, stranger, edition, scheme):
    root, address = stranger
    copied = [line for name in CHAPTERS for line in lines(site, edition, name)]
    page_there = "<!doctype html><title>Course</title><link rel=icon href=data:,>" + "\n".join(copied).replace(
        BASE, server
    )
    (root / "course.html").write_text(page_there, "utf-8")
    with Visit(browser, "http://127.0.0.1:", **DESKTOP, color_scheme=scheme) as visit:
        page = visit.open(address + "course.html")
        for frame in page.locator("iframe").all():
            frame.scroll_into_view_if_needed()
            inner = frame.content_frame
            if "NPO.html" in frame.get_attribute("src"):
                inner.locator(".node").first.click()
                assert inner.locator("section.concept:visible").count() == 1
                continue
            figure = inner.locator(".npo-explorer")
            figure.wait_for()
            before = look(figure)
            figure.locator("input").last.press("ArrowLeft")
            assert look(figure) != before
            ground = inner.locator("body").evaluate("e => getComputedStyle(e).backgroundColor")
            assert (ground == "rgb(255, 255, 255)") == (scheme == "light")
        with visit.context.expect_page() as chapter:
            page.locator("iframe").first.content_frame.locator("main > a").click()
        assert chapter.value.url == f"{server}book/{edition}/{CHAPTERS[0]}.html"
        assert not visit.complaints


@editions("zh")
def test_a_frame_is_as_high_as_its_demo(browser, server, site, edition):
    heights = {}
    for name in CHAPTERS:
        for line in lines(site, edition, name):
            frame = BeautifulSoup(line, "html.parser").iframe
            heights[frame["src"].removeprefix(BASE)] = int(frame["height"])
    with Visit(browser, server, viewport={"width": 900, "height": 400}) as visit:
        for page_address in (page for (language, _), page in PAGES.items() if language == edition):
            page = visit.open(server + page_address)
            page.locator("path.npo-curve[d]").first.wait_for(state="attached")
            needed = page.evaluate("document.documentElement.scrollHeight")
            fits = heights[page_address] - 90 <= needed <= heights[page_address]
            assert fits, f"{page_address} needs {needed} px: set its height in `embeds` of _config.yml"
        assert not visit.complaints


@pytest.mark.parametrize(("edition", "name"), nightly(*PAGES))
def test_an_embeddable_page_is_accessible(browser, server, edition, name):
    with opened(browser, server, server + PAGES[edition, name]) as page:
        page.locator(".npo-explorer").wait_for()
        assert not violations(page)
