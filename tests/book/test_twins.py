"""The pages as Markdown and `llms.txt`: complete, without solutions of the homework, and offered on each page."""

import re
import shutil

import pytest
from bs4 import BeautifulSoup

from book import twins
from npo_tutorial.homework.assignments import Question, read_assignment
from tests.book.pages import BASE, CONFIG, EDITIONS, NAMES, TWINS, parse
from tests.conftest import ROOT

# all pages are written once more, which takes half a minute
pytestmark = pytest.mark.nightly
ASSIGNMENTS = sorted(path.stem for path in (ROOT / "book/homework").glob("*.md"))
NOTEBOOKS = [f"homework/{edition}/{name}.ipynb" for edition in EDITIONS for name in ASSIGNMENTS]
PAGES = [*TWINS, "book/api.html"]
# what a note to an assistant says, in the language of its page
HINTS = {"en": "Give hints, not answers", "zh": "请给提示，不要给答案"}
TRIED = {"en": "give hints first", "zh": "请先给提示"}


@pytest.fixture(scope="module")
def copy(site, tmp_path_factory):
    """The pages of the site, which the script changes."""
    folder = tmp_path_factory.mktemp("twins")
    for name in ("book", "homework"):
        shutil.copytree(site / name, folder / name, ignore=shutil.ignore_patterns("*.md"))
    for page in folder.rglob("*.html"):
        # a site that has been through the script is like one that has not
        html = page.read_text("utf-8")
        page.write_text(re.sub(r"<li><a [^>]*btn-download-twin-button.*?</li>\n", "", html, flags=re.S), "utf-8")
    twins.write(folder)
    return folder


def text(copy, place):
    return (copy / f"{place}.md").read_text("utf-8")


def test_every_page_and_every_assignment_has_one_and_llms_txt_lists_them_once(copy):
    written = {path.relative_to(copy).as_posix() for path in copy.rglob("*.md")}
    assert written == {f"{place}.md" for place in [*PAGES, *NOTEBOOKS]}
    listing = (copy / "llms.txt").read_text("utf-8")
    # the form of https://llmstxt.org: a title, a summary, then headings over lists of links
    assert re.match(r"# [^\n]+\n\n> [^\n]+\n\n", listing)
    found = re.findall(r"^- \[.+?\]\((\S+)\): .+$", listing, re.M)
    # both editions list the API
    assert sorted(set(found)) == sorted(f"{BASE}{file}" for file in written)
    assert len(found) == len(written) + len(EDITIONS) - 1
    assert all(line.startswith(("#", "> ", "- [")) or line == "" for line in listing.split("\n")[5:])


@pytest.mark.parametrize("place", PAGES)
def test_it_has_the_code_the_outputs_and_the_numbers_of_its_page(copy, place):
    whole = text(copy, place)
    article = parse(copy / place).select_one("article.bd-article")
    shown = [*article.select(".cell_input pre"), *article.select(".cell_output pre")]
    unquoted = re.sub("^> ?", "", whole, flags=re.M)
    for block in shown:
        assert block.get_text().strip() in unquoted
    for number in article.select(".eqno"):
        assert rf"\tag{{{re.sub(r'[^0-9A-Z.]', '', number.get_text())}}}" in whole
    for number in article.select(".caption-number"):
        assert f"**{number.get_text().strip()}**" in whole
    for heading in article.select("h1, h2, h3"):
        assert re.search(rf"^{'#' * int(heading.name[1])} \S", whole, re.M)
    assert len(re.findall(r"^#{1,3} ", without_code(whole), re.M)) == len(article.select("h1, h2, h3"))


def without_code(text):
    return re.sub(r"^(> )?```.*?^(> )?```$|`[^`\n]+`", "", text, flags=re.S | re.M)


@pytest.mark.parametrize("place", PAGES)
def test_it_is_plain_markdown(copy, place):
    rest = re.sub(r"\$\$.+?\$\$|\$.+?\$", "", without_code(text(copy, place)), flags=re.S)
    assert not re.findall(r"</?(?!details\b|summary\b|em\b|strong\b)[a-z][^>]*>", rest)
    assert not re.search(r":::|\{[a-z:]+\}`|(?<!\\)\$", rest)
    # away from its page no relative address leads anywhere
    assert all(re.match("https?://|mailto:", link) for link in re.findall(r"\]\(([^)\s]+)\)", rest))


@pytest.mark.parametrize("edition", EDITIONS)
def test_the_first_page_does_not_depend_on_what_else_was_made_of_the_site(copy, edition):
    place = f"book/{edition}/index.html"
    before, html = text(copy, place), (copy / place).read_text("utf-8")
    offered = '<p class="site-archive">zip</p><p class="site-pdf">A PDF</p><p class="site-epub">An EPUB</p>'
    page = BeautifulSoup(re.sub(r'<p class="site-archive">.*?</p>', offered, html, flags=re.S), "html.parser")
    assert page.select(".site-epub")
    assert twins.page_twin(place, page, twins.SETTINGS.language_of(place)) == before
    assert "npo-tutorial.zip" not in before


@pytest.mark.parametrize("edition", EDITIONS)
def test_homework_asks_for_hints_and_has_no_solution(copy, edition):
    for name in ASSIGNMENTS:
        whole = text(copy, f"homework/{edition}/{name}.ipynb")
        assert whole.count(HINTS[edition]) == 1
        parts = [part for part in read_assignment(ROOT / f"book/homework/{name}.md") if isinstance(part, Question)]
        assert parts
        for part in parts:
            solution = part.answer.partition("# BEGIN SOLUTION")[2].partition("# END SOLUTION")[0]
            lines = [line.strip() for line in solution.splitlines() if line.strip()]
            assert lines and not [line for line in lines if line in whole], part.name
    assert text(copy, f"book/{edition}/homework.html").count(HINTS[edition]) == 1


@pytest.mark.parametrize("edition", EDITIONS)
def test_pages_with_exercises_ask_for_hints_first_and_others_do_not(copy, edition):
    for name in set(NAMES) - {"homework"}:
        place = f"book/{edition}/{name}.html"
        has_exercises = bool(parse(copy / place).select("article .exercise"))
        assert (TRIED[edition] in text(copy, place)) == has_exercises, place
    assert TRIED[edition] in text(copy, f"book/{edition}/npo.html")


def test_each_page_offers_its_own_once_and_a_second_run_changes_nothing(copy):
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    twins.write(copy)
    assert {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()} == before
    for place in PAGES:
        (button,) = parse(copy / place).select(".dropdown-download-buttons a.btn-download-twin-button")
        assert (copy / place).parent.joinpath(button["href"]) == copy / f"{place}.md"
        assert button.has_attr("download")
    labels = CONFIG["sphinx"]["config"]["booksite"]["editions"]
    tips = {
        edition: parse(copy / f"book/{edition}/npo.html").select_one(".btn-download-twin-button") for edition in labels
    }
    assert tips["en"]["title"] == "Download the page as Markdown"
    assert tips["zh"]["title"] == "下载本页的 Markdown 文本"
