"""The site's machinery as one Sphinx extension: `setup` is the life of a page, in order.

What Sphinx does not have to do for a page happens at the end, on the finished files: `finish/`.
"""

from pathlib import Path

from sphinx.errors import ConfigError
from sphinx.util import logging
from sphinx.util.nodes import clean_astext

from booksite import demos, execution, notebooks, upstream
from booksite.document import After, Before, formulas, text
from booksite.document.exercises import CheckedExercise
from booksite.document.reading_times import ReadingTimes
from booksite.finish import run
from booksite.language import catalogues, navigation, numbering
from booksite.page import Page, buttons, foot, head, images
from booksite.settings import Settings
from booksite.site import Document, Site

log = logging.getLogger(__name__)

# the theme's templates and menus speak the language of the page
BEFORE_THE_THEME = (catalogues.speak_while_writing,)
# the theme drops templates that say nothing
WITH_THE_THEME = (foot.add_comments,)
# the theme has made its menus, and Sphinx the body
AFTER_THE_THEME = (
    upstream.name_for_screen_readers,
    upstream.close_up_titles,
    buttons.add_buttons,
    navigation.show_one_edition,
    head.describe,
    foot.add_footer,
    images.wait_for_images,
    demos.move_state,
    notebooks.write_notebook,
    head.join_assets,
)


def setup(app):
    execution.lock(app)
    upstream.prepare(app)
    app.add_config_value("booksite", {}, "env", (dict, Settings))
    app.connect("config-inited", read_settings)
    # what decides the outputs of every chapter: a new value makes Sphinx read all pages again
    app.add_config_value("execution_surroundings", "", "env", str)
    app.connect("config-inited", execution.configure)
    app.connect("builder-inited", text.replace_formatter)

    app.connect("env-get-outdated", execution.outdated)
    app.connect("env-before-read-docs", execution.before_reading)
    app.connect("source-read", catalogues.speak_while_reading)
    app.add_directive_to_domain("prf", "proof", upstream.TranslatedProof, override=True)
    app.add_directive("exercise", CheckedExercise, override=True)
    app.add_directive("reading-times", ReadingTimes)
    # before napoleon
    app.connect("autodoc-process-docstring", text.keep_bars, priority=400)
    app.connect("doctree-read", demos.note_demos)

    app.connect("env-updated", execution.after_reading)
    numbering.keep_counts()
    # when Sphinx has counted
    app.connect("env-get-updated", numbering.restart, priority=900)
    app.add_post_transform(Before)
    app.add_post_transform(After)
    app.connect("doctree-resolved", demos.offer_lines)

    renderers = (formulas.visit_math, None), (formulas.visit_math_block, None)
    app.add_html_math_renderer("katex", *renderers)
    for priority, steps in ((1, BEFORE_THE_THEME), (400, WITH_THE_THEME), (1000, AFTER_THE_THEME)):
        app.connect("html-page-context", each(steps), priority=priority)

    # when the theme has written its colours of code
    app.connect("build-finished", finish_site, priority=900)
    # the catalogues are global to a process, and pages of two languages would speak one
    return {"env_version": 2, "parallel_read_safe": False, "parallel_write_safe": False}


def read_settings(app, config):
    try:
        config.booksite = Settings.read(config.booksite)
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"_config.yml: booksite: {error}") from error


def each(steps):
    def write_page(app, pagename, templatename, context, doctree):
        page = context["page"] = Page(app, pagename, context, doctree)
        for step in steps:
            step(page)

    return write_page


def finish_site(app, exception):
    if exception is None and app.builder.format == "html":
        run(site_of(app))
        upstream.forget_after_warnings(app)


def site_of(app):
    """What the last steps learn from Sphinx: the built site, with its documents, sections and demos."""
    config, env, uri, edition_of = app.config, app.env, app.builder.get_target_uri, app.config.booksite.edition_of
    documents = tuple(
        Document(name, uri(name), env.titles[name].astext(), edition_of(name), tuple(head.alternates(app, name)))
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
        demos=tuple(demo for document in documents for demo in demos.demos_of(env, document)),
        warn=lambda message: log.warning("%s", message, type="booksite"),
    )


def sections(app):
    """Address and title of every labelled section, with the number and title of its chapter before it."""
    found = {}
    for label, (name, anchor, title) in app.env.domains["std"].labels.items():
        if name in app.env.found_docs:
            number = app.env.toc_secnumbers.get(name, {}).get("", ())
            chapter = clean_astext(app.env.titles[name])
            whole = ". ".join([*map(str, number), chapter]) + (f" › {title}" if title != chapter else "")
            found[label] = (f"{app.builder.get_target_uri(name)}#{anchor}", whole)
    return found
