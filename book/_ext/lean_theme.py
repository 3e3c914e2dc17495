"""The theme, less what this book does not use, and with names for what a screen reader meets.

The templates beside this file leave out fontawesome.js (the icons are a font) and Sphinx's search scripts (see
`search`). Here the rest: files named twice, and labels that the packages write into the page or leave out.
"""

import re

# myst-nb repeats one English label on every folded cell; the visible text says more
SUMMARY_LABEL = ' aria-label="Toggle hidden content"'
# docutils puts the entries of a list of references into a list, but gives them a role that is none of a list's items
ENTRY, ITEM = ' role="doc-biblioentry"', ' role="listitem"'
# read aloud, such a link would be called "number sign"; what it is stands in its tooltip
PERMALINK = re.compile(r'(<a class="headerlink" [^>]*\btitle=("[^"]*"))')


def trim(app, pagename, templatename, context, doctree):
    for kind in ("css_files", "script_files"):
        seen = {}
        for file in context[kind]:
            seen.setdefault((str(file.filename or ""), file.attributes.get("body")), file)
        context[kind] = list(seen.values())
    if "body" in context:
        body = context["body"].replace(SUMMARY_LABEL, "").replace(ENTRY, ITEM)
        context["body"] = PERMALINK.sub(r"\1 aria-label=\2", body)


def setup(app):
    # Jupyter Book always sets this, though the extension that reads it is not loaded
    app.add_config_value("comments_config", {}, "")
    app.connect("html-page-context", trim, priority=999)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
