"""The built site as files: languages, links, addresses, descriptions, and what it loads."""

import gzip
import json
import re
from urllib.parse import unquote, urljoin, urlparse
from xml.etree import ElementTree

import pytest
from booksite.finish.assets import LISTS, SCRIPTS, SHEET
from booksite.finish.fonts import ICON
from bs4 import NavigableString

from tests.book.glossary import CONCEPTS
from tests.book.pages import (
    BASE,
    EDITIONS,
    LOADED,
    NAMES,
    REPOSITORY,
    TWINS,
    all_pages,
    article,
    page_numbers,
    parse,
    places,
    read,
    search_titles,
    source,
)
from tests.conftest import ROOT
from tests.project import ask_git, project_files


def edition_of(page):
    return next((edition for edition in EDITIONS if f"/{edition}/" in f"/{page}"), None)


def head(site, page, selector, attribute):
    return [tag[attribute] for tag in parse(site / page).select(selector)]


def test_every_source_became_a_page(site):
    pages = all_pages(site)
    missing = {*TWINS, "index.html", "404.html", "genindex.html", "book/api.html"} - set(pages)
    assert not missing, f"these sources have no page; are they in _toc.yml? {', '.join(sorted(missing))}"


def test_language_of_every_page(site):
    for page in all_pages(site):
        edition = edition_of(page)
        assert parse(site / page).html["lang"] == (EDITIONS[edition] if edition else "en"), page


def test_every_table_names_its_columns(site):
    for page in TWINS:
        for table in parse(site / page).select("article.bd-article table"):
            names = [cell.get_text(strip=True) for cell in table.select("thead th")]
            said = table.get_text(" ", strip=True)[:60]
            assert names and all(names), f"{page}: a table must have a header row without empty cells, got {said}"


def test_nothing_is_loaded_from_another_host(site):
    for page in all_pages(site):
        for tag, attribute in LOADED:
            for element in parse(site / page).select(f"{tag}[{attribute}]"):
                rel = element.get("rel", [])
                if "canonical" in rel or "alternate" in rel:
                    continue
                foreign = re.match(r"(https?:)?//", element[attribute])
                assert not foreign, f"{page} must load everything from the site itself, got {element}"
    for sheet in [*(site / "_static").rglob("*.css")]:
        foreign = re.findall(r"(?:url\(|@import\s*)[\"']?(?:https?:)?//[^)\"']*", sheet.read_text("utf-8"))
        assert not foreign, f"{sheet.name} must load everything from the site itself, got {foreign}"


def test_no_link_inside_the_site_is_broken(site):
    sub_path = urlparse(BASE).path
    broken = []
    for page in all_pages(site):
        soup = parse(site / page)
        base = soup.select_one("base")
        here = urljoin("http://site" + (base["href"] if base else sub_path + page), "")
        for tag, attribute in [*LOADED, ("a", "href")]:
            for element in soup.select(f"{tag}[{attribute}]"):
                target = urlparse(urljoin(here, element[attribute]))
                if target.scheme != "http" or target.netloc != "site":
                    continue
                assert target.path.startswith(sub_path), f"{page}: {element} leaves the site"
                relative = unquote(target.path.removeprefix(sub_path)) or "index.html"
                file = site / relative
                if not file.is_file():
                    broken.append(f"{page}: {element[attribute]}")
                    continue
                fragment = unquote(target.fragment) if file.suffix == ".html" else ""
                if fragment and fragment not in places(file):
                    broken.append(f"{page}: {element[attribute]} (no such place on the page)")
    assert not broken, "\n".join(broken[:40])


def test_every_image_has_alt_text(site):
    for page in all_pages(site):
        for image in parse(site / page).select("img"):
            assert image.get("alt", "").strip(), (
                f"{page}: every picture must have an alt text, in every language: {image}"
            )


def prose_of(tag):
    """The texts in a tag, except in code and formulas, where dollars and backslashes are intended."""
    for child in tag.children:
        if isinstance(child, NavigableString):
            yield child
        elif child.name not in ("pre", "code", "math", "script", "annotation"):
            yield from prose_of(child)


def test_mathematics_is_rendered_at_build_time(site):
    formulas = 0
    for page in all_pages(site):
        soup = parse(site / page)
        assert "mathjax" not in read(site / page).lower(), page
        # once through the page: a search for each of them takes seconds
        for tag in soup.find_all(True):
            classes = tag.get("class", ())
            if "math" in classes:
                assert tag.math and tag.math.find("annotation"), f"{page}: {tag.get_text()[:60]}"
                formulas += 1
            if tag.name == "math":
                symbols, source = tag.semantics.contents
                # symbols as MathML and not only the TeX source, which does not make sense when read aloud
                is_whole = source.name == "annotation" and symbols.find(["mi", "mn", "mo", "mtext"])
                assert is_whole, f"{page}: {source}"
                assert not tag.find_parent(attrs={"aria-hidden": "true"}), page
            if "katex" in classes:
                assert [part.name for part in tag.find(class_="katex-mathml").contents] == ["math"], page
                # otherwise screen readers would read the formula twice
                assert tag.find(class_="katex-html")["aria-hidden"] == "true", page
        # a formula that slipped through as text
        prose = soup.select_one("article")
        if prose and page != "book/api.html":
            text = " ".join(prose_of(prose))
            assert not re.search(r"\$[^$\s][^$]*\$|\\(frac|log|mathcal|theta|beta)\b", text), page
    assert formulas > 300


def test_no_punctuation_is_lost_or_doubled_next_to_a_formula(site):
    for edition in EDITIONS:
        for name in NAMES:
            text = article(site, edition, name).get_text()
            doubled = re.search(r"[，。；：、]{2}|[^.]\.\.[^./]", text)
            assert not doubled, f"{edition}/{name}: {text[doubled.start() - 40 : doubled.end() + 10]!r}"


def test_numbers_restart_in_each_edition(site):
    for edition in EDITIONS:
        expected = page_numbers(edition)
        titles = {name: article(site, edition, name).h1.get_text() for name in expected}
        assert {name: title.split(".")[0] for name, title in titles.items()} == expected
        numbers = [tag.get_text() for tag in parse(site / f"book/{edition}/npo.html").select(".eqno")]
        assert re.sub(r"[^\d.]", "", numbers[0]) == f"{expected['npo']}.1"


def test_sidebar_lists_one_edition(site):
    for page in TWINS:
        links = [
            urljoin("/" + page, a["href"])
            for a in parse(site / page).select("#pst-primary-sidebar nav.bd-links a[href]")
        ]
        assert links, page
        foreign = [link for link in links if edition_of(link) not in (edition_of(page), None)]
        assert not foreign, page


@pytest.mark.parametrize("page", TWINS)
def test_a_link_leads_to_the_same_page_in_the_other_language(site, page):
    other = {"zh": "en", "en": "zh"}[edition_of(page)]
    expected = "/" + page.replace(f"/{edition_of(page)}/", f"/{other}/")
    links = parse(site / page).select("a.edition-switch")
    assert [(urljoin("/" + page, link["href"]), link["hreflang"]) for link in links] == [(expected, EDITIONS[other])]


def test_shared_pages_link_to_every_edition(site):
    for page in ("index.html", "book/api.html", "genindex.html", "404.html"):
        links = {urljoin(BASE + page, a["href"]) for a in parse(site / page).select("a[href]")}
        links |= {urljoin(BASE, a["href"]) for a in parse(site / page).select("a[href]")}
        for edition in EDITIONS:
            assert f"{BASE}book/{edition}/index.html" in links, page


ENGLISH_INTERFACE = re.compile(
    r"\b(Proof|Exercise|Solution|Theorem|Proposition|Definition|Lemma|Figure|Fig\.|Table|Contents|[Nn]ext|[Pp]revious|"
    r"Click to|Show code|Search|Skip to|Cite|Report|By the)\b"
)
INTERFACE = (
    "title, .admonition-title, .caption-number, .bd-header-article, .prev-next-footer, .page-footer, #pst-skip-link, "
    "#pst-primary-sidebar, #pst-secondary-sidebar, summary"
)


def test_interface_of_chinese_pages_is_chinese(site):
    for name in NAMES:
        soup = parse(site / f"book/zh/{name}.html")
        for tag in soup.select(INTERFACE):
            found = ENGLISH_INTERFACE.search(tag.get_text(" "))
            # a title may quote an English term in brackets
            rule = f"book/zh/{name}: translate in booksite/words.yml: {tag.get_text(' ')[:100]!r}"
            assert not found or "（" in tag.get_text(), rule
        labels = [tag[a] for a in ("aria-label", "title", "placeholder") for tag in soup.select(f"[{a}]")]
        english = [label for label in labels if ENGLISH_INTERFACE.search(label)]
        assert not english, f"book/zh/{name}: translate in booksite/words.yml: {english}"


def test_chinese_pages_join_authors_and_titles_in_chinese(site):
    pages = [article(site, "zh", name) for name in NAMES]
    citations = {citation.get_text() for page in pages for citation in page.select(".bibtex-citation")}
    assert {"Cao 和 Yang [CY15]", "Zhang 等人 [ZLBM24]"} <= citations
    assert not [citation for citation in citations if re.search(r"et al|\band\b", citation)]
    assert not [tag for page in pages for tag in page.select(".admonition-title") if " （" in tag.get_text()]
    assert parse(site / "book/zh/intro.html").find("a", href="../api.html", string="API 文档")
    footer = parse(site / "book/zh/intro.html").select_one(".page-footer").get_text()
    assert "npo-tutorial 作者：“机器遗忘”" in footer and "机器遗忘，载《负偏好优化》}" in footer


def test_titles_and_descriptions(site):
    titles = {}
    for page in all_pages(site):
        soup = parse(site / page)
        title = soup.title.get_text().strip()
        assert title and title not in titles, f"{page} and {titles.get(title)} have the same title, {title}"
        titles[title] = page
        assert soup.select_one("link[rel~=icon]"), page
        assert len(head(site, page, "meta[name=description]", "content")) == 1, page
    for page in TWINS:
        descriptions = head(site, page, "meta[name=description]", "content")
        rule = f"{page}: the description in the front matter must have 20 to 200 characters, in the page's language"
        assert 20 <= len(descriptions[0]) <= 200, f"{rule}, got {len(descriptions[0])}: {descriptions[0]}"
        is_chinese = bool(re.search(r"[\u4e00-\u9fff]", descriptions[0]))
        assert is_chinese == (edition_of(page) == "zh"), f"{rule}, got: {descriptions[0]}"
        for kind in ("title", "description", "image", "url", "type", "locale", "site_name"):
            assert head(site, page, f'meta[property="og:{kind}"]', "content"), f"{page}: og:{kind}"
    picture = head(site, TWINS[0], 'meta[property="og:image"]', "content")[0]
    assert (site / picture.removeprefix(BASE)).is_file()


@pytest.mark.parametrize("page", TWINS)
def test_canonical_and_alternate_addresses(site, page):
    assert head(site, page, "link[rel=canonical]", "href") == [BASE + page]
    alternates = {tag["hreflang"]: tag["href"] for tag in parse(site / page).select("link[rel=alternate][hreflang]")}
    assert set(alternates) == {*EDITIONS.values(), "x-default"}
    for edition, tag in EDITIONS.items():
        assert alternates[tag] == BASE + page.replace(f"/{edition_of(page)}/", f"/{edition}/")


def test_sitemap_lists_every_page(site):
    names = {"s": "http://www.sitemaps.org/schemas/sitemap/0.9"}
    listed = {loc.text for loc in ElementTree.parse(site / "sitemap.xml").iterfind(".//s:loc", names)}
    assert {BASE + page for page in TWINS} <= listed
    for address in listed:
        assert (site / (address.removeprefix(BASE) or "index.html")).is_file()
    assert f"Sitemap: {BASE}sitemap.xml" in (site / "robots.txt").read_text("utf-8")


@pytest.mark.parametrize("page", TWINS)
def test_footer_says_how_to_cite_when_it_changed_and_where_to_report(site, page):
    foot = parse(site / page).select_one(".page-footer")
    title = parse(site / page).title.get_text().split(" — ")[0]
    assert BASE + page in foot.get_text()
    assert re.sub(r"^(\d+|[A-Z])\. ", "", title) in foot.get_text()
    dates = [time["datetime"] for time in foot.select("time")]
    # without a git history there is no date
    said = [bool(re.fullmatch(r"\d{4}-\d\d-\d\d", date)) for date in dates]
    rule = (
        f"the footer of {page} must say when it last changed, which git knows of a committed source: commit, then build"
    )
    assert said == ([True] if ask_git("log", "-1") else []), rule
    assert any(a["href"].startswith(f"{REPOSITORY}/issues/new?") for a in foot.select("a"))


def test_no_two_pages_are_cited_by_one_key(site):
    entries = [tag.get_text() for page in all_pages(site) for tag in parse(site / page).select(".cite pre")]
    keys = [re.match(r"@misc\{(.+),", entry)[1] for entry in entries]
    assert len(keys) > len(TWINS) and len({*keys}) == len(keys)


def test_large_unused_scripts_are_not_loaded(site):
    unused = re.compile("thebe|fontawesome.js|require.js", re.I)
    assert not unused.search(" ".join(SCRIPTS))
    for page in all_pages(site):
        found = unused.search(" ".join(str(tag) for tag in parse(site / page).select("script")))
        assert not found, f"{page} loads {found[0]}, which the book does not need"


def test_sphinx_s_own_search_is_neither_built_nor_linked(site):
    for name in ("search.html", "searchindex.js", "_static/searchtools.js", "_static/language_data.js"):
        assert not (site / name).exists()
    for page in all_pages(site):
        assert not re.search(r"search\.html|searchindex|searchtools|language_data", (site / page).read_text("utf-8")), (
            page
        )


def test_search_index_contains_exactly_the_pages_of_its_language(site):
    for edition, tag in EDITIONS.items():
        titles = search_titles(site, edition)
        fragments = {path.stem for path in (site / "pagefind/fragment").glob(f"{tag.lower()}_*")}
        assert set(titles) == fragments
        pages = []
        for name in titles:
            packed = (site / f"pagefind/fragment/{name}.pf_fragment").read_bytes()
            url = json.loads(gzip.decompress(packed).removeprefix(b"pagefind_dcd"))["url"]
            page, _, place = url.removeprefix(f"/{edition}/").rpartition("/")
            page += ".html"
            anchor = place.partition("-")[2].removesuffix(".html")
            assert anchor in places(site / page), url
            pages.append(page)
        assert set(pages) == {f"book/{edition}/{name}.html" for name in NAMES} | {"book/api.html"}
        # each page has sections, theorems, exercises, functions
        assert len(titles) > 250


def test_addresses_are_in_one_place():
    files = {name: ROOT / name for name in project_files() if (ROOT / name).is_file()}
    address = re.compile("|".join(map(re.escape, (REPOSITORY, BASE))).encode())
    assert [name for name, path in files.items() if address.search(path.read_bytes())] == ["_config.yml"]


NUMBERS = {"Three": 3, "三": 3, "Twenty": 20, "二十": 20}
# what the first pages count in words, how they say it, and how many there are
COUNTED = {
    "concepts of the map": (r"^(\S+) ideas of this course|书中的(\S+?)个概念，以及", len(CONCEPTS)),
    "assignments": (r"\| (\S+) assignments with checks|\| (\S+?)份作业", len([*(ROOT / "book/homework").glob("*.md")])),
}


@pytest.mark.parametrize("what", COUNTED)
@pytest.mark.parametrize("edition", EDITIONS)
def test_what_the_first_page_counts_in_words_is_as_many(edition, what):
    form, number = COUNTED[what]
    said = ["".join(found) for found in re.findall(form, source(edition, "index"), re.M)]
    assert [NUMBERS.get(word) for word in said] == [number], (
        f"book/{edition}/index.md says {said} {what}, and there are {number}: change it, and NUMBERS here"
    )


def test_every_icon_of_the_list_is_on_a_page(site):
    shown = {f"{ord(icon):x}" for icon in ICON.findall((site / SHEET).read_text("utf-8"))}
    unused = {code: name for code, name in LISTS["icons"].items() if code not in shown}
    assert shown and not unused, f"`icons` in assets.yml: these are on no page, remove them: {unused}"


OWN_STYLES = ("book/_static/*.css", "book/_ext/booksite/templates/*.css", "npo_tutorial/explore/*.css")
SHORT_NAMES = {"fa", "fab", "far", "fas"}


def test_no_class_of_the_book_s_own_is_one_of_font_awesome(site):
    rule = "is a class of Font Awesome, which draws an icon there: choose another name"
    for path in (path for pattern in OWN_STYLES for path in ROOT.glob(pattern)):
        taken = SHORT_NAMES & set(re.findall(r"\.([\w-]+)", path.read_text("utf-8")))
        assert not taken, f"{path.relative_to(ROOT)}: {', '.join(taken)} {rule}"
    for page in all_pages(site):
        for tag in parse(site / page).find_all(class_=list(SHORT_NAMES)):
            named = any(name.startswith("fa-") for name in tag["class"])
            assert named, f"{page}: {SHORT_NAMES & set(tag['class'])} {rule}: {str(tag)[:100]}"


def test_code_has_no_mark_without_a_visible_style(site):
    sheet = (site / "_static/pygments.css").read_text("utf-8")
    rules = re.findall(r'^html\[data-theme="(\w+)"\] \.highlight(?: \.(\w+))? \{ (.*?) \}', sheet, re.M)
    ink = {theme: re.search(r"(?<!-)color: #\w+", rule)[0] for theme, name, rule in rules if not name}
    plain = {theme: {name for own, name, rule in rules if own == theme and rule == ink[theme]} for theme in ink}
    unseen = plain["light"] & plain["dark"]
    marks = {
        mark["class"][0]: page
        for page in all_pages(site)
        for mark in parse(site / page).select(".highlight pre span[class]")
        if len(mark["class"]) == 1
    }
    assert "n" in unseen and "k" in marks
    found = {name: page for name, page in marks.items() if name in unseen}
    assert not found, f"marks in code that look like plain code: {found}"


def test_demos_leave_their_language_to_the_page(site):
    places = [*(site / "_static/widgets").glob("*.js"), *(site / "embed").rglob("*.html"), site / "NPO.html"]
    assert len(places) > len(EDITIONS)
    fixed = [place.name for place in places if re.search(r'"language": "\w', place.read_text("utf-8"))]
    assert not fixed, f"a demo must use the language of its page; these set their own: {fixed}"
