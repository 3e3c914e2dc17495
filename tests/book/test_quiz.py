"""The quiz has every quick question of the chapters, as it is on its page: as pages of its own, and for Moodle."""

import re
import shutil
import subprocess
import sys
from html import unescape
from runpy import run_path
from xml.etree import ElementTree

import pytest

from tests.book.pages import CHAPTERS, EDITIONS, parse
from tests.book.test_quick_questions import questions
from tests.conftest import ROOT

# reading all chapters, twice, takes half a minute
pytestmark = pytest.mark.nightly
quiz = run_path(str(ROOT / "book/quiz/__main__.py"))


@pytest.fixture(scope="module")
def made(site, tmp_path_factory):
    """A copy of the site's chapters with the quiz, made twice: a second time must change nothing."""
    copy = tmp_path_factory.mktemp("quiz")
    for edition in EDITIONS:
        shutil.copytree(site / f"book/{edition}", copy / f"book/{edition}", ignore=shutil.ignore_patterns("quiz"))
    files = []
    for _ in range(2):
        assert quiz["write"](copy) == 5 * len(CHAPTERS)
        files.append({path: path.read_bytes() for path in copy.rglob("*") if path.is_file()})
    assert files[0] == files[1], "a second run of `python book/quiz` must change nothing"
    return copy


def written(edition):
    """(question, [(answer, reason, is it right)]) of every chapter, from the sources, in plain text with TeX."""
    return [
        (plain(title), [(plain(o["title"]), plain(f"{o['verdict']} {o['reason']}"), bool(o["right"])) for o in options])
        for name in CHAPTERS
        for title, options in questions(edition, name)
    ]


def plain(text):
    """Letters and TeX alone, from Markdown or from HTML: neither markup, nor space, nor punctuation that prose adds."""
    text = unescape(re.sub(r"</?(?:strong|em|code)\b[^>]*>", "", text))
    return re.sub(r"[\s*$`.。“”\"’']|\\\(|\\\)", "", text)


def moodle(made, edition):
    return ElementTree.parse(made / f"quiz/{edition}.xml").getroot()


@pytest.mark.parametrize("edition", EDITIONS)
def test_moodle_gets_every_question_with_its_answers_and_reasons(made, edition):
    found = [
        (
            plain(question.findtext("questiontext/text")),
            [
                (plain(a.findtext("text")), plain(a.findtext("feedback/text")), a.get("fraction") == "100")
                for a in question.findall("answer")
            ],
        )
        for question in moodle(made, edition).findall("question[@type='multichoice']")
    ]
    assert found == written(edition)


@pytest.mark.parametrize("edition", EDITIONS)
def test_moodle_can_import_the_file(made, edition):
    root = moodle(made, edition)
    kinds = [question.get("type") for question in root]
    assert root.tag == "quiz"
    assert kinds == (["category"] + 5 * ["multichoice"]) * len(CHAPTERS), "a category comes before its questions"
    categories = [question.findtext("category/text") for question in root.findall("question[@type='category']")]
    assert len(set(categories)) == len(CHAPTERS)
    assert all(re.fullmatch(r"\$course\$/top/[^/]+/\d+\. [^/]+", category) for category in categories), categories
    for question in root.findall("question[@type='multichoice']"):
        assert question.findtext("single") == "true"
        fractions = [answer.get("fraction") for answer in question.findall("answer")]
        assert fractions.count("100") == 1
        assert set(fractions) == {"0", "100"}
        texts = [question.find("questiontext"), *question.findall("answer"), *question.findall("answer/feedback")]
        for text in texts:
            assert text.get("format") == "html"
            html = text.findtext("text")
            assert html.count(r"\(") == html.count(r"\)")
            # Moodle knows none of the site's classes, and none of its relative addresses
            assert not re.search(r"<span|<math|href=|class=", html), html


@pytest.mark.parametrize("file", ["{}.html", "{}-clicker.html"])
@pytest.mark.parametrize("edition", EDITIONS)
def test_the_page_has_every_question_and_its_links_have_targets(made, site, edition, file):
    page = parse(made / f"quiz/{file.format(edition)}")
    boxes = page.select(".quick")
    names = [f"{name}-{i}" for name in CHAPTERS for i in range(1, 6)]
    assert [box["id"] for box in boxes] == names, "both editions must give a question the same name"
    own = [box for name in CHAPTERS for box in parse(site / f"book/{edition}/{name}.html").select("div.quick")]
    assert [box.get_text() for box in boxes] == [box.get_text() for box in own]
    assert not page.select("details[open], [class*=distant]")
    for link in page.select("a[href]"):
        path, _, fragment = link["href"].partition("#")
        target = made / "quiz" / path
        assert target.is_file(), f"quiz/{file.format(edition)} links to {path}, which does not exist"
        assert not fragment or parse(target).find(id=fragment), f"{path} has no place #{fragment}"


@pytest.mark.parametrize("edition", EDITIONS)
def test_the_first_page_links_to_the_quiz_once(made, edition):
    home = made / f"book/{edition}/index.html"
    (link,) = parse(home).select("p.site-quiz a")
    assert (home.parent / link["href"]).resolve() == made / f"quiz/{edition}.html"


def test_a_folder_without_a_site_is_an_error_in_one_sentence(tmp_path):
    command = [sys.executable, ROOT / "book/quiz", "--site", tmp_path]
    ran = subprocess.run(command, capture_output=True, encoding="utf-8")
    assert ran.returncode == 2
    assert f"--site must be a built site, got {tmp_path}: run `jupyter-book build .` first" in ran.stderr
