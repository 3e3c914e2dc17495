"""Each page shows one edition: its language, its part of the contents, and a link to the same page in the others."""

import json
from pathlib import Path

from bs4 import BeautifulSoup
from sphinx.addnodes import toctree

from booksite.editions import edition_of, editions, language_of, twin

SCRIPT = Path(__file__).parents[1].joinpath("templates").joinpath("language.js").read_text("utf-8")


def show_one_edition(app, pagename, templatename, context, doctree):
    own, language, pathto = edition_of(app, pagename), language_of(app, pagename), context["pathto"]
    context["language"] = language.tag
    context["is_home"] = pagename in (app.config.root_doc, language.home)
    context["docstitle"] = context["project"] = (
        app.config.html_title if pagename == app.config.root_doc else language.title
    )
    context["theme_logo_link"] = pathto(language.home) if own else pathto(app.config.root_doc)
    context["door_link"] = pathto(app.config.root_doc) + "#languages"
    context["other_editions"] = [
        {"edition": edition, "link": pathto(twin(app, pagename, edition) or edition.home)}
        for edition in editions(app)
        if edition != own
    ]
    for place, neighbour in zip(("prev", "next"), app.builder.relations.get(pagename, [None] * 3)[1:], strict=True):
        if neighbour and edition_of(app, neighbour) != own:
            context[place] = None
    whole = context.get("generate_toctree_html")
    context["generate_toctree_html"] = lambda *args, **options: own_parts(app, own, whole(*args, **options))
    about = {"data-edition": own.key if own else None}
    if pagename == app.config.root_doc:
        about["data-homes"] = json.dumps({edition.key: pathto(edition.home) for edition in editions(app)})
    # in the page and not deferred: a returning reader leaves the door before it is painted
    app.add_js_file(None, body=SCRIPT, priority=100, **about)


def own_parts(app, own, html):
    """The contents, less the parts (a caption and a list each) that belong to another edition."""
    soup = BeautifulSoup(str(html), "html.parser")
    parts = list(app.env.tocs[app.config.root_doc].findall(toctree))
    for part, listing in zip(parts, soup.find_all("ul", recursive=False), strict=True):
        if any(edition_of(app, docname) not in (own, None) for docname in part["includefiles"]):
            listing.find_previous_sibling("p").decompose()
            listing.decompose()
    return str(soup)


def setup(app):
    app.connect("html-page-context", show_one_edition, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
