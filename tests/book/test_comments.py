"""Comments: the settings of the configuration, and the pages that have them."""

import os
import subprocess
import sys

import pytest

from tests.book.pages import COMMENTS, CONFIG, EDITIONS, NAMES, all_pages, parse
from tests.conftest import ROOT

# pages without comments
WITHOUT = ["index", "how-to-run"]


def test_settings_are_those_of_the_source_document():
    assert COMMENTS == {
        "host": "https://giscus.app",
        "repo": "InuyashaYang/AIDIY",
        "repo-id": "R_kgDOM1VVTQ",
        "category": "Announcements",
        "category-id": "DIC_kwDOM1VVTc4Ckls_",
        "mapping": "pathname",
        "strict": 0,
        "reactions-enabled": 1,
        "emit-metadata": 0,
        "input-position": "bottom",
        "theme": "preferred_color_scheme",
    }


def test_chapters_and_appendices_have_comments_and_other_pages_do_not(site):
    names = [name for name in NAMES if COMMENTS and name not in WITHOUT]
    expected = {f"book/{edition}/{name}.html" for edition in EDITIONS for name in names}
    found = {page for page in all_pages(site) if parse(site / page).select("details.comments")}
    assert found == expected


ON = {"host": "https://example.invalid", "repo": "owner/name"}
CONF = """
from booksite import Settings, each, read_settings

extensions = ["myst_nb"]
exclude_patterns = ["_build"]
html_theme = "basic"
nb_execution_mode = "off"
templates_path = [{templates!r}]
html_sidebars = {{"**": ["comments.html"]}}
booksite = {settings!r}


def setup(app):
    app.add_config_value("booksite", {{}}, "env", (dict, Settings))
    app.connect("config-inited", read_settings)
    app.connect("html-page-context", each([]), priority=1)
"""
PAGES = {
    "index": "# Door\n\n```{toctree}\nen/index\nen/talk\nen/quiet\nen/quiet-cells\n```",
    "en/index": "# Home",
    "en/talk": "# Talk",
    "en/quiet": "---\ncomments: false\n---\n# Quiet",
    "en/quiet-cells": "---\ncomments: false\njupytext: {text_representation: {extension: .md, format_name: myst}}\n"
    "kernelspec: {display_name: Python 3, language: python, name: python3}\n---\n# Cells\n\n"
    "```{code-cell} ipython3\n1 + 1\n```",
}


@pytest.mark.parametrize(
    ("comments", "expected"), [(ON, {"en/talk"}), ({}, set()), (False, set())], ids=["on", "empty", "false"]
)
def test_one_setting_or_the_front_matter_turns_them_off(tmp_path, comments, expected):
    extensions = ROOT / "book/_ext"
    whole = CONFIG["sphinx"]["config"]["booksite"]
    editions = {"en": whole["editions"]["en"] | {"home": "en/index"}}
    settings = whole | {"editions": editions, "comments": comments}
    conf = CONF.format(templates=str(extensions / "booksite/templates"), settings=settings)
    (tmp_path / "conf.py").write_text(conf, "utf-8")
    for name, text in PAGES.items():
        file = tmp_path / f"{name}.md"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, "utf-8")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", tmp_path, tmp_path / "_build"]
    subprocess.run(command, env=os.environ | {"PYTHONPATH": str(extensions)}, check=True)
    assert {name for name in PAGES if parse(tmp_path / f"_build/{name}.html").select("details.comments")} == expected
