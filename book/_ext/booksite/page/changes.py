"""When the source of a page changed, by git."""

import os
import subprocess
from functools import cache

from sphinx.util import logging

log = logging.getLogger(__name__)


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
