"""The concept map in a real browser: by mouse and keyboard, in both languages, from files, in a frame."""

import gzip
import re
import time
from contextlib import contextmanager

import pytest

from tests.book.glossary import CONCEPTS, EDGES
from tests.book.pages import EDITIONS, editions, parse
from tests.browser.visit import DESKTOP, PATIENCE, PHONE, SHIFT, Visit, too_wide, wait_until

PLACE = "[...document.querySelectorAll('.node')].map(e => [e.offsetLeft, e.offsetTop])"
DRAWN = ".edition[aria-pressed=true]"
TRANSFORM = "document.querySelector('.plane').style.transform"
# in formulas with scripts of one kind: the middle of the letter in each script, and of the letter before it
SCRIPTS = """[...document.querySelectorAll(".katex-html .msupsub")].flatMap(scripts => {
  const tex = scripts.closest(".katex").querySelector("annotation").textContent;
  const [letter, before] = [scripts.querySelector(".mord.mtight"), scripts.previousElementSibling];
  if (!letter || !before || (tex.includes("_") && tex.includes("^"))) return [];
  const middle = e => { const { top, bottom } = e.getBoundingClientRect(); return (top + bottom) / 2; };
  return [[tex.includes("_") ? "sub" : "sup", middle(letter), middle(before), tex]];
})"""


@contextmanager
def opened(browser, own, query="?lang=en", **options):
    with Visit(browser, own, reduced_motion="reduce", **(options or DESKTOP)) as visit:
        page = visit.open(f"{own}NPO.html{query}")
        page.wait_for_selector(DRAWN)
        yield page
        assert not visit.complaints


def shown(page):
    """The concept in the panel, or None."""
    visible = page.locator("section:visible").evaluate_all("sections => sections.map(section => section.id)")
    found = [key for key in visible if key in CONCEPTS]
    assert len(found) <= 1
    return found[0] if found else None


def node(page, key):
    return page.locator(f".node[data-concept={key}]")


def drag(page, start, by):
    box = start.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + by[0], y + by[1], steps=4)
    page.mouse.up()


def test_page_is_small_and_self_contained_but_for_the_states_of_its_demos(site):
    page = (site / "NPO.html").read_bytes()
    assert len(gzip.compress(page)) <= 60_000
    # which mount.js loads when a demo is shown
    states = re.findall(r'data-src="([^"]+)"', page.decode())
    assert states and all((site / name).is_file() for name in states)
    assert b"<script src" not in page and b'rel="stylesheet"' not in page


@pytest.mark.parametrize("view", [DESKTOP, PHONE], ids=["wide", "phone"])
@editions("en")
def test_nothing_jumps_while_it_loads_over_a_slow_line(browser, server, edition, view):
    with Visit(browser, server, **view) as visit:
        # the first part of the page is drawn long before its script has arrived; KiB/s
        line = {"offline": False, "latency": 50, "downloadThroughput": 100 * 1024, "uploadThroughput": 100 * 1024}
        visit.context.new_cdp_session(visit.page).send("Network.emulateNetworkConditions", line)
        page = visit.open(f"{server}NPO.html?lang={edition}")
        painted, loaded = page.evaluate(
            "[performance.getEntriesByType('paint')[0], performance.getEntriesByType('navigation')[0]]"
            ".map(entry => entry.domComplete ?? entry.startTime)"
        )
        assert painted < loaded
        assert page.evaluate(SHIFT) < 0.02


@editions("zh")
def test_every_node_opens_its_panel_by_mouse(browser, server, edition):
    with opened(browser, server, f"?lang={edition}") as page:
        assert page.locator("html").get_attribute("lang") == EDITIONS[edition]
        assert shown(page) is None
        for key in CONCEPTS:
            node(page, key).click()
            assert shown(page) == key
            assert page.locator(f"#{key} math").is_visible()
            assert page.locator(f"#{key} > p > span:visible").count() == 2
            assert page.locator(f"#{key} [lang]:visible:not([lang={EDITIONS[edition]}], .math)").count() == 0


@editions("en")
def test_every_node_opens_its_panel_by_keyboard(browser, server, edition):
    with opened(browser, server, f"?lang={edition}") as page:
        page.locator("[data-do=reset]").focus()
        for press, key in zip(["Enter", "Space"] * len(CONCEPTS), CONCEPTS, strict=False):
            page.keyboard.press("Tab")
            assert page.evaluate("document.activeElement.dataset.concept") == key
            page.keyboard.press(press)
            assert shown(page) == key
            assert page.evaluate("document.activeElement.closest('section').id") == key
            page.keyboard.press("Escape")
            assert shown(page) is None
        page.keyboard.press("ArrowUp")
        assert page.evaluate("document.activeElement.dataset.concept") not in (None, key)


def test_relations_lead_from_concept_to_concept(browser, server):
    with opened(browser, server) as page:
        for start, _, end in EDGES:
            node(page, start).click()
            page.click(f"#{start} .relations a[href='#{end}']")
            assert shown(page) == end
            page.click(f"#{end} .relations a[href='#{start}']")
            assert shown(page) == start
            assert page.locator(f".edge.on[data-start={start}][data-end={end}] text").is_visible()


@pytest.mark.parametrize("edition", EDITIONS)
def test_links_lead_to_existing_places(browser, site, server, edition):
    with opened(browser, server, f"?lang={edition}#npo") as page:
        assert shown(page) == "npo"
        page.click("#npo .more a:visible")
        page.wait_for_url(f"{server}book/{edition}/npo.html#{edition}-sec-remove-the-winner")
        assert page.locator(f"#{edition}-sec-remove-the-winner").count()


def test_nodes_can_be_dragged_and_the_background_moved_and_zoomed(browser, server):
    with opened(browser, server) as page:
        places, ground = page.evaluate(PLACE), page.evaluate(TRANSFORM)
        edge = page.locator(".edge[data-start=npo][data-end=dpo] path")
        line = edge.get_attribute("d")
        drag(page, node(page, "npo"), (-60, 30))
        moved = page.evaluate(PLACE)
        assert [a != b for a, b in zip(places, moved, strict=True)].count(True) == 1
        assert edge.get_attribute("d") != line
        assert shown(page) is None, "a drag is not a click"
        node(page, "dpo").focus()
        page.keyboard.press("Shift+ArrowLeft")
        assert page.evaluate(PLACE) != moved
        assert page.evaluate(TRANSFORM) == ground
        page.mouse.move(300, 200)
        seen = {ground}
        for change in (
            lambda: page.mouse.wheel(0, -200),
            lambda: page.click("[data-do=in]"),
            lambda: page.click("[data-do=out]"),
            lambda: page.keyboard.press("+"),
            lambda: page.keyboard.press("-"),
            lambda: drag(page, page.locator(".edge[data-start=gradient-ascent][data-end=divergence] path"), (50, 40)),
        ):
            before = page.evaluate(TRANSFORM)
            change()
            wait_until(page, f"{TRANSFORM} !== '{before}'")
            seen.add(page.evaluate(TRANSFORM))
        assert len(seen) >= 4
        page.click("[data-do=reset]")
        assert page.evaluate(PLACE) == places
        assert page.evaluate(TRANSFORM) == ground


def test_panel_can_be_hidden_and_shown_and_reset_restores_the_map(browser, server):
    with opened(browser, server) as page:
        panel = page.locator("#panel")
        assert panel.is_visible()
        node(page, "gap").click()
        page.click(".hide")
        assert not panel.is_visible()
        assert page.evaluate("document.activeElement.dataset.concept") == "gap"
        page.click(".tools [data-do=panel]")
        assert panel.is_visible() and shown(page) is None
        page.click(".tools [data-do=panel]")
        page.click("[data-do=reset]")
        assert panel.is_visible()


@pytest.mark.parametrize("protocol", ["http", "file"])
@editions("zh")
def test_a_concept_shows_its_own_demo_or_none(browser, site, server, edition, protocol):
    own = server if protocol == "http" else site.as_uri() + "/"
    with opened(browser, own, f"?lang={edition}") as page:
        for key, concept in CONCEPTS.items():
            node(page, key).click()
            demos = page.locator(".demo:visible")
            assert demos.count() == ("demo" in concept), f"{key} must show the demo that it names, or none"
            if "demo" in concept:
                demos.locator("summary").scroll_into_view_if_needed()
                figure = demos.locator(f"[lang={EDITIONS[edition]}] .npo-explorer")
                figure.wait_for()
                title = parse(site / f"embed/{edition}/{concept['demo']}.html").h1.get_text()
                drawn = figure.locator(".npo-title").text_content()
                assert drawn == title, f"{key} must show the demo “{title}”, which it names, got “{drawn}”"
                assert demos.locator("summary").inner_text().endswith(title)


@editions("zh")
def test_a_demo_moves_and_keeps_its_place_in_the_other_language(browser, site, edition):
    with opened(browser, site.as_uri() + "/", f"?lang={edition}#gap") as page:
        view = page.locator(f"#gap .demo .in[lang={EDITIONS[edition]}]")
        slider = view.locator("input[type=range]").first
        slider.wait_for()
        ground, drawing = page.evaluate(TRANSFORM), view.locator(".npo-chart").first.inner_html()
        slider.focus()
        page.keyboard.press("ArrowLeft")
        value = slider.input_value()
        page.wait_for_timeout(200)
        assert view.locator(".npo-chart").first.inner_html() != drawing
        assert page.evaluate(TRANSFORM) == ground
        other = next(key for key in EDITIONS if key != edition)
        page.click(f".edition[data-edition={other}]")
        assert not view.is_visible()
        assert page.locator(f"#gap .demo .in[lang={EDITIONS[other]}] input[type=range]").first.input_value() == value


def test_scripts_of_a_formula_sit_below_and_above_its_line(browser, server):
    with opened(browser, server) as page:
        page.click("[data-do=list]")
        page.wait_for_function("document.fonts.status === 'loaded'")
        fonts = page.evaluate("[...document.fonts].map(font => [font.family, font.status])")
        lost = [family for family, status in fonts if family.startswith("KaTeX") and status != "loaded"]
        assert fonts and not lost, f"formulas lack these fonts: {lost}"
        found = page.evaluate(SCRIPTS)
        assert {kind for kind, *_ in found} == {"sub", "sup"} and len(found) >= 10
        for kind, middle, base, formula in found:
            right = middle > base + 1 if kind == "sub" else middle < base - 1
            assert right, f"a {kind}erscript must sit {'below' if kind == 'sub' else 'above'} its line: {formula}"


@pytest.mark.parametrize("edition", EDITIONS)
def test_names_on_the_map_can_be_read_on_a_phone(browser, server, edition):
    with opened(browser, server, f"?lang={edition}", **PHONE) as page:
        page.tap("[data-do=map]")
        letters = "parseFloat(getComputedStyle(document.querySelector('.node')).fontSize)"
        scale = "new DOMMatrix(getComputedStyle(document.querySelector('.plane')).transform).a"
        size = page.evaluate(f"{letters} * {scale}")
        assert size >= 10, f"names on the map must be 10 px high on a phone, got {size:.1f}"
        # what was chosen in the list is on the screen
        page.tap("[data-do=list]")
        page.tap("#npo .relations a[href='#dpo']")
        page.tap("[data-do=map]")
        box, width = node(page, "dpo").bounding_box(), page.viewport_size["width"]
        assert box["x"] >= 0 and box["x"] + box["width"] <= width, "the map must show the chosen concept"


@pytest.mark.parametrize("width", [390, 320])
@editions("en")
def test_phone_gets_a_list_that_fits(browser, server, width, edition):
    with opened(browser, server, f"?lang={edition}", **{**PHONE, "viewport": {"width": width, "height": 780}}) as page:
        assert page.locator("section.concept:visible").count() == len(CONCEPTS)
        assert not page.locator(".stage").is_visible()
        assert not too_wide(page)
        wide = (
            "[...document.querySelectorAll('.math')].filter(e => e.scrollWidth > e.clientWidth).map(e => e.innerText)"
        )
        assert not page.evaluate(wide)
        page.tap("#npo .relations a[href='#dpo']")
        wait_until(page, "document.activeElement.closest('section')?.id === 'dpo'")
        page.tap("[data-do=map]")
        assert page.locator(".stage").is_visible()
        assert not too_wide(page)
        node(page, "npo").tap()
        assert shown(page) == "npo"


def test_list_contains_everything_at_any_width_and_in_print(browser, server):
    with opened(browser, server) as page:
        page.click("[data-do=list]")
        assert page.locator("section.concept:visible").count() == len(CONCEPTS)
        page.click("[data-do=map]")
        page.emulate_media(media="print")
        assert page.locator("section.concept:visible").count() == len(CONCEPTS)
        assert not page.locator(".stage").is_visible()


def test_without_javascript_the_list_is_in_both_languages(browser, server):
    with Visit(browser, server, java_script_enabled=False, **PHONE) as visit:
        page = visit.open(server + "NPO.html")
        assert page.locator("section.concept:visible").count() == len(CONCEPTS)
        for tag in EDITIONS.values():
            assert page.locator(f"#npo h3 [lang={tag}]").is_visible()
        assert not page.locator("button:visible").count()


def test_language_comes_from_the_address_from_memory_or_from_the_browser(browser, site):
    own = site.as_uri() + "/"
    for query, locale, expected in [
        ("", "zh-CN", "zh-Hans"),
        ("", "fr-FR", "en"),
        ("#zh", "en-GB", "zh-Hans"),
        ("?lang=en#zh", "zh-CN", "en"),
    ]:
        with opened(browser, own, query, locale=locale, **DESKTOP) as page:
            assert page.locator("html").get_attribute("lang") == expected
            page.click(".edition[data-edition=zh]")
            assert page.locator("html").get_attribute("lang") == "zh-Hans"
            # Another tab, while this one stays open: what a page stores just before its process ends may be lost.
            # The tab may be drawn by another process, which learns of what was stored a moment later.
            tab = page.context.new_page()
            deadline = time.monotonic() + PATIENCE / 1000
            tab.goto(own + "NPO.html")
            while tab.locator("html").get_attribute("lang") != "zh-Hans":
                assert time.monotonic() < deadline, f"the map forgot the language chosen after {query!r}, {locale}"
                tab.goto(own + "NPO.html")


def test_nodes_never_overlap(browser, server):
    for edition in EDITIONS:
        with opened(browser, server, f"?lang={edition}") as page:
            boxes = [node(page, key).bounding_box() for key in CONCEPTS]
            stage = page.locator(".stage").bounding_box()
            for i, a in enumerate(boxes):
                assert stage["x"] <= a["x"] and a["x"] + a["width"] <= stage["x"] + stage["width"] + 1
                for b in boxes[:i]:
                    apart = max(
                        a["x"] - b["x"] - b["width"],
                        b["x"] - a["x"] - a["width"],
                        a["y"] - b["y"] - b["height"],
                        b["y"] - a["y"] - a["height"],
                    )
                    assert apart > 8


@pytest.mark.parametrize("protocol", ["http", "file"])
@editions("zh")
def test_first_page_frames_the_map(browser, site, server, edition, protocol):
    own = server if protocol == "http" else site.as_uri() + "/"
    with Visit(browser, own, color_scheme="light", **DESKTOP) as visit:
        page = visit.open(f"{own}book/{edition}/index.html")
        frame = page.locator("iframe.concept-map")
        assert frame.get_attribute("title") and frame.get_attribute("loading") == "lazy"
        frame.scroll_into_view_if_needed()
        inside = page.frame_locator("iframe.concept-map")
        inside.locator(".node[data-concept=npo]").click()
        assert inside.locator("section#npo").is_visible()
        assert inside.locator("html").get_attribute("lang") == EDITIONS[edition]
        if protocol == "http":
            # the map uses the page's colours
            for _ in range(3):
                page.locator(".theme-switch-button:visible").click()
                theme = page.evaluate("document.documentElement.dataset.theme")
                inside.locator(f"html[data-theme={theme}]").wait_for(state="attached")
        inside.locator("#npo .more a:visible").click()
        page.wait_for_url(f"{own}book/{edition}/npo.html#{edition}-sec-remove-the-winner")
        assert not visit.complaints


def test_wheel_in_a_frame_scrolls_the_page_until_the_map_is_held(browser, server):
    with Visit(browser, server, **DESKTOP) as visit:
        page = visit.open(f"{server}book/en/index.html")
        page.locator("iframe.concept-map").scroll_into_view_if_needed()
        frame = page.locator("iframe.concept-map").element_handle().content_frame()
        frame.wait_for_selector(DRAWN)
        box = page.locator("iframe.concept-map").bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        before = frame.evaluate(TRANSFORM)
        page.mouse.move(x, y)
        page.mouse.wheel(0, -40)
        page.wait_for_timeout(300)
        assert frame.evaluate(TRANSFORM) == before
        frame.locator(".node[data-concept=gap]").click()
        page.mouse.wheel(0, -40)
        wait_until(frame, f"{TRANSFORM} !== '{before}'")


@pytest.mark.parametrize(
    "query", ["#%E0%A4%A", "?lang=constructor", "#constructor", "?lang=en#__proto__", "?lang=%FF#%"]
)
def test_any_address_shows_the_map(browser, server, query):
    with opened(browser, server, query) as page:
        assert page.locator("html").get_attribute("lang") == EDITIONS["en"]
        assert shown(page) is None
        node(page, "npo").click()
        assert shown(page) == "npo"


def test_a_damaged_stored_edition_does_no_harm(browser, server):
    with Visit(browser, server, **DESKTOP) as visit:
        for name in ("constructor", "__proto__", "nothing"):
            visit.context.add_init_script(f"localStorage.setItem('edition', '{name}')")
            page = visit.open(server + "index.html")
            assert page.url == server + "index.html"
            visit.open(server + "NPO.html").wait_for_selector(DRAWN)
        assert not visit.complaints
