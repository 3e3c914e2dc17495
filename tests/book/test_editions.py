"""The two editions never drift apart: same pages, code cells, formulas, labels, exercises and headings."""

import re
from itertools import zip_longest

import pytest
from booksite.language.catalogues import CATALOGUES
from booksite.settings import WORDS

from tests.book.pages import CHAPTERS, EDITIONS, NAMES, article, parse, source
from tests.conftest import ROOT


def test_both_editions_have_the_same_pages():
    names = {edition: sorted(path.name for path in (ROOT / "book" / edition).iterdir()) for edition in EDITIONS}
    alone = set(names["zh"]) ^ set(names["en"])
    assert not alone, f"a page must exist in both editions, these exist in one only: {', '.join(sorted(alone))}"


def code_cells(page):
    # without the line that frames a demo, because its address names the edition
    cells = page.select("div.cell_input pre, div[class*=highlight-] pre")
    return [cell.get_text() for cell in cells if not cell.find_parent(class_="embed")]


def outputs(page):
    return [cell.get_text() for cell in page.select("div.cell_output pre")]


def tex(formula):
    """The TeX source that KaTeX keeps in its MathML, without words of a language."""
    source = formula.select_one("annotation").get_text()
    return re.sub(
        r"\s+",
        " ",
        re.sub(r"\\(text|mathrm|textbf)\{[^{}]*[^\x00-\x7f A-Za-z][^{}]*\}|\\text\{[^{}]*\}", r"\\text{…}", source),
    ).strip()


def displayed_formulas(page):
    return [tex(formula) for formula in page.select(".math-display .katex-mathml")]


def formulas_in_the_text(page):
    return sorted({tex(formula) for formula in page.select("span.math .katex-mathml")})


def labels(page):
    """Labels in the order of the page, without the prefix of the edition."""
    pattern = re.compile(r"(?:equation-)?(?:zh|en)-(.*)")
    return [match[1] for tag in page.select("[id]") if (match := pattern.fullmatch(tag["id"]))]


def numbers(page):
    """The numbers of the chapter, figures, equations, theorems and exercises."""
    marks = page.select(".section-number, .caption-number, .eqno, p.admonition-title .caption-number")
    return [re.sub(r"[^\d.]", "", mark.get_text()).strip(".") for mark in marks]


def exercises(page):
    return [
        [word for word in box["class"] if word in ("exercise", "solution", "dropdown")]
        for box in page.select("div.exercise, details.solution")
    ]


def headings(page):
    return [tag.name for tag in page.select("h1, h2, h3, h4, h5, h6")]


def structure(page):
    """Theorems, proofs, figures, admonitions, tables and lists, in order."""
    kinds = []
    for tag in page.select("div.proof, figure, .admonition, table, ul, ol"):
        # a block's height and its distance from the top depend on the language
        named = {name for name in tag.get("class", []) if name != "simple" and not name.startswith("distant")}
        kinds.append(" ".join([tag.name, *sorted(named)]))
    return kinds


def first_difference(zh, en):
    """The first difference, in words; of texts with several lines, the first line that differs."""
    for number, pair in enumerate(zip_longest(zh, en, fillvalue="missing"), start=1):
        if pair[0] != pair[1]:
            lines = zip_longest(*(str(each).splitlines() for each in pair), fillvalue="missing")
            ours, theirs = next((two for two in lines if two[0] != two[1]), pair)
            return f"in number {number}, zh has {ours!r} and en has {theirs!r}"
    return "there is no difference"


COMPARED = [
    code_cells,
    outputs,
    displayed_formulas,
    formulas_in_the_text,
    labels,
    numbers,
    exercises,
    headings,
    structure,
]


@pytest.mark.parametrize("part", COMPARED, ids=lambda part: part.__name__)
@pytest.mark.parametrize("name", NAMES)
def test_editions_agree(site, name, part):
    zh, en = (part(article(site, edition, name)) for edition in EDITIONS)
    rule = f"book/zh/{name}.md and book/en/{name}.md must agree in their {part.__name__.replace('_', ' ')}"
    assert zh == en, f"{rule}; {first_difference(zh, en)}"


@pytest.mark.parametrize("part", COMPARED)
def test_the_comparison_has_something_to_compare(site, part):
    # two empty lists are equal: a selector that no longer matches must not pass for agreement
    for name in CHAPTERS:
        assert part(article(site, "en", name)), (
            f"book/en/{name}.md must have {part.__name__.replace('_', ' ')}, as every chapter has; "
            f"if it has some, the selector in {part.__name__}() no longer matches"
        )


@pytest.mark.parametrize("name", NAMES)
def test_source_labels_carry_the_prefix_of_their_edition(name):
    for edition in EDITIONS:
        defined = re.findall(r"^\s*:(?:label|name): *(\S+)|^\(([^)\s]+)\)=", source(edition, name), re.M)
        wrong = [label for pair in defined for label in pair if label and not label.startswith(f"{edition}-")]
        assert not wrong, f"book/{edition}/{name}.md: a label must begin with {edition}-, got {', '.join(wrong)}"


def keys(words, path=()):
    """The paths of all words in the machinery's dictionary."""
    if not isinstance(words, dict):
        return {path}
    return set().union(*(keys(value, (*path, name)) for name, value in words.items()))


def test_the_machinery_has_every_word_in_both_languages():
    zh, en = keys(WORDS["zh_CN"]), keys(WORDS["en"])
    assert not en - zh, f"booksite/words.yml needs in zh_CN what en has: {sorted(en - zh)}"
    # English words of other packages need no entry: the key in their catalogues is the English word itself
    own = {path for path in zh if WORDS["en"].get(path[0]) and path[0] not in CATALOGUES}
    assert not own - en, f"booksite/words.yml needs in en what zh_CN has: {sorted(own - en)}"


def test_sentences_are_in_the_language_of_the_page(site):
    for name in NAMES:
        english = re.findall(r"[\u4e00-\u9fff]", article(site, "en", name).get_text())
        limit = 1500 if name in ("notation", "errata") else 40
        assert len(english) <= limit, f"{len(english)} Han characters on the English page {name}"
        chinese = parse(site / f"book/zh/{name}.html").select("article.bd-article p")
        for paragraph in chinese:
            text = paragraph.get_text()
            han, words = len(re.findall(r"[\u4e00-\u9fff]", text)), len(re.findall(r"\b[a-z]{3,}\b", text))
            rule = f"book/zh/{name}.md must be in Chinese, apart from names and quotations, got {text[:80]!r}"
            assert han or words < 12 or paragraph.select("a, code, cite"), rule
