"""The course without a network: nothing is kept before a reader asks; then pages, search, cells and checks go on."""

import json
import re
import shutil
import sys

import pytest

from npo_tutorial.homework.assignments import Question, read_assignment
from tests.book.pages import editions
from tests.browser.conftest import serving
from tests.browser.demos import mounted
from tests.browser.test_in_page import press
from tests.browser.visit import DESKTOP, PHONE, Visit
from tests.conftest import ROOT

sys.path.insert(0, str(ROOT / "book/in_page"))

from offline import EDITIONS, list_files

pytestmark = [pytest.mark.nightly, pytest.mark.xdist_group("in_page")]
# every server of these tests has an address of its own
OWN = "http://127.0.0.1:"
WORDS = json.loads((ROOT / "book/in_page/static/offline-words.json").read_text("utf-8"))
PAGE = json.loads((ROOT / "book/in_page/static/words.json").read_text("utf-8"))
KEPT = "async () => [await caches.keys(), (await navigator.serviceWorker.getRegistrations()).length]"
CONTROL, STATUS = ".offline", ".offline [role=status]"
# what a run loads
PYTHON = re.compile(r"/python/(?!page|offline)")
# by which the control asks for a file to keep it
KEEP = re.compile(r"(.*)\?kept=\w+$")
# milliseconds for the whole course
LONG = 120_000


def says(page, sentence):
    """Wait until the control says a sentence, whatever its numbers."""
    page.wait_for_function(
        "([place, start]) => document.querySelector(place)?.textContent.startsWith(start)",
        arg=[STATUS, sentence.partition("{")[0]],
        timeout=LONG,
    )


def choose(page, name):
    page.locator(f"{CONTROL} button").get_by_text(name, exact=True).click()


def run_first_cell(page, edition):
    place = page.locator("article .cell:has(.run-bar)").first
    assert press(page, place, PAGE[edition]["run"]).startswith(PAGE[edition]["ran"].partition("{")[0])


def kept(asked):
    return {found[1] for path in asked if (found := KEEP.fullmatch(path))}


@pytest.fixture
def copy(python_site, tmp_path):
    """A site that a test may change."""
    shutil.copytree(python_site, tmp_path / "site")
    return tmp_path / "site"


def test_after_a_press_everything_goes_on_without_a_network_until_it_is_removed(browser, python_site):
    listing = json.loads((python_site / "python/offline.json").read_text("utf-8"))
    megabytes = sum(size for _, size, *_ in listing["files"]) / 1e6
    with Visit(browser, OWN, **PHONE) as visit:
        page = visit.page
        with serving(python_site) as address:
            page.goto(f"{address}book/zh/npo.html")
            says(page, WORDS["zh"]["offer"])
            assert page.evaluate(KEPT) == [[], 0], "nothing is kept before a reader asks"
            said = int(re.search(r"\d+", page.locator(STATUS).inner_text())[0])
            assert abs(said - megabytes) < 1.5, "what it will keep is said before"
            assert min(button.bounding_box()["height"] for button in page.locator(f"{CONTROL} button").all()) >= 44
            choose(page, WORDS["zh"]["keep"])
            says(page, WORDS["zh"]["kept"])
            names, registrations = page.evaluate(KEPT)
            assert (len(names), registrations) == (1, 1)
        # the server is gone, and these pages were never opened
        page.goto(f"{address}book/en/divergence.html")
        assert page.locator("article h1").inner_text()
        run_first_cell(page, "en")
        page.goto(f"{address}book/zh/homework-losses.html")
        question = next(
            part for part in read_assignment(ROOT / "book/homework/losses.md") if isinstance(part, Question)
        )
        place = page.locator(".cell[data-check]").first
        place.locator("textarea").fill(question.answer)
        assert press(page, place, PAGE["zh"]["check"]) == PAGE["zh"]["right"]
        page.goto(f"{address}NPO.html")
        page.wait_for_selector(".edition[aria-pressed=true]")
        visit.open(f"{address}book/en/npo.html")
        page.keyboard.press("Control+k")
        page.locator("#pst-search-dialog input").fill("coherence")
        page.wait_for_selector(".search-results > li > a")
        page.goto(f"{address}book/en/no-such-page.html")
        assert "not kept on this device" in page.locator("body").inner_text()
        page.goto(f"{address}book/zh/homework-losses.html")
        choose(page, WORDS["zh"]["remove"])
        says(page, WORDS["zh"]["removed"])
        assert page.evaluate(KEPT) == [[], 0]
        assert page.locator(".cell[data-check] textarea").first.input_value() == question.answer


def test_after_a_run_the_next_visit_loads_nothing_of_python(browser, python_site):
    asked = []
    with serving(python_site, asked=asked) as address, Visit(browser, address, **DESKTOP) as visit:
        for number in range(2):
            asked.clear()
            # another page: what a run has kept serves all of them
            page = visit.open(f"{address}book/en/{['npo', 'stability'][number]}.html")
            assert not [path for path in asked if PYTHON.search(path)]
            run_first_cell(page, "en")
            loaded = [path for path in asked if PYTHON.search(path)]
            assert bool(loaded) == (number == 0), f"visit {number + 1}: {loaded}"
        says(page, WORDS["en"]["python"])
        assert not visit.complaints


@editions("zh")
def test_one_edition_is_kept_without_python(browser, python_site, edition):
    asked, other = [], next(key for key in EDITIONS if key != edition)
    listing = json.loads((python_site / "python/offline.json").read_text("utf-8"))
    expected = {f"/{name}" for name, _, _, part in listing["files"] if part in ("", edition)}
    with Visit(browser, OWN, **PHONE) as visit:
        page = visit.page
        with serving(python_site, asked=asked) as address:
            page.goto(f"{address}book/{edition}/npo.html")
            says(page, WORDS[edition]["offer"])
            _, said = map(int, re.findall(r"(\d+) MB", page.locator(STATUS).inner_text()))
            choose(page, WORDS[edition]["keep_pages"])
            says(page, WORDS[edition]["kept_pages"])
            assert kept(asked) == expected
            size = sum(size for name, size, *_ in listing["files"] if f"/{name}" in expected) / 1e6
            assert abs(said - size) < 1.5, "what it will keep is said before"
            names = [WORDS[edition][name] for name in ("keep", "remove")]
            assert page.locator(f"{CONTROL} button").all_inner_texts() == names
            # on a page of the other edition, too, it is said what is kept
            page.goto(f"{address}book/{other}/npo.html")
            says(page, WORDS[other]["kept_pages"].replace("{edition}", WORDS[other]["editions"][edition]))
        # the server is gone, and this page was never opened
        page.goto(f"{address}book/{edition}/divergence.html")
        assert page.locator("article h1").inner_text()
        figures = page.locator("article figure img").evaluate_all(
            """(all) => Promise.all(all.map(async (image) => {
              image.loading = "eager";
              await image.decode();
            }))"""
        )
        assert figures, "a page has figures, and each of them is kept"
        mounted(page, "divergence")
        page.keyboard.press("Control+k")
        page.locator("#pst-search-dialog input").fill("NPO")
        page.wait_for_selector(".search-results > li > a")
        page.goto(f"{address}book/{other}/divergence.html")
        assert "not kept on this device" in page.locator("body").inner_text()


def test_an_edition_becomes_the_whole_course_and_nothing_is_fetched_twice(browser, python_site):
    asked = []
    with serving(python_site, asked=asked) as address, Visit(browser, address, **DESKTOP) as visit:
        page = visit.open(f"{address}book/en/npo.html")
        choose(page, WORDS["en"]["keep_pages"])
        says(page, WORDS["en"]["kept_pages"])
        before = kept(asked)
        # a run keeps Python beside the pages
        run_first_cell(page, "en")
        assert len(page.evaluate(KEPT)[0]) == 2
        asked.clear()
        choose(page, WORDS["en"]["keep"])
        says(page, WORDS["en"]["kept"])
        assert not before & kept(asked)
        assert len(page.evaluate(KEPT)[0]) == 1
        choose(page, WORDS["en"]["remove"])
        says(page, WORDS["en"]["removed"])
        assert page.evaluate(KEPT) == [[], 0]


def test_a_change_of_the_other_edition_is_not_offered_to_readers_of_one(browser, copy):
    with serving(copy) as address, Visit(browser, address, **DESKTOP) as visit:
        page = visit.open(f"{address}book/en/npo.html")
        choose(page, WORDS["en"]["keep_pages"])
        says(page, WORDS["en"]["kept_pages"])
        for edition, said in (("zh", "kept_pages"), ("en", "newer")):
            place = copy / f"book/{edition}/stability.html"
            place.write_text(place.read_text("utf-8").replace("<article", "<article data-new", 1), "utf-8")
            list_files(copy)
            page.reload()
            page.wait_for_load_state("networkidle")
            says(page, WORDS["en"][said])
        choose(page, WORDS["en"]["update"])
        says(page, WORDS["en"]["kept_pages"])


def test_what_has_changed_is_said_and_only_that_is_fetched(browser, copy):
    asked, place = [], copy / "book/en/stability.html"
    with serving(copy, asked=asked) as address, Visit(browser, address, **DESKTOP) as visit:
        page = visit.open(f"{address}book/en/npo.html")
        choose(page, WORDS["en"]["keep"])
        says(page, WORDS["en"]["kept"])
        place.write_text(place.read_text("utf-8").replace("<article", "<article data-new", 1), "utf-8")
        list_files(copy)
        page.goto(f"{address}book/en/stability.html")
        says(page, WORDS["en"]["newer"])
        assert not page.locator("article[data-new]").count(), "a kept course is of one piece until it is updated"
        asked.clear()
        choose(page, WORDS["en"]["update"])
        says(page, WORDS["en"]["kept"])
        assert kept(asked) == {"/book/en/stability.html"}
        page.reload()
        assert page.locator("article[data-new]").count() == 1
        says(page, WORDS["en"]["kept"])
        assert len(page.evaluate(KEPT)[0]) == 1


def test_what_has_arrived_is_not_fetched_again(browser, copy):
    asked, lost = [], copy / "book/en/stability.html"
    content = lost.read_bytes()
    with serving(copy, asked=asked) as address, Visit(browser, address, **DESKTOP) as visit:
        page = visit.open(f"{address}book/en/npo.html")
        lost.write_bytes(b"not the file of the list")
        choose(page, WORDS["en"]["keep"])
        says(page, WORDS["en"]["failed"])
        # what is not whole serves nothing
        page.goto(f"{address}book/en/stability.html")
        assert page.locator("body").inner_text() == "not the file of the list"
        page.goto(f"{address}book/en/npo.html")
        says(page, WORDS["en"]["part"])
        names = [WORDS["en"][name] for name in ("keep", "keep_pages", "remove")]
        assert page.locator(f"{CONTROL} button").all_inner_texts() == names
        lost.write_bytes(content)
        # too little for all of it, enough for what is missing
        size = sum(size for _, size, *_ in json.loads((copy / "python/offline.json").read_text("utf-8"))["files"])
        page.evaluate("free => { navigator.storage.estimate = async () => ({ quota: free, usage: 0 }) }", size - 1)
        before = kept(asked)
        asked.clear()
        choose(page, WORDS["en"]["keep"])
        says(page, WORDS["en"]["kept"])
        again = kept(asked)
        assert "/book/en/stability.html" in again and len(before | again) > 400
        # only what was under way when that file failed
        assert len(before & again) <= 6


def test_one_tab_at_a_time_keeps_the_course_and_the_others_say_so(browser, python_site):
    with serving(python_site) as address, Visit(browser, address, **DESKTOP) as visit:
        page, held = visit.open(f"{address}book/en/npo.html"), []
        page.route("**/book/zh/npo.html?kept=*", lambda route: held.append(route))
        choose(page, WORDS["en"]["keep"])
        says(page, WORDS["en"]["keeping"])
        # opened meanwhile: nothing here has failed, and nothing can be pressed
        other = visit.context.new_page()
        other.goto(f"{address}book/zh/npo.html")
        says(other, WORDS["zh"]["elsewhere"])
        assert not other.locator(f"{CONTROL} button").count()
        while not held:
            page.wait_for_timeout(50)
        for route in held:
            route.continue_()
        for tab, edition in ((page, "en"), (other, "zh")):
            says(tab, WORDS[edition]["kept"])
        assert not visit.complaints


def test_a_full_disk_is_said_before_anything_is_fetched(browser, python_site):
    asked = []
    with serving(python_site, asked=asked) as address, Visit(browser, address, **DESKTOP) as visit:
        page = visit.open(f"{address}book/en/npo.html")
        page.evaluate("() => { navigator.storage.estimate = async () => ({ quota: 5e6, usage: 3e6 }) }")
        choose(page, WORDS["en"]["keep"])
        says(page, WORDS["en"]["failed"])
        assert "the browser grants 2.0 MB" in page.locator(STATUS).inner_text()
        assert not kept(asked) and page.evaluate(KEPT) == [[], 0]
        choose(page, WORDS["en"]["remove"])
        says(page, WORDS["en"]["removed"])
        assert page.evaluate(KEPT) == [[], 0]


def test_a_copy_of_the_site_in_a_folder_below_is_another_course(browser, python_site):
    with serving(python_site) as address, Visit(browser, address, **DESKTOP) as visit:
        page = visit.open(f"{address}book/en/npo.html")
        other = f"npo-site {address}older/ 0123456789ab"
        page.evaluate(
            """async ([name, listing]) => {
              const copy = await caches.open(name);
              await copy.put(listing, new Response('{"version": "0123456789ab", "files": []}'));
            }""",
            [other, f"{address}python/offline.json"],
        )
        page.reload()
        says(page, WORDS["en"]["offer"])
        run_first_cell(page, "en")
        says(page, WORDS["en"]["python"])
        choose(page, WORDS["en"]["remove"])
        says(page, WORDS["en"]["removed"])
        assert page.evaluate(KEPT) == [[other], 0]


@pytest.mark.parametrize(
    ("word", "script"),
    [
        ("file", ""),
        ("insecure", "Object.defineProperty(window, 'isSecureContext', { value: false })"),
        ("impossible", "delete Navigator.prototype.serviceWorker"),
    ],
)
@pytest.mark.parametrize("edition", ["zh", "en"])
def test_where_it_is_not_possible_a_sentence_says_why(browser, python_site, word, script, edition):
    with serving(python_site) as address:
        base = python_site.as_uri() + "/" if word == "file" else address
        with Visit(browser, base, **DESKTOP) as visit:
            visit.page.add_init_script(script)
            page = visit.open(f"{base}book/{edition}/npo.html")
            says(page, WORDS[edition][word])
            assert not page.locator(f"{CONTROL} button").count()
            assert not visit.complaints
