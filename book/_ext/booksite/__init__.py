"""The site's machinery as one Sphinx extension: `setup` is the life of a page, in order.

What Sphinx does not have to do for a page happens at the end, on the finished files: `finish/`.
"""

from dataclasses import replace
from pathlib import Path

from sphinx.errors import ConfigError
from sphinx.highlighting import PygmentsBridge
from sphinx.util import logging
from sphinx.util.nodes import clean_astext
from sphinx_external_toc.collectors import disable_builtin_toctree_collector

from booksite import demos, execution, notebooks, upstream
from booksite.document import After, Before, formulas, text
from booksite.document.exercises import CheckedExercise
from booksite.document.reading_times import ReadingTimes
from booksite.finish import run
from booksite.language import catalogues, navigation, numbering
from booksite.page import Page, assets, buttons, images
from booksite.settings import Settings
from booksite.site import Document, Site

log = logging.getLogger(__name__)

# when the theme has made its menus, and Sphinx the body
STEPS = (
    upstream.name_for_screen_readers,
    upstream.close_up_titles,
    buttons.add_buttons,
    navigation.show_one_edition,
    images.wait_for_images,
    demos.move_state,
    notebooks.write_notebook,
    assets.join_assets,
)


def setup(app):
    execution.lock(app)
    upstream.prepare(app)
    app.add_config_value("booksite", {}, "env", (dict, Settings))
    app.connect("config-inited", read_settings)
    # what decides the outputs of every chapter: a new value makes Sphinx read all pages again
    app.add_config_value("execution_surroundings", "", "env", str)
    # styles, scripts, templates, and the code that changes pages while they are written
    app.add_config_value("site_machinery", "", "html", str)
    app.connect("config-inited", execution.configure)
    PygmentsBridge.html_formatter = text.PlainCode

    app.connect("env-get-outdated", execution.outdated)
    app.connect("env-before-read-docs", execution.before_reading)
    app.connect("source-read", catalogues.speak_while_reading)
    app.add_directive_to_domain("prf", "proof", upstream.TranslatedProof, override=True)
    app.add_directive("exercise", CheckedExercise, override=True)
    app.add_directive("reading-times", ReadingTimes)
    disable_builtin_toctree_collector(app)
    app.add_env_collector(numbering.Numbers)
    # before napoleon
    app.connect("autodoc-process-docstring", text.keep_bars, priority=400)
    app.connect("doctree-read", demos.find_demos)

    app.connect("env-updated", execution.after_reading)
    app.add_post_transform(Before)
    app.add_post_transform(After)

    app.add_html_math_renderer("katex", (formulas.visit_math, None), (formulas.visit_math_block, None))
    # the theme's templates and menus speak the language of the page
    app.connect("html-page-context", each([catalogues.speak_while_writing]), priority=1)
    app.connect("html-page-context", each(STEPS), priority=1000)

    # when the theme has written its colours of code
    app.connect("build-finished", finish_site, priority=900)
    # the catalogues are global to a process, and pages of two languages would speak one
    return {"env_version": 3, "parallel_read_safe": False, "parallel_write_safe": False}


def read_settings(app, config):
    try:
        config.booksite = replace(Settings.read(config.booksite), base=config.html_baseurl)
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"_config.yml: booksite: {error}") from error


def each(steps):
    def write_page(app, pagename, templatename, context, doctree):
        page = context["page"] = Page(app, pagename, context, doctree)
        for step in steps:
            step(page)

    return write_page


def finish_site(app, exception):
    try:
        if exception is None and app.builder.format == "html":
            run(site_of(app))
        if exception is None and not app._warncount:
            app.unfinished.unlink(missing_ok=True)
    finally:
        app.build_lock.release()


def site_of(app):
    """What the last steps learn from Sphinx: the built site, with its documents, sections and demos."""
    config, env, uri, edition_of = app.config, app.env, app.builder.get_target_uri, app.config.booksite.edition_of
    documents = tuple(
        Document(name, uri(name), env.titles[name].astext(), edition_of(name), Page(app, name).alternates())
        for name in sorted(env.found_docs)
    )
    return Site(
        root=Path(app.outdir),
        source=Path(app.srcdir),
        settings=config.booksite,
        base=config.html_baseurl,
        repository=config.html_theme_options["repository_url"],
        favicon=Path(app.srcdir, config.html_favicon),
        documents=documents,
        root_document=config.root_doc,
        sections=sections(app),
        demos=demos.of_documents(env, documents),
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
