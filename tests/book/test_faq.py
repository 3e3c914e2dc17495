"""The questions and the statements to judge: each question has a cell and a link, each card begins with its verdict."""

import re

import nbformat
import pytest

from tests.book.pages import EDITIONS, article, cells, check_cell, page_numbers
from tests.conftest import ROOT

VERDICTS = {"en": ["True", "False", "Half true"], "zh": ["对", "错", "对一半"]}
CLAIM = re.compile(r"^````\{admonition\} (.+)\n:class: dropdown claim\n\*\*([^*]+)\*\*(.*\n)````$", re.M)
LINK = re.compile(r"\{(?:ref|prf:ref|numref|doc)\}`[^`]+`")


def source(edition):
    return (ROOT / f"book/{edition}/faq.md").read_text("utf-8")


def questions(edition):
    """(heading, text below it) of every question, in the order of the page."""
    asked = source(edition).partition(f"({edition}-sec-true-or-false)=")[0]
    parts = re.split(r"^### (.+)$", asked, flags=re.M)[1:]
    return [(heading, text.partition("\n## ")[0]) for heading, text in zip(parts[::2], parts[1::2], strict=True)]


@pytest.mark.parametrize("edition", EDITIONS)
def test_every_question_has_an_answer_a_cell_and_a_link(edition):
    found = questions(edition)
    assert len(found) == 13, (
        f"the FAQ must have 13 questions, book/{edition}/faq.md has {len(found)}: change both or neither"
    )
    for heading, text in found:
        where = f"book/{edition}/faq.md, “{heading}”"
        assert heading.endswith({"en": "?", "zh": "？"}[edition]), (
            f"{where}: the heading of a question must end with a question mark"
        )
        assert "{code-cell}" in text, f"{where}: a cell must show the answer"
        answer, cell, rest = re.split(r"^```\{code-cell\} ipython3\n(.*?)^```$", text, maxsplit=1, flags=re.S | re.M)
        assert "print(" in cell, f"{where}: the cell must print the answer"
        # one paragraph before the cell, one after it that says what the cell shows and links to more
        rest = re.sub(r"^```\{code-cell\}.*?^```$", "", rest, flags=re.S | re.M)
        rest = re.sub(r"^\([\w-]+\)=$", "", rest, flags=re.M)
        for paragraph in (answer, rest):
            alone = paragraph.strip() and "\n" not in paragraph.strip()
            assert alone, f"{where}: one paragraph must answer, one after the cell must say what it shows"
        assert LINK.search(rest), f"{where}: the last paragraph must link to more"


def test_cells_are_short_and_only_call_the_package():
    for cell in cells("en", "faq"):
        check_cell(cell)


def test_outputs_fit_a_phone(site):
    # a box on a screen 390 px wide has room for 44 characters
    lines = [line for pre in article(site, "en", "faq").select("div.cell_output pre") for line in pre.text.splitlines()]
    assert len(lines) > 11
    long = [line for line in lines if len(line) > 44]
    assert not long, f"the FAQ's output lines must have at most 44 characters, got {long}"


@pytest.mark.parametrize("edition", EDITIONS)
def test_numbers_of_results_are_glued(edition):
    # numbers with two or more decimals are computed; published ones are in the table of the chapter
    published = (ROOT / f"book/{edition}/language-model.md").read_text("utf-8")
    text = re.sub(r"^```\{code-cell\}.*?^```$|\{[\w:]+\}`[^`]+`", "", source(edition), flags=re.S | re.M)
    typed = re.findall(r"\d*\.\d\d+", text.partition("---\n(")[2])
    typed = [number for number in typed if number not in published and number not in ("0.01", "0.05")]
    assert not typed, f"book/{edition}/faq.md: computed numbers must be glued, not typed: {', '.join(typed)}"


@pytest.mark.parametrize("edition", EDITIONS)
def test_every_card_begins_with_its_verdict(site, edition):
    claims = CLAIM.findall(source(edition))
    cards = article(site, edition, "faq").select("details.admonition.claim")
    where = f"book/{edition}/faq.md"
    assert len(claims) == len(cards) >= 9, f"{where}: a statement to judge must have the form of CLAIM in {__name__}"
    for claim, verdict, explanation in claims:
        verdicts = ", ".join(VERDICTS[edition])
        assert verdict.strip(".") in VERDICTS[edition], f"{where}, “{claim}” must begin with one of {verdicts}"
        assert LINK.search(explanation), f"{where}, “{claim}” must link to its explanation"
    for card in cards:
        assert "dropdown" in card["class"]
        first = card.find("p", recursive=False)
        assert "admonition-title" in card.summary["class"]
        assert first.strong.get_text().strip(".") in VERDICTS[edition]
        assert first.get_text().startswith(first.strong.get_text())


def test_both_editions_give_the_same_verdicts_and_some_are_true():
    verdicts = {
        edition: [VERDICTS[edition].index(verdict.strip(".")) for _, verdict, _ in CLAIM.findall(source(edition))]
        for edition in EDITIONS
    }
    assert verdicts["zh"] == verdicts["en"], "both editions of the FAQ must judge the same statements in the same order"
    assert set(verdicts["en"]) == {0, 1, 2}


@pytest.mark.parametrize("edition", EDITIONS)
def test_both_editions_link_to_the_same_places(edition):
    targets = {
        key: [re.sub(r".*<(.*)>", r"\1", role).removeprefix(f"{key}-") for role in places(source(key))]
        for key in EDITIONS
    }
    alone = sorted(set(targets["zh"]) ^ set(targets["en"]))
    assert sorted(targets["zh"]) == sorted(targets["en"]), (
        f"both editions of the FAQ must have the same links, these differ: {alone}"
    )
    assert len(targets[edition]) > 30


def places(text):
    return re.findall(r"\{(?:ref|prf:ref|numref|doc|eq)\}`([^`]+)`", text)


@pytest.mark.parametrize("edition", EDITIONS)
def test_the_notebook_folds_the_cards(site, edition):
    notebook = nbformat.read(site / f"notebooks/{edition}/faq.ipynb", as_version=4)
    whole = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    folds = re.findall(r"<details>\n<summary>.*</summary>\n\n(\*\*[^*]+\*\*|<strong>[^<]+</strong>)", whole)
    assert len(folds) == len(CLAIM.findall(source(edition)))


@pytest.mark.parametrize("edition", EDITIONS)
def test_it_is_an_appendix_and_the_front_page_links_to_it(site, edition):
    page = article(site, edition, "index")
    assert page.select("a[href='faq.html']")
    assert page_numbers(edition).get("faq", "").isalpha(), (
        "_toc.yml must have the FAQ among the appendices, which have letters"
    )
