"""An address besides GitHub, for errors and comments: `contact` of the configuration."""

import re
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest
from booksite.settings import Settings
from bs4 import BeautifulSoup
from jinja2 import Environment, FileSystemLoader

from tests.book.pages import CONFIG, EDITIONS, TWINS, parse
from tests.conftest import ROOT

RAW = CONFIG["sphinx"]["config"]["booksite"]
TEMPLATES = Environment(loader=FileSystemLoader(ROOT / "book/_ext/booksite/templates"))
WORDS = {"en": "Write to the authors without GitHub", "zh": "不用 GitHub，直接联系作者"}


def render(template, contact, edition):
    settings = Settings.read(RAW | {"contact": contact})
    language = settings.edition_of(f"{edition}/")
    page = SimpleNamespace(
        settings=settings,
        edition=language,
        language=language,
        name=f"book/{edition}/npo",
        doctree=True,
        is_home=False,
        words=language.words,
        changed=lambda: "2026-11-29",
        link=lambda name: f"../{name}.html",
    )
    facts = {"pagename": page.name, "pagetitle": "NPO & GA", "docstitle": "Book", "copyright": "2026"}
    address = {"pageurl": "https://example.org/npo.html", "theme_repository_url": "https://example.org/repository"}
    html = TEMPLATES.get_template(template).render(page=page, root_doc="index", **facts, **address)
    return BeautifulSoup(html, "html.parser")


def test_it_is_an_address_and_every_page_offers_it_if_there_is_one(site):
    contact = RAW.get("contact") or ""
    form = re.fullmatch(r"(mailto:[^@\s?]+@[^@\s?]+|https://\S+)?", contact)
    assert form, f'_config.yml: contact must be "", "mailto:…" or "https://…", got {contact!r}'
    for page in TWINS:
        assert len(parse(site / page).select(".page-footer a.contact")) == bool(contact), page


@pytest.mark.parametrize("edition", EDITIONS)
@pytest.mark.parametrize("template", ["page-footer.html", "comments.html"])
def test_without_an_address_nothing_is_offered(template, edition):
    page = render(template, "", edition)
    assert page.select("a") and not page.select("a.contact")


@pytest.mark.parametrize("edition", EDITIONS)
def test_a_message_about_an_error_names_the_page(edition):
    (link,) = render("page-footer.html", "mailto:book@example.org", edition).select("a.contact")
    assert link.get_text() == WORDS[edition]
    # programs for mail take a plus literally
    assert link["href"].startswith("mailto:book@example.org?subject=") and "+" not in link["href"]
    told = parse_qs(urlsplit(link["href"]).query)
    assert told["body"] == ["https://example.org/npo.html"] and "NPO & GA" in told["subject"][0]


@pytest.mark.parametrize("edition", EDITIONS)
def test_an_address_on_the_web_is_linked_as_it_is(edition):
    (link,) = render("page-footer.html", "https://example.org/issues", edition).select("a.contact")
    assert link["href"] == "https://example.org/issues"


@pytest.mark.parametrize("edition", EDITIONS)
def test_it_is_offered_wherever_the_comments_lead_to_github(edition):
    page = render("comments.html", "mailto:book@example.org", edition)
    places = [link.parent for link in page.select("a[href*='github.com']")]
    # without scripts, and if the comments do not come
    assert [place.name for place in places] == ["p", "p"] and page.noscript
    for place in places:
        assert [(link["href"], link.get_text()) for link in place.select("a.contact")] == [
            ("mailto:book@example.org", WORDS[edition])
        ]
