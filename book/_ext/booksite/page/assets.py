"""The head of a page asks for one sheet and one script, which the last steps put together."""

from sphinx.util import logging

from booksite.finish.assets import swap

log = logging.getLogger(__name__)
# fonts in a sheet are read when a text is laid out that needs them, and lines would change under a reader's eyes
READ_FIRST = 'for (const font of document.fonts) if (font.family.includes("KaTeX")) font.load();'


def read_fonts_first(page):
    if "katex-html" in page.context.get("body", ""):
        page.app.add_js_file(None, body=READ_FIRST)


def join_assets(page):
    context = page.context
    context["css_files"], context["script_files"], unknown = swap(
        context["css_files"], context["script_files"], context["pathto"]
    )
    for name in unknown:
        rule = "which is in no list of assets.yml: add it to `sheets`, `scripts` or `dropped`"
        log.warning("%s asks for %s, %s", page.name, name, rule, type="booksite")
