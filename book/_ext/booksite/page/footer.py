"""The foot of each page: how to cite it, when it changed, where to report an error."""

import subprocess
from functools import cache
from urllib.parse import urlencode

from booksite.editions import edition_of, language_of
from booksite.language.catalogues import OWN
from booksite.page.head import address


@cache
def last_changes(folder):
    """File and date of its last commit, in one call of git; empty where there is no git or no history."""
    command = ["git", "-c", "core.quotePath=false", "log", "--format=date %cs", "--name-only", "--relative"]
    try:
        lines = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        return {}
    dates, date = {}, None
    for line in lines:
        if line.startswith("date "):
            date = line.removeprefix("date ")
        elif line:
            dates.setdefault(line, date)
    return dates


def add_footer(app, pagename, templatename, context, doctree):
    if doctree is None:
        return
    edition, url = language_of(app, pagename), address(app, pagename)
    words, changed = OWN[edition.locale]["footer"], last_changes(app.srcdir).get(app.env.doc2path(pagename, base=False))
    facts = {
        "author": app.config.author,
        "title": context["pagetitle"],
        "book": edition.title,
        "year": (changed or app.config.copyright)[:4],
    }
    issue = urlencode({"title": words["issue"].format(**facts), "body": url})
    context["page_footer"] = {
        "words": words,
        "changed": changed,
        "citation": words["book" if context["is_home"] else "page"].format(**facts),
        "address": url,
        "report": f"{app.config.html_theme_options['repository_url']}/issues/new?{issue}",
        "has_door": edition_of(app, pagename) is not None,
    }


def setup(app):
    app.connect("html-page-context", add_footer, priority=910)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
