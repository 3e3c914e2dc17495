"""Each page shows one edition: its language, its part of the contents, and a link to the same page in the others."""

from bs4 import BeautifulSoup
from sphinx.addnodes import toctree


def show_one_edition(page):
    app, context, own, language = page.app, page.context, page.edition, page.language
    root = app.config.root_doc
    context["language"] = language.tag
    context["docstitle"] = context["project"] = app.config.html_title if page.name == root else language.title
    context["theme_logo_link"] = page.link(language.home if own else root)
    for place, neighbour in zip(("prev", "next"), app.builder.relations.get(page.name, [None] * 3)[1:], strict=True):
        if neighbour and page.settings.edition_of(neighbour) != own:
            context[place] = None
    whole = context.get("generate_toctree_html")
    context["generate_toctree_html"] = lambda *args, **options: own_parts(app, own, whole(*args, **options))


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
