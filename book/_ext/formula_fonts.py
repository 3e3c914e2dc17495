"""KaTeX's fonts with the characters that occur on the site: all formulas are made in the build, so they are known."""

from pathlib import Path

from font_subset import subset


def trim(app, exception):
    if exception or app.builder.format != "html":
        return
    out = Path(app.outdir)
    pages = [page.read_text("utf-8") for page in out.rglob("*.html")]
    shown = set().union(*(page for page in pages if "katex-html" in page))
    for font in (out / "_static/katex/fonts").glob("*.woff2"):
        subset(font, shown)


def setup(app):
    # when all pages and fonts are there
    app.connect("build-finished", trim, priority=800)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
