"""What a page is given while it is written: functions of one `Page`, called in the order that `booksite` lists."""

from pathlib import Path

from docutils import nodes

from booksite.page.changes import last_changes
from booksite.site import write


class Page:
    """A page of the site. While Sphinx writes it, it has a `context` and, if it has a source, a `doctree`."""

    def __init__(self, app, name, context=None, doctree=None):
        self.app, self.name, self.context, self.doctree = app, name, context, doctree
        self.settings = app.config.booksite
        # the edition that it belongs to, or None, and the one whose language it speaks
        self.edition, self.language = self.settings.edition_of(name), self.settings.language_of(name)
        self.is_home = name in (app.config.root_doc, self.language.home)
        # on the web
        self.address = self.settings.base + app.builder.get_target_uri(name)
        # a place in the site; None for a page without cells
        has_cells = doctree and self.edition and any(doctree.findall(is_cell))
        self.notebook = f"notebooks/{self.edition.key}/{Path(name).name}.ipynb" if has_cells else None

    def alternates(self):
        """The same page in every language, as (hreflang, address); shared pages have none, the front page has all."""
        if self.edition is None and not self.is_home:
            return ()
        names = {edition.tag: self.twin(edition) for edition in self.settings.editions}
        root = self.app.config.root_doc
        names["x-default"] = root if self.is_home else self.twin(self.settings.language_of(root)) or self.name
        return tuple((tag, Page(self.app, name).address) for tag, name in names.items() if name)

    def description(self):
        """What its front matter says about it."""
        metas = self.doctree.findall(nodes.meta) if self.doctree else ()
        return nodes.unescape(next((meta["content"] for meta in metas if meta.get("name") == "description"), ""))

    def changed(self):
        """The date of its last commit, or None."""
        return last_changes(self.app.srcdir).get(self.app.env.doc2path(self.name, base=False))

    def words(self, part):
        return self.language.words(part)

    def path(self, file):
        """The way to a file of the site from this page."""
        return self.context["pathto"](file, 1)

    def link(self, name):
        """The way to another page."""
        return self.context["pathto"](name)

    def homes(self):
        """The way to the first page of each edition."""
        return {edition.key: self.link(edition.home) for edition in self.settings.editions}

    def twin(self, edition):
        """The name of the same page in another edition, or None."""
        if self.name == self.app.config.root_doc:
            return edition.home
        parts = self.name.split("/") if self.edition else ()
        name = "/".join(edition.key if part == self.edition.key else part for part in parts)
        return name if name in self.app.env.found_docs else None

    def publish(self, name, text):
        """Write a file that the page needs next to it."""
        write(Path(self.app.outdir, name), text)


def is_cell(node):
    return isinstance(node, nodes.container) and node.get("nb_element") == "cell_code"
