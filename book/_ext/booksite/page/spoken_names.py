"""Names and roles that a screen reader meets, where the packages write others or none."""

import re

# docutils puts the entries of a list of references into a list, but gives them a role that is none of a list's items
ENTRY, ITEM = ' role="doc-biblioentry"', ' role="listitem"'
# read aloud, such a link would be called "number sign"; what it is stands in its tooltip
PERMALINK = re.compile(r'(<a class="headerlink" [^>]*\btitle=("[^"]*"))')


def name(app, pagename, templatename, context, doctree):
    if "body" in context:
        body = context["body"].replace(ENTRY, ITEM)
        context["body"] = PERMALINK.sub(r"\1 aria-label=\2", body)


def setup(app):
    app.connect("html-page-context", name)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
