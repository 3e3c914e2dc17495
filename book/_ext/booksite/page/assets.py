"""One style sheet and one script in place of the files that packages and pages bring; the last steps join them."""

from fnmatch import fnmatch
from pathlib import Path

from sphinx.util import logging

from booksite.finish.assets import LISTS, SCRIPT, SCRIPTS, SHEET, SHEETS

log = logging.getLogger(__name__)
LISTED = [*SHEETS, *SCRIPTS, *LISTS["dropped"]]
LOADER = Path(__file__).parents[1].joinpath("templates/load-script.js").read_text("utf-8").rstrip()
# what the theme tells its list of versions
OPTIONS = "DOCUMENTATION_OPTIONS."


def join_assets(page):
    """What a page has by itself stands in it and stays, once; so does what is in no list."""
    for kind, joined, own in ("css_files", SHEET, {}), ("script_files", None, {"body": LOADER % page.path(SCRIPT)}):
        kept = {}
        for file in page.context[kind]:
            name, body = str(file.filename or "").removeprefix("_static/"), file.attributes.get("body") or ""
            if not name and not body.startswith(OPTIONS):
                kept.setdefault(body, file)
            elif name and not any(fnmatch(name, listed) for listed in LISTED):
                kept.setdefault(name, file)
                rule = "which is in no list of assets.yml: add it to `sheets`, `scripts` or `dropped`"
                log.warning("%s asks for %s, %s", page.name, name, rule, type="booksite")
        page.context[kind] = [*kept.values(), type(page.context[kind][0])(joined, **own)]
