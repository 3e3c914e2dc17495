"""The data of the glossary and of the concept map, and typographical slips that no Chinese text may have."""

import re

import yaml

from tests.conftest import ROOT

DATA = yaml.safe_load((ROOT / "book/glossary.yml").read_text("utf-8"))
GLOSSARY = DATA["terms"]
CONCEPTS, KINDS = DATA["concepts"], DATA["relations"]
EDGES = [
    (start, kind, end)
    for start, concept in CONCEPTS.items()
    for kind, ends in concept.get("relations", {}).items()
    for end in ends
]
AVOIDED = re.compile("|".join(wording for term in GLOSSARY for wording in term["avoid"]))

HAN = "[\u3400-\u9fff]"
# Greek and accented letters too
LATIN = "[0-9A-Za-z\u00c0-\u024f\u0370-\u03ff]"
# marks of emphasis are not a space on the page: **NPO**损失 reads NPO损失
MARKS = r"\*{0,3}"
ASCII_PUNCTUATION = r"(?:[,;:?]|!(?!\[))"
SLIPS = {
    "no space between Chinese and Latin text, a number or a formula": f"{HAN}{MARKS}{LATIN}|{LATIN}{MARKS}{HAN}",
    "ASCII punctuation next to Chinese": f"{HAN}{MARKS}{ASCII_PUNCTUATION}|{ASCII_PUNCTUATION}{MARKS}{HAN}",
}
