"""The search: opened by button and keys, in the page's language, by keyboard alone, light, honest about failures."""

import gzip
import json
import re
from contextlib import contextmanager
from urllib.parse import urlparse

import pytest
import yaml

from tests.book.pages import EDITIONS, editions, page_numbers, parse, search_titles
from tests.browser.axe import SHORTEN, violations
from tests.browser.visit import DESKTOP, PHONE, STILL, Visit, wait_until
from tests.conftest import ROOT, nightly

WORDS = {
    edition: yaml.safe_load((ROOT / "book/_ext/booksite/words.yml").read_text("utf-8"))[name]["search"]
    for edition, name in (("zh", "zh_CN"), ("en", "en"))
}
INDEX = "pagefind/"
# both editions have the same
NUMBER = page_numbers("en")
THEOREM, PROPOSITION = f"Theorem {NUMBER['divergence']}.1", f"Proposition {NUMBER['npo']}.1"
# where readers of wide and of narrow screens find the button
BUTTONS = {".bd-sidebar-primary": DESKTOP, ".bd-header-article": PHONE}
# queries in an edition, and where the first result leads
FIRST = [
    ("zh", "两种散度", "book/zh/synthetic.html#zh-"),
    ("zh", "自适应权重", "book/zh/stability.html#zh-sec-adaptive-weight"),
    # the last of the terms that a piece defines
    ("zh", "精确遗忘", "book/zh/intro.html#zh-def-exact-unlearning"),
    ("en", "reference model", "book/en/intro.html#notation"),
    ("zh", "负偏好优化", "book/zh/npo.html#zh-sec-npo"),
    ("zh", "npo_loss", "book/api.html#npo_tutorial.npo_loss"),
    ("zh", "uniform_constants", "book/api.html#npo_tutorial.uniform_constants"),
    ("zh", f"定理 {NUMBER['divergence']}.1", "book/zh/divergence.html#zh-thm-divergence"),
    ("zh", f"命题 {NUMBER['npo']}.1", "book/zh/npo.html#zh-prop-why-two"),
    ("zh", f"习题 {NUMBER['divergence']}.1", "book/zh/divergence.html#zh-ex-divergence-1"),
    ("zh", "Bradley-Terry", "book/zh/preference-optimization.html#zh-sec-bradley-terry"),
    ("en", "adaptive weight", "book/en/stability.html#the-adaptive-weight"),
    ("en", "coherence", "book/en/beyond.html#"),
    ("en", "catastrophic collapse", "book/en/intro.html#"),
    ("en", "negative preference optimization", "book/en/npo.html#negative-preference-optimization"),
    ("en", "glossary", "book/en/notation.html#"),
    ("en", "npo_loss", "book/api.html#npo_tutorial.npo_loss"),
    ("en", "uniform_constants", "book/api.html#npo_tutorial.uniform_constants"),
    ("en", "Explorer", "book/api.html#npo_tutorial.explore.Explorer"),
    ("en", THEOREM, "book/en/divergence.html#en-thm-divergence"),
    ("en", PROPOSITION, "book/en/npo.html#en-prop-why-two"),
    ("en", f"Exercise {NUMBER['divergence']}.1", "book/en/divergence.html#en-ex-divergence-1"),
    *(
        ("en", query, "book/en/preference-optimization.html#from-choices")
        for query in ("Bradley–Terry", "bradley terry")
    ),
]
# queries with one typo, and the words that are searched for instead
TYPOS = {
    ("en", "gradeint"): "gradient",
    ("en", "catastrophic colapse"): "catastrophic collapse",
    ("en", "optimisation"): "optimization",
    ("zh", "bradely 奖励"): "bradley 奖励",
}


@contextmanager
def box(browser, own, page, **options):
    """A page with its search box open."""
    with Visit(browser, own, **DESKTOP | options) as visit:
        visit.requests = []
        visit.page.on("request", lambda request: visit.requests.append(request.url.removeprefix(own)))
        visit.open(own + page)
        visit.page.keyboard.press("Control+k")
        visit.page.wait_for_selector("#pst-search-dialog[open]")
        yield visit, visit.page


def type_in(page, query):
    page.locator("#pst-search-dialog input").fill(query)
    page.wait_for_selector(".search-results[aria-busy=false]", state="attached")


def ask(page, query):
    """Addresses and titles of the results, and the status message."""
    type_in(page, query)
    links = page.locator(".search-results > li > a").all()
    found = {link.evaluate("a => a.href"): link.locator("strong").inner_text() for link in links}
    assert len(found) == len(links), "a place is listed twice"
    return found, page.locator(".search-status").inner_text()


@pytest.mark.parametrize("place", BUTTONS)
@editions("zh")
def test_button_opens_the_box_and_is_named(browser, server, edition, place):
    with Visit(browser, server, **BUTTONS[place]) as visit:
        page = visit.open(f"{server}book/{edition}/npo.html")
        button = page.locator(place).get_by_role("button", name={"zh": "搜索", "en": "Search"}[edition])
        button.click()
        assert page.evaluate("document.activeElement.closest('dialog').id") == "pst-search-dialog"
        page.keyboard.press("Escape")
        page.wait_for_selector("#pst-search-dialog:not([open])", state="attached")
        wait_until(page, "button => button === document.activeElement", button.element_handle())
        assert not visit.complaints


@pytest.mark.parametrize(("platform", "key"), [("Linux x86_64", "Control+k"), ("MacIntel", "Meta+k")])
def test_keys_open_and_close_the_box(browser, server, platform, key):
    with Visit(browser, server, **DESKTOP) as visit:
        visit.context.add_init_script(f"Object.defineProperty(navigator, 'platform', {{ get: () => '{platform}' }})")
        page = visit.open(server + "book/en/npo.html")
        for state in ("[open]", ":not([open])"):
            page.keyboard.press(key)
            page.wait_for_selector(f"#pst-search-dialog{state}", state="attached")


@pytest.mark.parametrize("edition", EDITIONS)
def test_nothing_is_loaded_before_the_first_letter_and_little_after(browser, server, site, edition):
    with box(browser, server, f"book/{edition}/npo.html") as (visit, page):
        page.wait_for_timeout(300)
        assert not [name for name in visit.requests if INDEX in name]
        visit.requests.clear()
        ask(page, {"zh": "梯度上升", "en": "gradient ascent"}[edition])
        files = [site / urlparse(name).path for name in visit.requests]
        assert files and all(file.is_relative_to(site / INDEX) for file in files)
        sizes = [len(file.read_bytes() if is_packed(file) else gzip.compress(file.read_bytes())) for file in files]
        # measured: 199 kB for four Han characters, 170 kB for two English words and the book's own words
        assert 80_000 < sum(sizes) < 200_000, (
            "a first search loads less than 200 kB: engine, titles and the parts of the index with its words, got "
            f"{sum(sizes)} bytes in {dict(zip(visit.requests, sizes, strict=True))}"
        )
        assert not visit.complaints


def is_packed(file):
    return file.read_bytes()[:2] == b"\x1f\x8b"


@pytest.mark.parametrize("edition", EDITIONS)
def test_named_things_come_first(browser, server, edition):
    with box(browser, server, f"book/{edition}/intro.html") as (visit, page):
        for _, query, place in (case for case in FIRST if case[0] == edition):
            found, _ = ask(page, query)
            assert next(iter(found)).startswith(server + place), query
        assert not visit.complaints


@pytest.mark.parametrize("edition", EDITIONS)
def test_chapters_come_before_the_api(browser, server, edition):
    # words of the text that are also names of functions, or parts of them
    queries = {"zh": ("beta", "coherence"), "en": ("adaptive weight", "coherence", "beta", "gap", "divergence")}[
        edition
    ]
    with box(browser, server, f"book/{edition}/intro.html") as (_, page):
        for query in queries:
            found, _ = ask(page, query)
            in_api = ["book/api.html" in address for address in found]
            assert in_api == sorted(in_api) and not in_api[0], f"{query}: functions must come after all chapters"


@pytest.mark.parametrize(("edition", "typed"), TYPOS)
def test_one_typo_in_a_latin_word_is_forgiven_and_reported(browser, server, edition, typed):
    with box(browser, server, f"book/{edition}/intro.html") as (visit, page):
        other = TYPOS[edition, typed]
        expected, counted = ask(page, other)
        found, said = ask(page, typed)
        assert found and list(found) == list(expected), f"{typed} must find what {other} finds"
        assert said == WORDS[edition]["instead"].format(query=typed, other=other) + counted
        # the beginning of a word is not a typo, nor is its plural
        for query in ("gradie", "gradients"):
            assert "“" not in ask(page, query)[1], query
        assert not visit.complaints


@pytest.mark.parametrize("edition", EDITIONS)
def test_a_greek_letter_is_found_by_its_name(browser, server, edition):
    with box(browser, server, f"book/{edition}/intro.html") as (visit, page):
        for letter, name in {"σ": "sigma", "φ": "phi", "Δ": "Delta"}.items():
            by_letter, by_name = ask(page, letter), ask(page, name)
            assert by_letter[0] and by_letter == by_name, f"{name} must find what {letter} finds"
        # a name that code spells out is found there as well
        letters, both = (int(re.search(r"\d+", ask(page, query)[1])[0]) for query in ("β", "beta"))
        assert both > letters
        assert not visit.complaints


def plain(text):
    return "".join(text.split()).lower()


def test_chinese_words_are_found_wherever_they_occur(browser, server, site):
    # the expected counts come from the text itself
    texts = [plain(text) for text in indexed(site, search_titles(site, "zh"))]
    with box(browser, server, "book/zh/intro.html") as (visit, page):
        for query in ("梯度", "遗忘", "散度", "奈特", "步长", "截距", "熵", "偏好优化", "灾难性崩溃", "KL散度"):
            expected = sum(plain(query) in text for text in texts)
            found, said = ask(page, query)
            assert expected and said == message("zh", expected), query
            assert all("/book/zh/" in address or "/book/api.html" in address for address in found)
            assert query[-1] in page.locator(".search-results mark").all_inner_texts()
        assert not visit.complaints


@pytest.mark.parametrize(("edition", "title"), [("zh", "简短答案"), ("en", "Short answer")])
def test_short_answers_are_in_no_result(site, edition, title):
    assert not [text for text in indexed(site, search_titles(site, edition)) if title in text], (
        "a search must not reveal a short answer"
    )


def indexed(site, names):
    """The text of pieces of the index."""
    for name in names:
        packed = (site / INDEX / f"fragment/{name}.pf_fragment").read_bytes()
        yield json.loads(gzip.decompress(packed).removeprefix(b"pagefind_dcd"))["content"]


def message(edition, count):
    words = WORDS[edition]
    return (words["one"] if count == 1 else words["many"] if count <= 8 else words["best"]).format(count=count, shown=8)


@pytest.mark.parametrize(("edition", "query", "kind"), [("zh", "弄坏它", "习题"), ("en", "Break it", "Exercise")])
def test_exercises_are_found_and_their_solutions_are_not(browser, server, site, edition, query, kind):
    with box(browser, server, f"book/{edition}/intro.html") as (_, page):
        found, _ = ask(page, query)
        named = [title for title in found.values() if query in title]
        assert len(named) >= 8 and all(title.startswith(kind) for title in named)
        assert not [title for title in named if title.startswith(("解答", "Solution"))]
        for address in found:
            path, _, anchor = address.removeprefix(server).partition("#")
            place = parse(site / path).find(id=anchor)
            assert place and not place.find_parent(class_="solution"), address


@pytest.mark.parametrize("edition", EDITIONS)
def test_results_are_in_the_language_of_the_page(browser, server, edition):
    with box(browser, server, f"book/{edition}/intro.html") as (_, page):
        for query in ("NPO", "Gram", "GA"):
            found, _ = ask(page, query)
            pages = {address.removeprefix(server).partition("#")[0] for address in found}
            assert found and all(name.startswith((f"book/{edition}/", "book/api.html")) for name in pages)


def test_two_words_need_not_be_adjacent_but_each_must_be_whole(browser, server):
    with box(browser, server, "book/zh/intro.html") as (_, page):
        found, _ = ask(page, "权重 自适应")
        assert f"{NUMBER['stability']}.3. 自适应权重" in found.values()
        assert not ask(page, "度梯 损失")[0]
        # a single character is not marked if a word was searched for
        ask(page, f"习题 {NUMBER['divergence']}.1")
        excerpts = [excerpt.inner_html() for excerpt in page.locator(".search-excerpt").all()]
        assert any("<mark>习</mark><mark>题</mark>" in text for text in excerpts)
        assert not [text for text in excerpts if re.search("(?<!<mark>习</mark>)<mark>题", text)]


@pytest.mark.parametrize(
    ("edition", "query"),
    [("zh", "不存在的词"), ("zh", "龘"), ("zh", "龘龘 NPO"), ("en", "gradient qqzzx"), *nightly(("en", "qqzzx"))],
)
def test_an_empty_result_is_reported(browser, server, edition, query):
    with box(browser, server, f"book/{edition}/intro.html") as (visit, page):
        assert ask(page, query) == ({}, WORDS[edition]["none"].format(query=query))
        # and earlier results disappear
        ask(page, "NPO")
        assert not ask(page, query)[0]
        assert ask(page, "") == ({}, "")
        assert not visit.complaints


def test_keys_move_through_results_open_them_and_close_the_box(browser, server):
    with box(browser, server, "book/en/npo.html") as (visit, page):
        found, _ = ask(page, THEOREM)
        focus = "document.activeElement.href ?? document.activeElement.name"
        addresses = list(found)
        for key, expected in [
            ("ArrowDown", addresses[0]),
            ("ArrowDown", addresses[1]),
            ("ArrowUp", addresses[0]),
            ("ArrowUp", "q"),
            ("ArrowUp", addresses[-1]),
            ("ArrowDown", "q"),
            ("Tab", addresses[0]),
        ]:
            page.keyboard.press(key)
            assert page.evaluate(focus) == expected, key
        page.keyboard.press("Escape")
        page.wait_for_selector("#pst-search-dialog:not([open])", state="attached")
        # the query is still there, selected so that typing replaces it
        page.keyboard.press("Control+k")
        assert page.evaluate("getSelection().toString()") == THEOREM
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        page.wait_for_url(addresses[0])
        assert not visit.complaints


def test_enter_opens_the_first_result_even_on_this_page(browser, server):
    with box(browser, server, "book/en/npo.html") as (_, page):
        page.locator("#pst-search-dialog input").fill(PROPOSITION)
        # before the pause after typing is over
        page.keyboard.press("Enter")
        page.wait_for_url(server + "book/en/npo.html#en-prop-why-two")
        page.wait_for_selector("#pst-search-dialog:not([open])", state="attached")
        assert abs(page.locator("#en-prop-why-two").evaluate("e => e.getBoundingClientRect().top")) < 200


def test_keys_of_an_input_method_are_left_to_it(browser, server):
    with box(browser, server, "book/zh/npo.html") as (visit, page):
        compose = """([name, key]) => {
            const kind = { keydown: KeyboardEvent, input: InputEvent, compositionend: CompositionEvent }[name];
            const event = new kind(name, { key, isComposing: name !== "compositionend", bubbles: true });
            document.querySelector("#pst-search-dialog input").dispatchEvent(event);
        }"""
        page.evaluate("document.querySelector('#pst-search-dialog input').value = 'ti du'")
        page.evaluate(compose, ["input", ""])
        page.wait_for_timeout(600)
        assert page.locator(".search-status").inner_text() == ""
        page.evaluate(compose, ["keydown", "Escape"])
        assert page.locator("#pst-search-dialog[open]").count() == 1
        page.evaluate("document.querySelector('#pst-search-dialog input').value = '梯度'")
        page.evaluate(compose, ["compositionend", ""])
        page.wait_for_selector(".search-results li")
        assert not visit.complaints


@pytest.mark.parametrize("state", ["results", *nightly("empty", "nothing")])
@editions("en")
def test_axe_finds_nothing(browser, server, edition, state):
    with box(browser, server, f"book/{edition}/npo.html") as (visit, page):
        page.add_style_tag(content=STILL)
        if state == "results":
            # at night axe reads all formulas under the box, too
            page.evaluate(SHORTEN)
        if state != "empty":
            ask(page, {"results": "NPO", "nothing": "qqzzx"}[state])
            page.keyboard.press("ArrowDown")
        assert not violations(page)
        assert not visit.complaints


@editions("zh")
def test_status_is_announced_and_belongs_to_the_box(browser, server, edition):
    with box(browser, server, f"book/{edition}/npo.html") as (_, page):
        ask(page, "DPO")
        status = page.locator("#pst-search-dialog").get_by_role("status")
        field = page.get_by_role("searchbox")
        assert field.get_attribute("aria-describedby") == status.get_attribute("id")
        name = WORDS[edition]["list"]
        assert page.get_by_role("list", name=name).get_by_role("link").count() == 8
        assert page.get_by_role("dialog", name={"zh": "搜索", "en": "Search"}[edition]).count() == 1


@editions("en")
def test_from_files_the_box_explains_why_it_does_not_work(browser, site, edition):
    own = site.as_uri() + "/"
    with box(browser, own, f"book/{edition}/npo.html") as (visit, page):
        page.locator("#pst-search-dialog input").fill("NPO")
        page.keyboard.press("Enter")
        page.wait_for_timeout(500)
        assert page.locator(".search-status").inner_text() == WORDS[edition]["file"]
        assert page.locator(".search-results li").count() == 0
        assert not [name for name in visit.requests if INDEX in name]
        assert not visit.complaints


@editions("zh")
def test_an_index_that_does_not_load_is_reported(browser, server, edition):
    with box(browser, server, f"book/{edition}/npo.html") as (visit, page):
        visit.context.route(f"**/{INDEX}**", lambda route: route.abort())
        assert ask(page, "NPO") == ({}, WORDS[edition]["failed"])


def test_a_lost_network_is_reported(browser, server):
    with box(browser, server, "book/en/npo.html") as (visit, page):
        assert ask(page, "NPO")[0]
        visit.context.set_offline(True)
        assert ask(page, "zebra") == ({}, WORDS["en"]["failed"])
