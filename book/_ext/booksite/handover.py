"""What the last steps learn from Sphinx: the built site, with its documents, sections and demos."""

from pathlib import Path

from sphinx.util import logging
from sphinx.util.nodes import clean_astext

from booksite.demos import demos_of
from booksite.page.head import alternates
from booksite.site import Document, Site

log = logging.getLogger(__name__)


def site_of(app):
    config, env = app.config, app.env
    documents = tuple(
        Document(
            name,
            app.builder.get_target_uri(name),
            env.titles[name].astext(),
            config.booksite.edition_of(name),
            tuple(alternates(app, name)),
        )
        for name in sorted(env.found_docs)
    )
    return Site(
        root=Path(app.outdir),
        source=Path(app.srcdir),
        memory=Path(app.doctreedir),
        settings=config.booksite,
        base=config.html_baseurl,
        repository=config.html_theme_options["repository_url"],
        favicon=Path(app.srcdir, config.html_favicon),
        documents=documents,
        root_document=config.root_doc,
        sections=sections(app),
        demos=tuple(demo for document in documents for demo in demos_of(env, document)),
        warn=lambda message: log.warning("%s", message, type="booksite"),
    )


def sections(app):
    """Address and title of every labelled section, with the number and title of its chapter before it."""
    found = {}
    for label, (name, anchor, title) in app.env.domains["std"].labels.items():
        if name in app.env.found_docs:
            number = app.env.toc_secnumbers.get(name, {}).get("", ())
            chapter = ". ".join([*map(str, number), clean_astext(app.env.titles[name])])
            if title != clean_astext(app.env.titles[name]):
                chapter += f" › {title}"
            found[label] = (f"{app.builder.get_target_uri(name)}#{anchor}", chapter)
    return found
