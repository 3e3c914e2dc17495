"""The foot of each page: how to cite it, when it changed, where to report an error."""

import os
import subprocess
from functools import cache
from urllib.parse import urlencode

from sphinx.util import logging

log = logging.getLogger(__name__)


@cache
def last_changes(folder):
    """File and date of its last commit, in one call of git; empty without git or without a history."""
    command = ["git", "-c", "core.quotePath=false", "log", "--format=date %cs", "--name-only", "--relative"]
    # English messages, whatever the reader's language
    options = {"cwd": folder, "encoding": "utf-8", "errors": "replace", "env": os.environ | {"LC_ALL": "C"}}
    try:
        made = subprocess.run(command, capture_output=True, **options)
    except OSError:
        return {}
    if made.returncode:
        if "dubious ownership" in made.stderr:
            log.info("booksite: pages do not say when they changed: git does not trust this folder's owner")
        return {}
    dates, date = {}, None
    for line in made.stdout.splitlines():
        if line.startswith("date "):
            date = line.removeprefix("date ")
        elif line:
            dates.setdefault(line, date)
    return dates


def add_footer(page):
    if page.doctree is None:
        return
    app, context = page.app, page.context
    words, changed = page.words("footer"), last_changes(app.srcdir).get(app.env.doc2path(page.name, base=False))
    facts = {
        "author": app.config.author,
        "title": context["pagetitle"],
        "book": page.language.title,
        "year": (changed or app.config.copyright)[:4],
    }
    issue = urlencode({"title": words["issue"].format(**facts), "body": page.address})
    context["page_footer"] = {
        "words": words,
        "changed": changed,
        "citation": words["book" if context["is_home"] else "page"].format(**facts),
        "address": page.address,
        "report": f"{page.repository}/issues/new?{issue}",
        "has_door": page.edition is not None,
    }
