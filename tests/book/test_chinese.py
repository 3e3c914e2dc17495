"""What a Chinese page reads like once it is built: where emphasis ends, and how a link joins its sentence."""

import re
from functools import cache

import pytest
from bs4 import BeautifulSoup

from tests.book.glossary import HAN, LATIN
from tests.book.pages import NAMES, article

# a title is in quotation marks, unless it is all there is: in a row, in a sentence of its own, between brackets
ALONE = re.compile("([。？：（、.]?)([。：）、]?)|“”")
GLUED = re.compile(rf"{HAN}{LATIN[:-1]}(]|{LATIN[:-1]})]{HAN}")


@cache
def titles(site):
    headings = [tag for name in NAMES for tag in article(site, "zh", name).select("h1, h2, h3")]
    return {re.sub(r"^[\dA-Z.]+\. |#$", "", tag.get_text()).strip() for tag in headings}


def slips(text, titles):
    """What is wrong with emphasis and links in a piece of a page."""
    for mark in text.select("strong, em"):
        said = mark.get_text().replace("\u2060", "")
        if re.search(r"\*|。.", said):
            yield f"emphasis that does not end where it should: {said[:40]}"
    for link in text.select("a.reference.internal"):
        said, block = link.get_text().replace("\u2060", ""), link.find_parent(["p", "li", "td", "dd"])
        before, after = link.find_previous(string=True), list(link.strings)[-1].find_next(string=True)
        # as far as they belong to the same block
        before, after = ((s if s and block in s.parents else "").replace("\u2060", "") for s in (before, after))
        around = f"{before[-10:]}[{said}]{after[:10]}"
        if GLUED.search(before[-1:] + said[:1]) or GLUED.search(said[-1:] + after[:1]):
            yield f"no space between Chinese and a number or Latin text: {around}"
        if said in titles and not ALONE.fullmatch(before.strip()[-1:] + after.strip()[:1]):
            yield f"a title that runs into its sentence: {around}"


@pytest.mark.parametrize("name", NAMES)
def test_emphasis_and_links_of_a_chinese_page(site, name):
    assert not list(slips(article(site, "zh", name), titles(site)))


@pytest.mark.parametrize(
    "text",
    [
        '见<a class="reference internal">记号</a>。',
        '见<a class="reference internal">记号</a>一章',
        '接着<a class="reference internal">计算 NPO</a>讲',
        '由<a class="reference internal">(3.1)</a>，',
        '<a class="reference internal">定义 3.1</a>里',
        "<strong>能放宽吗？**就最坏的情形</strong>而言",
        "<strong>能放宽。就最坏的情形</strong>而言",
    ],
)
def test_a_slip_is_found(text):
    assert len(list(slips(BeautifulSoup(f"<p>{text}</p>", "html.parser"), {"记号"}))) == 1


@pytest.mark.parametrize(
    "text",
    [
        '见“<a class="reference internal">记号</a>”。',
        '（<a class="reference internal">记号</a>）',
        '1. <a class="reference internal">记号</a>',
        '<a class="reference internal">记号</a>：全部',
        '由 <a class="reference internal">(3.1)</a> 得<strong>什么？</strong>',
    ],
)
def test_what_is_right_raises_no_alarm(text):
    assert not list(slips(BeautifulSoup(f"<p>{text}</p>", "html.parser"), {"记号"}))
