"""The theme's files, less those that say nothing in this book.

The templates beside this file name none of the theme's own files, so that fontawesome.js (the icons are a font) and
Sphinx's search scripts (see `search`) are left out. Here the rest, and files that are named twice.
"""

from pathlib import Path

from sphinx.builders.html._assets import _CascadingStyleSheet, _JavaScript

# the theme's own, before all other sheets and after all other scripts
FIRST = [_CascadingStyleSheet(f"_static/styles/{name}.css", priority=100) for name in ("theme", "pydata-sphinx-theme")]
LAST = [_JavaScript(f"_static/scripts/{name}.js", priority=900) for name in ("bootstrap", "pydata-sphinx-theme")]
# for Sphinx's search and its index of modules; what looks through the whole page for notes in the margin, and of which
# sidebars.js and header-shadow.js do what the book needs; for groups of tabs that change together
UNUSED = {
    "_static/doctools.js",
    "_static/sphinx_highlight.js",
    "_static/scripts/sphinx-book-theme.js",
    "_static/design-tabs.js",
}
# what the theme tells its list of versions
OPTIONS = "DOCUMENTATION_OPTIONS."
# what would be published and is never asked for
LARGE = ("scripts/*.map", "scripts/fontawesome.*", "styles/*.map", "vendor/**/*.ttf")


def trim(app, pagename, templatename, context, doctree):
    context["css_files"] = [*FIRST, *context["css_files"]]
    context["script_files"] = [*context["script_files"], *LAST]
    for kind in ("css_files", "script_files"):
        seen = {}
        for file in context[kind]:
            name, body = str(file.filename or ""), file.attributes.get("body") or ""
            if name not in UNUSED and not body.startswith(OPTIONS):
                seen.setdefault((name, body), file)
        context[kind] = list(seen.values())


def drop(app, exception):
    if not exception and app.builder.format == "html":
        for pattern in LARGE:
            for path in Path(app.outdir, "_static").glob(pattern):
                path.unlink()


def setup(app):
    # Jupyter Book always sets this, though the extension that reads it is not loaded
    app.add_config_value("comments_config", {}, "")
    app.connect("html-page-context", trim, priority=999)
    app.connect("build-finished", drop)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
