"""The theme, less what this book does not use, and with names for what a screen reader meets.

The templates beside this file leave out fontawesome.js (the icons are a font) and Sphinx's search scripts (see
`search`). Here the rest: files named twice, and labels that the packages write into the page.
"""

# myst-nb repeats one English label on every folded cell; the visible text says more
SUMMARY_LABEL = ' aria-label="Toggle hidden content"'


def trim(app, pagename, templatename, context, doctree):
    for kind in ("css_files", "script_files"):
        seen = {}
        for file in context[kind]:
            seen.setdefault((str(file.filename or ""), file.attributes.get("body")), file)
        context[kind] = list(seen.values())
    if "body" in context:
        context["body"] = context["body"].replace(SUMMARY_LABEL, "")


def setup(app):
    # Jupyter Book always sets this, though the extension that reads it is not loaded
    app.add_config_value("comments_config", {}, "")
    app.connect("html-page-context", trim, priority=999)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
