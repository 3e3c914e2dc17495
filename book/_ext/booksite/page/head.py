"""What a page tells search engines and chats about itself: address, description, its twin pages, a picture."""

from html import escape

from docutils import nodes

from booksite.editions import edition_of, editions, language_of, twin


def address(app, pagename):
    """Where the page lies on the web."""
    return app.config.html_baseurl + app.builder.get_target_uri(pagename)


def alternates(app, pagename):
    """The same page in every language, as (hreflang, address); shared pages have none, the door stands for all."""
    root = app.config.root_doc
    if pagename == root:
        found = [(edition.tag, address(app, edition.home)) for edition in editions(app)]
        return [*found, ("x-default", address(app, root))]
    own = edition_of(app, pagename)
    if own is None:
        return []
    found = [(edition.tag, twin(app, pagename, edition)) for edition in editions(app)]
    found = [(tag, address(app, docname)) for tag, docname in found if docname]
    default = root if pagename == own.home else twin(app, pagename, language_of(app, root)) or pagename
    return [*found, ("x-default", address(app, default))]


def describe(app, pagename, templatename, context, doctree):
    edition = language_of(app, pagename)
    context["pageurl"] = address(app, pagename)
    metas = {node.get("name"): node.get("content") for node in doctree.findall(nodes.meta)} if doctree else {}
    # a page may carry the description in two places of its front matter; browsers want one
    tags = [] if metas.get("description") else [meta("name", "description", edition.description)]
    tags += [
        f'<link rel="alternate" hreflang="{tag}" href="{escape(url)}" />' for tag, url in alternates(app, pagename)
    ]
    properties = {
        "og:title": context["docstitle"] if context["is_home"] else context.get("pagetitle", edition.title),
        "og:description": metas.get("description") or edition.description,
        "og:type": "website" if context["is_home"] else "article",
        "og:url": context["pageurl"],
        "og:site_name": context["docstitle"],
        "og:locale": "en_US" if edition.locale == "en" else edition.locale,
        "og:image": app.config.html_baseurl + app.config.page_picture["path"],
        "og:image:width": "1200",
        "og:image:height": "630",
        "og:image:alt": app.config.page_picture["alt"],
    }
    tags += [meta("property", name, content) for name, content in properties.items()]
    tags.append(meta("name", "twitter:card", "summary_large_image"))
    context["metatags"] = context.get("metatags", "") + "\n".join(tags)


def meta(kind, name, content):
    return f'<meta {kind}="{name}" content="{escape(nodes.unescape(content))}" />'


def setup(app):
    app.add_config_value("page_picture", {}, "html", dict)
    app.connect("html-page-context", describe, priority=910)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
