"""Every built page in a real browser, with no other host reachable: under a sub-path, from files, on a phone, dark."""

import re
import shutil
from functools import wraps

import pytest
import yaml

from tests.book.pages import NAMES, TWINS, all_pages, article, editions, half, places
from tests.browser import checks
from tests.browser.demos import look, mounted
from tests.browser.visit import DESKTOP, ENLARGED, PHONE, Visit, crawl
from tests.conftest import ROOT, nightly
from tests.figures import smallest_letter

# several workers share the pages
PARTS = range(6)
SCREENS = {"desktop": (DESKTOP, checks.ON_A_DESKTOP), "phone": (PHONE, checks.ON_A_PHONE)}


def by_day(site):
    """Each page in one of its editions, and in any case the embeddable page that axe reads."""
    return sorted({*half(all_pages(site)), *(page for page in checks.KINDS if page.startswith("embed/"))})


def kind(name):
    """What the two editions of a page have in common."""
    return re.sub("/(zh|en)/", "/", name)


def on_each_kind(check):
    """A check that seldom depends on the page, on one page of each kind."""

    @wraps(check)
    def on_a_kind(visit, name, site):
        return check(visit, name, site) if kind(name) in map(kind, checks.KINDS) else []

    return on_a_kind


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("screen", SCREENS)
def test_every_page(browser, site, server, screen, part):
    options, every_check = SCREENS[screen]
    chosen = [on_each_kind(check) if check is checks.themes else check for check in every_check]
    crawl(browser, site, server, by_day(site)[part :: len(PARTS)], chosen, **options)


@pytest.mark.nightly
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("screen", SCREENS)
def test_the_other_edition_of_every_page(browser, site, server, screen, part):
    options, every_check = SCREENS[screen]
    pages = sorted({*all_pages(site)}.difference(by_day(site)))
    crawl(browser, site, server, pages[part :: len(PARTS)], every_check, **options)


def moves(visit, name, site):
    """Every demo must move when its last slider or button is used."""
    for figure in mounted(visit.page, checks.chapter(name)) if checks.chapter(name) else ():
        start = look(figure)
        figure.locator("input").last.press("ArrowLeft")
        if look(figure) == start:
            yield figure.locator(".npo-title").inner_text()


@pytest.mark.parametrize("pages", [checks.KINDS, *nightly(None)], ids=["kinds", "all"])
def test_pages_from_files(browser, site, pages):
    crawl(browser, site, site.as_uri() + "/", pages or all_pages(site), [moves], **DESKTOP)


@pytest.mark.nightly
def test_no_page_complains_after_it_has_been_open_for_a_while(browser, site, server):
    # and each follows the system's colours, which by day one page of each kind does
    crawl(browser, site, server, all_pages(site), [checks.themes], idle=True, **DESKTOP)


@editions("en")
def test_everything_is_reachable_when_enlarged_to_400_per_cent(browser, server, edition):
    def in_reach(link):
        link.scroll_into_view_if_needed()
        box = link.bounding_box()
        return box["y"] >= 0 and box["y"] + box["height"] <= ENLARGED["height"]

    with Visit(browser, server, viewport=ENLARGED) as visit:
        page = visit.open(f"{server}book/{edition}/npo.html")
        page.evaluate("scrollTo(0, 2000)")
        # the fixed header leaves room for the text
        assert page.locator(".bd-header-article").bounding_box()["height"] <= ENLARGED["height"] / 4
        for side in ("primary", "secondary"):
            page.locator(f".{side}-toggle:visible").click()
            dialog = page.locator(f"#pst-{side}-sidebar-modal[open]")
            assert in_reach(dialog.locator("a:visible").last)
            page.keyboard.press("Escape")
            dialog.wait_for(state="detached")
        page.keyboard.press("Control+k")
        page.locator("#pst-search-dialog input").fill("NPO")
        results = page.locator(".search-results[aria-busy=false]")
        assert in_reach(results.locator("a").last)
        assert results.bounding_box()["height"] >= 100
        assert not visit.complaints


def test_the_crawl_finds_faults(browser, site, tmp_path):
    # a check that cannot fail is worthless
    shutil.copy(site / "robots.txt", tmp_path)
    (tmp_path / "index.html").write_text(
        '<img src="https://example.invalid/a.png"><img src="http://192.0.2.1/b.png"><img src="file:///etc/hostname">'
        '<script>console.error("x"); setTimeout(() => { throw new Error("late"); }); null.y;</script>'
        '<meta name="viewport" content="width=device-width"><div style="width:9999px">wide</div>',
        "utf-8",
    )
    with pytest.raises(pytest.fail.Exception) as failed:
        crawl(browser, tmp_path, tmp_path.as_uri() + "/", ["index.html"], [checks.narrow], **PHONE)
    for complaint in (
        "index.html: complaint: foreign: https://example.invalid/a.png",
        "index.html: complaint: foreign: http://192.0.2.1/b.png",
        "index.html: complaint: foreign: file:///etc/hostname",
        "index.html: complaint: console: x",
        "index.html: complaint: script: Cannot read",
        "index.html: complaint: script: late",
        "index.html: narrow: at 390 px: sticks out sideways",
        "index.html: narrow: at 320 px: sticks out sideways",
    ):
        assert complaint in str(failed.value)


def test_what_paper_would_cut_off_is_found(browser, server):
    # a check that cannot fail is worthless
    with Visit(browser, server, viewport={"width": int(checks.PAPER), "height": 900}) as visit:
        page = visit.open(server + "book/en/faq.html")
        page.emulate_media(media="print")
        assert checks.wider_than_paper(page) == []
        wide = "document.querySelector('article').insertAdjacentHTML('beforeend', '<p style=\"width: 900px\">wide</p>')"
        page.evaluate(wide)
        assert len(checks.wider_than_paper(page)) == 1


@pytest.mark.parametrize(
    ("check", "fault"),
    [
        (checks.code, '<div class="cell_output"><pre>' + 45 * "x" + "</pre></div>"),
        (checks.tables, "<table><tr><td>" + 60 * "x" + "</td></tr></table>"),
        (
            checks.lines,
            '<p style="width: 3em"><span class="math" style="display: inline-block; width: 3em"></span>, y</p>',
        ),
        (
            checks.lines,
            '<p style="width: 3em">（<span class="math" style="display: inline-block; width: 3em"></span></p>',
        ),
        (checks.lines, '<h2 style="width: 3em; text-wrap: wrap">遗忘遗忘</h2>'),
        (checks.lines, '<h2 style="width: 3em; text-wrap: wrap">遗忘遗忘？</h2>'),
        (checks.lines, '<h2 style="width: 6.2em; text-wrap: wrap">8. 遗忘遗忘遗忘</h2>'),
        (checks.numbers, '<ol start="100" style="padding-left: 2rem"><li>Item</li></ol>'),
        (checks.covered, '<button style="position: fixed">Back to top</button>'),
        (checks.signatures, '<dl><dt class="sig">f(<br><em>x</em><br>, y)</dt></dl>'),
        (
            checks.split,
            '<table><tr><th><span class="math"><span class="katex-base">x</span><br>'
            '<span class="katex-base">= 1</span><annotation>x = 1</annotation></span></th></tr></table>',
        ),
    ],
)
def test_what_a_phone_would_break_is_found(browser, site, server, check, fault):
    # a check that cannot fail is worthless
    with Visit(browser, server, **PHONE) as visit:
        page = visit.open(server + "book/zh/faq.html")
        assert list(check(visit, "book/zh/faq.html", site)) == []
        page.evaluate("(fault) => document.querySelector('article').insertAdjacentHTML('beforeend', fault)", fault)
        assert len(list(check(visit, "book/zh/faq.html", site))) == 1


def test_signs_of_one_text_may_be_in_two_lines(browser, site, server):
    formula = '<span class="math" style="display: inline-block; width: 3em">x</span>'
    whole = f'<p style="white-space: pre-line">{formula})\ny ({formula}</p>'
    with Visit(browser, server, **PHONE) as visit:
        page = visit.open(server + "book/zh/faq.html")
        page.evaluate("(whole) => document.querySelector('article').insertAdjacentHTML('beforeend', whole)", whole)
        assert list(checks.lines(visit, "book/zh/faq.html", site)) == []


@editions("en")
def test_a_table_that_is_read_as_cards_is_still_a_table(browser, server, edition):
    with Visit(browser, server, **PHONE) as visit:
        page = visit.open(f"{server}book/{edition}/notation.html")
        table = page.locator("table.cards").first
        headers = table.get_by_role("columnheader").all_inner_texts()
        assert table.get_by_role("row").count() > 2 and len(headers) == 3
        # every cell but the first of a row shows the name of its column, which screen readers know from the table
        row = table.get_by_role("row").nth(1)
        assert row.locator(".column-name").all_inner_texts() == headers[1:]
        assert row.get_by_role("cell").count() == 3
        # and nothing moves when the script writes them, which it does after a reader has begun to read
        heights = "() => [...document.querySelectorAll('.cards tr')].map(row => row.offsetHeight)"
        named = page.evaluate(heights)
        page.evaluate("document.querySelectorAll('.column-name').forEach(name => name.remove())")
        assert page.evaluate(heights) == named
        # its cards look alike: only their first lines have a ground
        grounds = "parts => [...new Set(parts.map(part => getComputedStyle(part).backgroundColor))]"
        rest = page.locator(".cards :is(tbody tr, td:not(:first-child))")
        assert rest.evaluate_all(grounds) == ["rgba(0, 0, 0, 0)"]


def test_faint_text_of_a_figure_is_found(tmp_path):
    # a check that cannot fail is worthless
    figure = tmp_path / "figure.svg"
    figure.write_text(
        '<svg xmlns="http://www.w3.org/2000/svg"><g id="text_1"><g style="fill: #949494"/></g><g id="text_2"/></svg>',
        "utf-8",
    )
    assert checks.inks(figure) == ["#949494", "#000000"]
    assert checks.faint(figure, "rgb(255, 255, 255)", "light") == ["#949494"]
    assert checks.faint(figure, "rgb(18, 18, 18)", "dark") == ["#949494"]


def test_a_small_subscript_of_a_figure_is_found(tmp_path):
    # a check that cannot fail is worthless
    figure = tmp_path / "figure.svg"
    figure.write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 300"><g id="text_1">'
        '<g transform="translate(9 9) rotate(-90) scale(0.1 -0.1)"><defs><path transform="scale(0.015625)"/></defs>'
        '<use/><use transform="translate(9) scale(0.7)"/></g></g></svg>',
        "utf-8",
    )
    # 10 units of 400, and 0.7 of it
    assert smallest_letter(figure) == pytest.approx(7 / 400)


def test_the_checks_have_something_to_check(site):
    assert set(checks.KINDS) <= set(all_pages(site))
    # by day each page is opened in one edition, and each kind with it
    assert {*TWINS}.intersection(by_day(site)) == checks.NARROW
    assert {*map(kind, checks.KINDS)} <= {*map(kind, by_day(site))}
    assert any(checks.chapter(name) for name in checks.KINDS)
    figures = [image for name in NAMES for image in article(site, "en", name).select("img[src$='.svg']")]
    assert len(figures) > 20


def test_an_unknown_address_shows_the_404_page_at_any_depth(browser, server):
    with Visit(browser, server, **DESKTOP) as visit:
        page = visit.open(server + "no/such/page.html")
        assert page.title().startswith("404")
        page.click("a[href*='book/en/index']")
        page.wait_for_url(server + "book/en/index.html")


def test_switching_keeps_the_place_and_the_front_page_remembers(browser, server):
    with Visit(browser, server, **DESKTOP) as visit:
        page = visit.open(server + "index.html")
        assert page.url == server + "index.html"
        page.goto(server + "book/en/npo.html#en-sec-npo")
        page.click("a.edition-switch")
        page.wait_for_url(server + "book/zh/npo.html#zh-sec-npo")
        assert page.locator("html").get_attribute("lang") == "zh-Hans"
        page.goto(server + "index.html")
        page.wait_for_url(server + "book/zh/index.html")
        page.goto(server + "index.html#languages")
        page.wait_for_timeout(300)
        assert page.url == server + "index.html#languages"
        assert not visit.complaints


@editions("en")
def test_old_addresses_lead_to_where_their_sections_are(browser, site, server, edition):
    front = {page.stem: frontmatter(page) for page in (ROOT / "book" / edition).glob("*.md")}
    moved = {name: fields["moved"] for name, fields in front.items() if "moved" in fields}
    assert moved
    with Visit(browser, server, **DESKTOP) as visit:
        for old, pages in moved.items():
            for new, anchors in pages.items():
                lost = set(anchors) - (here(site, edition, new) - here(site, edition, old))
                assert not lost, f"book/{edition}/{old}.md: `moved` must name anchors that are now in {new}, not {lost}"
                for anchor in anchors:
                    visit.page.goto("about:blank")
                    visit.page.goto(f"{server}book/{edition}/{old}.html#{anchor}", wait_until="commit")
                    visit.page.wait_for_url(f"{server}book/{edition}/{new}.html#{anchor}", wait_until="commit")


def frontmatter(page):
    """The fields at the top of a page's source."""
    found = re.match(r"---\n(.*?)\n---\n", page.read_text("utf-8"), re.S)
    return yaml.safe_load(found[1]) if found else {}


def here(site, edition, name):
    return set(places(site / f"book/{edition}/{name}.html"))
