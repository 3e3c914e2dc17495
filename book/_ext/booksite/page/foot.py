"""The foot of a page: comments, how to cite it, when it changed, where to report an error."""

import os
import subprocess
from functools import cache
from urllib.parse import urlparse

from sphinx.util import logging

log = logging.getLogger(__name__)


def add_comments(page):
    """Comments by giscus; a page asks its host for them when a reader opens them, and not before."""
    settings = page.settings.comments
    if not settings or page.doctree is None or page.edition is None or page.name == page.edition.home:
        return
    if str(page.app.env.metadata[page.name].get("comments")).lower() == "false":
        return
    # what giscus reads from the tag of its script
    attributes = {f"data-{name}": str(value) for name, value in settings.items() if name != "host"}
    attributes["data-lang"] = page.language.locale.replace("_", "-")
    host = urlparse(settings["host"]).netloc
    words = {name: text.format(host=host) for name, text in page.words("comments").items()}
    page.context["comments"] = settings | {"words": words, "attributes": attributes}


@cache
def last_changes(folder):
    """File and date of its last commit, in one call of git; empty without git or without a history."""
    command = ["git", "-c", "core.quotePath=false", "log", "--format=%x00%cs", "--name-only", "--relative"]
    # English messages, whatever the reader's language
    options = {"cwd": folder, "encoding": "utf-8", "errors": "replace", "env": os.environ | {"LC_ALL": "C"}}
    try:
        made = subprocess.run(command, capture_output=True, **options)
    except OSError:
        return {}
    if "dubious ownership" in made.stderr:
        log.info("booksite: pages do not say when they changed: git does not trust this folder's owner")
    dates = {}
    for commit in made.stdout.split("\0")[1:]:
        date, *files = commit.splitlines()
        dates = dict.fromkeys(files, date) | dates
    return dates


def add_footer(page):
    """`templates/page-footer.html` puts it into words."""
    if page.doctree is not None:
        file = page.app.env.doc2path(page.name, base=False)
        page.context["footer"] = page.words("footer") | {"date": last_changes(page.app.srcdir).get(file)}
