"""The words that the machinery says by itself, in every language: `words.yml`."""

from pathlib import Path

import yaml

WORDS = yaml.safe_load(Path(__file__).with_name("words.yml").read_text("utf-8"))


def words(edition, part):
    """What a part of the machinery says in the language of an edition."""
    return WORDS[edition.locale][part]
