"""The data of the concept map: names from the glossary, texts in both languages, relations that connect them all."""

import re

import pytest

from tests.book.glossary import AVOIDED, CONCEPTS, DATA, EDGES, GLOSSARY, KINDS, SLIPS
from tests.book.pages import EDITIONS, parse
from tests.conftest import ROOT

TEXTS = {
    **{key: concept for key, concept in CONCEPTS.items()},
    **KINDS,
    **{f"{key}, inverse": kind["inverse"] for key, kind in KINDS.items()},
    "title": DATA["title"],
    "description": DATA["description"],
}


def test_concepts_are_terms_of_the_glossary():
    terms = [concept["term"] for concept in CONCEPTS.values()]
    assert len(terms) == len(set(terms)) >= 12, "the map in book/glossary.yml must have a term once only, 12 or more"
    unknown = set(terms) - {term["en"] for term in GLOSSARY}
    assert not unknown, f"concepts in book/glossary.yml must be among its terms, these are not: {unknown}"


@pytest.mark.parametrize("where", TEXTS)
def test_every_text_is_in_both_languages(where):
    text = TEXTS[where]
    assert re.search("[\u4e00-\u9fff]", text["zh"]), f"{where}: zh must be Chinese, got {text['zh']!r}"
    assert not re.search("[\u4e00-\u9fff]", text["en"]), f"{where}: en must be English, got {text['en']!r}"
    assert not AVOIDED.search(text["zh"]), f"{where}: book/glossary.yml avoids {AVOIDED.search(text['zh'])[0]}"
    for slip, pattern in SLIPS.items():
        assert not re.search(pattern, text["zh"]), f"{where}: {slip}: {text['zh']}"


def test_relations_connect_all_concepts_and_none_is_listed_twice():
    assert {kind for _, kind, _ in EDGES} == set(KINDS), "book/glossary.yml must have each of its kinds of relations"
    pairs = [frozenset((start, end)) for start, _, end in EDGES]
    assert len(pairs) == len(set(pairs)) and all(len(pair) == 2 for pair in pairs), (
        "book/glossary.yml must relate two concepts once only, and none to itself"
    )
    reached, found = set(), {next(iter(CONCEPTS))}
    while found - reached:
        reached |= found
        found = {key for pair in pairs if pair & reached for key in pair}
    assert reached == set(CONCEPTS), f"no relation connects these concepts to the others: {set(CONCEPTS) - reached}"


def test_kinds_of_relations_differ_by_more_than_colour():
    looks = [(kind["line"]["width"], kind["line"].get("dash"), kind["end"]) for kind in KINDS.values()]
    assert len(looks) == len(set(looks)), "kinds of relations must differ in width, dash or end, whatever their colour"


@pytest.mark.parametrize("edition", EDITIONS)
@pytest.mark.parametrize("key", [key for key, concept in CONCEPTS.items() if "demo" in concept])
def test_a_concept_names_a_demo_of_the_chapter_that_explains_it(edition, key):
    concept = CONCEPTS[key]
    texts = {path.stem: path.read_text("utf-8") for path in (ROOT / "book" / edition).glob("*.md")}
    chapter = next(name for name, text in texts.items() if f"({edition}-{concept['section']})=" in text)
    shown = re.findall(r"^demos\.(\w+)\(\)$", texts[chapter], re.M)
    assert concept["demo"] in shown, (
        f"{key} in book/glossary.yml must name a demo of {chapter}, which explains it ({shown}), or none; "
        f"got {concept['demo']}"
    )


@pytest.mark.parametrize("edition", EDITIONS)
def test_every_concept_links_to_its_section(site, edition):
    page = parse(site / "NPO.html")
    for key, concept in CONCEPTS.items():
        name = next(term[edition] for term in GLOSSARY if term["en"] == concept["term"])
        section = page.select_one(f"section#{key}")
        assert [tag.get_text() for tag in section.h3.find_all(lang=EDITIONS[edition])] == [name]
        link = section.select_one(f'.more [lang="{EDITIONS[edition]}"] a')
        assert link["href"].startswith(f"book/{edition}/")
        assert link["href"].endswith(f"#{edition}-{concept['section']}")
        assert section.select_one("math annotation").get_text() == concept["formula"]
        related = {(end, kind) for start, kind, end in EDGES if start == key}
        related |= {(start, kind) for start, kind, end in EDGES if end == key}
        shown = {(li.a["href"][1:], li["class"][0]) for li in section.select(".relations li")}
        assert shown == related
