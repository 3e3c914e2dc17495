"""What a page tells search engines and chats about itself: address, description, its twin pages, a picture."""

from html import escape

from docutils import nodes

from booksite.page import address, twin


def alternates(app, name):
    """The same page in every language, as (hreflang, address); shared pages have none, the front page has all."""
    settings, root = app.config.booksite, app.config.root_doc
    if name == root:
        found = [(edition.tag, address(app, edition.home)) for edition in settings.editions]
        return [*found, ("x-default", address(app, root))]
    own = settings.edition_of(name)
    if own is None:
        return []
    found = [(edition.tag, twin(app, name, edition)) for edition in settings.editions]
    found = [(tag, address(app, other)) for tag, other in found if other]
    default = root if name == own.home else twin(app, name, settings.language_of(root)) or name
    return [*found, ("x-default", address(app, default))]


def describe(page):
    context, edition, picture = page.context, page.language, page.settings.picture
    context["pageurl"] = page.address
    metas = {node.get("name"): node.get("content") for node in page.doctree.findall(nodes.meta)} if page.doctree else {}
    # a page may carry the description in two places of its front matter; browsers expect one
    tags = [] if metas.get("description") else [meta("name", "description", edition.description)]
    tags += [
        f'<link rel="alternate" hreflang="{tag}" href="{escape(url)}" />'
        for tag, url in alternates(page.app, page.name)
    ]
    properties = {
        "og:title": context["docstitle"] if context["is_home"] else context.get("pagetitle", edition.title),
        "og:description": metas.get("description") or edition.description,
        "og:type": "website" if context["is_home"] else "article",
        "og:url": context["pageurl"],
        "og:site_name": context["docstitle"],
        "og:locale": "en_US" if edition.locale == "en" else edition.locale,
        "og:image": page.app.config.html_baseurl + picture["path"],
        "og:image:width": "1200",
        "og:image:height": "630",
        "og:image:alt": picture["alt"],
    }
    tags += [meta("property", name, content) for name, content in properties.items()]
    tags.append(meta("name", "twitter:card", "summary_large_image"))
    context["metatags"] = context.get("metatags", "") + "\n".join(tags)


def meta(kind, name, content):
    return f'<meta {kind}="{name}" content="{escape(nodes.unescape(content))}" />'
