"""Comments at the foot of a page, kept in the discussions of a repository and shown by giscus.

`comments` in the settings has the `host` and what giscus asks for, in its own words; if it is empty, no page has
comments. Nor has a page whose front matter says `comments: false`, the first page of an edition, or one outside every
edition. The page contacts the host when a reader opens the comments, and not before.
"""

from urllib.parse import urlparse


def has_comments(page):
    if not page.settings.comments or page.edition is None or page.name == page.edition.home or page.doctree is None:
        return False
    return str(page.app.env.metadata[page.name].get("comments")).lower() != "false"


def add_comments(page):
    if not has_comments(page):
        return
    settings = page.settings.comments
    host = urlparse(settings["host"]).netloc
    # what giscus reads from the tag of its script
    attributes = {f"data-{name}": str(value) for name, value in settings.items() if name != "host"}
    page.context["comments"] = {
        "words": {name: text.format(host=host) for name, text in page.words("comments").items()},
        "host": settings["host"],
        "attributes": attributes | {"data-lang": page.language.locale.replace("_", "-")},
        "discussions": f"https://github.com/{settings['repo']}/discussions",
    }
