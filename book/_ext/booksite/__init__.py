"""The site's machinery as one Sphinx extension: `setup` is the life of a page, in order.

What Sphinx does not have to do for a page happens at the end, on the finished files: `finish/`.
"""

from sphinx.errors import ConfigError

from booksite import demos, execution, notebooks, upstream
from booksite.document import After, Before, formulas, text
from booksite.document.reading_times import ReadingTimes
from booksite.finish import run
from booksite.handover import site_of
from booksite.language import catalogues, navigation, numbering
from booksite.page import Page, buttons, foot, head, images
from booksite.settings import Settings

# the theme's templates and menus speak the language of the page
BEFORE_THE_THEME = (catalogues.speak_while_writing,)
# the theme drops templates that say nothing
WITH_THE_THEME = (foot.add_comments,)
# the theme has made its menus, and Sphinx the body
AFTER_THE_THEME = (
    upstream.name_for_screen_readers,
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
    app.add_config_value("booksite", {}, "env", (dict, Settings))
    upstream.accept_comments(app)

    app.connect("config-inited", read_settings)
    app.connect("config-inited", execution.configure)
    # what decides the outputs of every chapter: a new value makes Sphinx read all pages again
    app.add_config_value("execution_surroundings", "", "env", str)
    app.connect("builder-inited", upstream.leave_out_search)
    app.connect("builder-inited", text.replace_formatter)

    app.connect("env-get-outdated", execution.outdated)
    app.connect("env-before-read-docs", execution.before_reading)
    app.connect("source-read", catalogues.before_reading)
    app.add_directive_to_domain("prf", "proof", upstream.TranslatedProof, override=True)
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

    app.add_html_math_renderer(
        "katex", inline_renderers=(formulas.visit_math, None), block_renderers=(formulas.visit_math_block, None)
    )
    for priority, steps in ((1, BEFORE_THE_THEME), (400, WITH_THE_THEME), (1000, AFTER_THE_THEME)):
        app.connect("html-page-context", each(steps), priority=priority)

    # when the theme has written its colours of code
    app.connect("build-finished", finish_site, priority=900)
    app.connect("build-finished", execution.end, priority=1000)
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
