"""The head of a page: what it tells search engines and chats about itself, and the files that it asks for."""

from docutils import nodes
from sphinx.util import logging

from booksite.finish.assets import swap
from booksite.page import Page

log = logging.getLogger(__name__)


def alternates(app, name):
    """The same page in every language, as (hreflang, address); shared pages have none, the front page has all."""
    page, root = Page(app, name), app.config.root_doc
    editions = page.settings.editions
    if name == root:
        names = {edition.tag: edition.home for edition in editions} | {"x-default": root}
    elif page.edition is None:
        return []
    else:
        default = root if name == page.edition.home else page.twin(page.settings.language_of(root)) or name
        names = {edition.tag: page.twin(edition) for edition in editions} | {"x-default": default}
    return [(tag, Page(app, other).address) for tag, other in names.items() if other]


def describe(page):
    """`templates/describe.html` puts it into words."""
    metas = {meta.get("name"): meta.get("content") for meta in page.doctree.findall(nodes.meta)} if page.doctree else {}
    page.context["own_description"] = nodes.unescape(metas.get("description", ""))
    page.context |= {"pageurl": page.address, "alternates": alternates(page.app, page.name)}


def join_assets(page):
    """One sheet and one script, which the last steps put together."""
    sheets, scripts, unknown = swap(page.context["css_files"], page.context["script_files"], page.context["pathto"])
    page.context |= {"css_files": sheets, "script_files": scripts}
    for name in unknown:
        rule = "which is in no list of assets.yml: add it to `sheets`, `scripts` or `dropped`"
        log.warning("%s asks for %s, %s", page.name, name, rule, type="booksite")
