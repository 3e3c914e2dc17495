"""Editions: one book in several languages, built together so that its pages can link to each other.

A page belongs to the edition whose key is one of its folders (``book/zh/npo`` to ``zh``). Pages outside every edition
(the door, the API reference, the index) are shared by all. The other extensions ask here and nowhere else.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Edition:
    """One language: `tag` for HTML, `locale` for gettext catalogues, `home` its first page."""

    key: str
    tag: str
    locale: str
    name: str
    title: str
    description: str
    home: str


def editions(app):
    """Every edition, in the order of the configuration."""
    return [Edition(key, **values) for key, values in app.config.editions.items()]


def edition_of(app, pagename):
    """The edition that a page belongs to, or None for a shared page."""
    folders = pagename.split("/")[:-1]
    return next((edition for edition in editions(app) if edition.key in folders), None)


def language_of(app, pagename):
    """The edition whose language a page is shown in: its own, or for a shared page the default one."""
    default = next(edition for edition in editions(app) if edition.key == app.config.default_edition)
    return edition_of(app, pagename) or default


def twin(app, pagename, edition):
    """The same page in another edition, or None."""
    own = edition_of(app, pagename)
    if own is None:
        return None
    docname = "/".join(edition.key if part == own.key else part for part in pagename.split("/"))
    return docname if docname in app.env.found_docs else None


def setup(app):
    app.add_config_value("editions", {}, "env", dict)
    app.add_config_value("default_edition", "en", "env", str)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
