"""The report of an evaluation as a file: axe, both languages and themes, a phone, and nothing that is asked for."""

import re

import pytest

from tests.book.pages import editions
from tests.browser.axe import WIDTHS, violations
from tests.browser.visit import DESKTOP, PHONE, STILL, Visit, too_wide
from tests.conftest import nightly
from tests.made_up_reports import SHIFTS, make_report

FATES = [*SHIFTS, "unknown"]


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """Address of a folder with a page for each fate and language."""
    folder = tmp_path_factory.mktemp("reports")
    for fate in FATES:
        report = make_report(fate)
        for language in ("en", "zh"):
            (folder / f"{fate}-{language}.html").write_text(report.html(language), "utf-8")
    return f"{folder.as_uri()}/"


# the page of each fate opens in its own way; each meets axe in one of the languages
@pytest.mark.parametrize(
    ("fate", "language"),
    [("too_little", "en"), *nightly(("as_retrained", "zh"), ("too_much", "en"), ("unknown", "zh"))],
)
def test_it_is_accessible_in_both_themes_and_fits_every_width(browser, reports, fate, language):
    with Visit(browser, reports, **DESKTOP) as visit:
        asked = []
        visit.context.on("request", lambda request: asked.append(request.url))
        page = visit.page
        page.goto(f"{reports}{fate}-{language}.html")
        page.add_style_tag(content=STILL)
        grounds = set()
        for width in WIDTHS:
            assert not violations(page, [width])
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            # the theme that axe checked last
            grounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        page.emulate_media(color_scheme="light")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") not in grounds
        assert asked == [page.url] and not visit.complaints


@editions("zh", "language")
def test_a_phone_shows_each_row_as_a_card_without_scrolling(browser, reports, language):
    with Visit(browser, reports, **PHONE) as visit:
        for fate in FATES:
            page = visit.page
            page.goto(f"{reports}{fate}-{language}.html")
            assert not too_wide(page)
            boxes = "[...document.querySelectorAll('.wide')]"
            assert not page.evaluate(f"{boxes}.filter(box => box.scrollWidth > box.clientWidth).length")
            # each cell is below its column's name, which the header says on a wide screen
            names = page.evaluate(
                "[...document.querySelectorAll('td')].map(td => [getComputedStyle(td, '::before').content, "
                "td.closest('table').querySelectorAll('thead th')[td.cellIndex].textContent])"
            )
            assert names and all(shown == f'"{name}"' for shown, name in names)


@editions("en", "language")
def test_every_picture_says_its_numbers_and_the_mark_of_the_model_lies_where_they_put_it(browser, reports, language):
    with Visit(browser, reports, **DESKTOP) as visit:
        page = visit.page
        for fate in SHIFTS:
            page.goto(f"{reports}{fate}-{language}.html")
            labels = page.get_by_role("img").evaluate_all("pictures => pictures.map(picture => picture.ariaLabel)")
            assert len(labels) == page.locator("svg").count() > 20
            assert all(len(re.findall(r"\d\.\d\d \[", label)) == 3 for label in labels)
            # of the first row: the log-probability of the forget set
            first = page.locator("tbody tr").first
            band, disc = first.locator(".band").bounding_box(), first.locator("circle").bounding_box()
            middle = disc["x"] + disc["width"] / 2
            side = -1 if middle < band["x"] else int(middle > band["x"] + band["width"])
            assert side == {"too_little": 1, "as_retrained": 0, "too_much": -1}[fate]


@editions("zh", "language")
def test_the_answer_is_the_one_that_stands_out_on_the_scale(browser, reports, language):
    words = {
        "en": {"too_little": "too little", "as_retrained": "about as retrained", "too_much": "too much"},
        "zh": {"too_little": "太少", "as_retrained": "与重训练相近", "too_much": "太多"},
    }[language]
    with Visit(browser, reports, **PHONE) as visit:
        page = visit.page
        for fate in SHIFTS:
            page.goto(f"{reports}{fate}-{language}.html")
            scale = page.locator(".scale > *")
            assert scale.all_inner_texts() == [words[name] for name in ("too_much", "as_retrained", "too_little")]
            colours = scale.evaluate_all("steps => steps.map(step => getComputedStyle(step).backgroundColor)")
            chosen = [name for name, colour in zip(words, colours[::-1], strict=True) if colours.count(colour) == 1]
            assert chosen == [fate]
            # at a glance: all of it, with the sentence, is on the first screen
            answer = page.locator(".answer").bounding_box()
            assert answer["y"] + answer["height"] < PHONE["viewport"]["height"]
            outcomes = page.locator(".sets .outcome").all_inner_texts()
            assert outcomes and outcomes[0] == words[fate]
        page.goto(f"{reports}unknown-{language}.html")
        assert not page.locator(".scale, .sets").count()
