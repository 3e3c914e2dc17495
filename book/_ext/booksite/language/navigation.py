"""Each page shows one edition: its language, its part of the contents, and a link to the same page in the others."""

import json
from pathlib import Path

from bs4 import BeautifulSoup
from sphinx.addnodes import toctree

SCRIPT = Path(__file__).parents[1].joinpath("templates/language.js").read_text("utf-8")


def show_one_edition(page):
    app, context, own, language = page.app, page.context, page.edition, page.language
    root = app.config.root_doc
    context["language"] = language.tag
    context["is_home"] = page.name in (root, language.home)
    context["docstitle"] = context["project"] = app.config.html_title if page.name == root else language.title
    context["theme_logo_link"] = page.link(language.home if own else root)
    context["door_link"] = page.link(root) + "#languages"
    context["other_editions"] = [
        {"edition": edition, "link": page.link(page.twin(edition) or edition.home)}
        for edition in page.settings.editions
        if edition != own
    ]
    for place, neighbour in zip(("prev", "next"), app.builder.relations.get(page.name, [None] * 3)[1:], strict=True):
        if neighbour and page.settings.edition_of(neighbour) != own:
            context[place] = None
    whole = context.get("generate_toctree_html")
    context["generate_toctree_html"] = lambda *args, **options: own_parts(app, own, whole(*args, **options))
    about = {"data-edition": own.key if own else None}
    if page.name == root:
        about["data-homes"] = json.dumps({edition.key: page.link(edition.home) for edition in page.settings.editions})
    # in the page and not deferred: a returning reader leaves the front page before it is painted
    app.add_js_file(None, body=SCRIPT, priority=100, **about)


def own_parts(app, own, html):
    """The contents, less the parts (a caption and a list each) that belong to another edition, in words of its own."""
    soup = BeautifulSoup(str(html), "html.parser")
    parts = list(app.env.tocs[app.config.root_doc].findall(toctree))
    for part, listing in zip(parts, soup.find_all("ul", recursive=False), strict=True):
        if any(app.config.booksite.edition_of(docname) not in (own, None) for docname in part["includefiles"]):
            listing.find_previous_sibling("p").decompose()
            listing.decompose()
    for title, said in (own.words("shared_pages") if own else {}).items():
        for link in soup.find_all("a", string=title):
            link.string = said
    return str(soup)
