"""What a page is given while it is written: functions of one `Page`, called in the order that `booksite` lists."""

from pathlib import Path

from docutils import nodes


class Page:
    """A page of the site. While Sphinx writes it, it has a `context` and, if it has a source, a `doctree`."""

    def __init__(self, app, name, context=None, doctree=None):
        self.app, self.name, self.context, self.doctree = app, name, context, doctree
        self.settings = app.config.booksite
        # the edition that it belongs to, or None, and the one whose language it speaks
        self.edition, self.language = self.settings.edition_of(name), self.settings.language_of(name)
        # on the web
        self.address = app.config.html_baseurl + app.builder.get_target_uri(name)
        # a place in the site; None for a page without cells
        has_cells = doctree and self.edition and any(doctree.findall(is_cell))
        self.notebook = f"notebooks/{self.edition.key}/{Path(name).name}.ipynb" if has_cells else None

    def words(self, part):
        return self.language.words(part)

    def path(self, file):
        """The way to a file of the site from this page."""
        return self.context["pathto"](file, 1)

    def link(self, name):
        """The way to another page."""
        return self.context["pathto"](name)

    def twin(self, edition):
        """The name of the same page in another edition, or None."""
        name = self.edition and self.settings.twin(self.name, edition)
        return name if name in self.app.env.found_docs else None

    def publish(self, name, text):
        """Write a file that the page needs next to it."""
        target = Path(self.app.outdir, name)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8", newline="\n")


def is_cell(node):
    return isinstance(node, nodes.container) and node.get("nb_element") == "cell_code"
