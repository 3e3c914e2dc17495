"""Comments at the foot of a page, kept in the discussions of a repository and shown by giscus.

`comments` in the configuration holds the `host` and what giscus wants to know, in its own words; empty or false, no
page has comments. Nor has a page whose front matter says `comments: false`, the first page of an edition, or one
outside every edition. The host is contacted when a reader opens the comments, and not before.
"""

from urllib.parse import urlparse

from booksite.editions import edition_of
from booksite.language.catalogues import OWN


def attributes(app, edition):
    """What giscus reads from the tag of its script."""
    settings = {name: value for name, value in app.config.comments.items() if name != "host"}
    return {f"data-{name}": str(value) for name, value in settings.items()} | {
        "data-lang": edition.locale.replace("_", "-")
    }


def has_comments(app, pagename):
    edition = edition_of(app, pagename)
    if not app.config.comments or edition is None or pagename == edition.home or pagename not in app.env.found_docs:
        return False
    return str(app.env.metadata[pagename].get("comments")).lower() != "false"


def add_comments(app, pagename, templatename, context, doctree):
    if not has_comments(app, pagename):
        return
    edition, settings = edition_of(app, pagename), app.config.comments
    context["comments"] = {
        "words": {
            name: text.format(host=urlparse(settings["host"]).netloc)
            for name, text in OWN[edition.locale]["comments"].items()
        },
        "host": settings["host"],
        "attributes": attributes(app, edition),
        "discussions": f"https://github.com/{settings['repo']}/discussions",
    }


def setup(app):
    app.add_js_file("comments.js")
    app.add_config_value("comments", {}, "html", (dict, bool))
    # before the theme drops the templates that say nothing
    app.connect("html-page-context", add_comments, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
