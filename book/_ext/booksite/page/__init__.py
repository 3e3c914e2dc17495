"""What a page is given while it is written: functions of one `Page`, called in the order that `booksite` lists."""

from dataclasses import dataclass

from docutils import nodes
from sphinx.application import Sphinx

from booksite.words import words


@dataclass
class Page:
    """A page that Sphinx is about to write; `doctree` is None for a page without a source."""

    app: Sphinx
    name: str
    context: dict
    doctree: nodes.document | None

    @property
    def settings(self):
        return self.app.config.booksite

    @property
    def edition(self):
        """The edition that it belongs to, or None."""
        return self.settings.edition_of(self.name)

    @property
    def language(self):
        return self.settings.language_of(self.name)

    @property
    def address(self):
        return address(self.app, self.name)

    @property
    def repository(self):
        return self.app.config.html_theme_options["repository_url"]

    @property
    def notebook(self):
        """The place of its notebook in the site."""
        return f"notebooks/{self.edition.key}/{self.name.rsplit('/', 1)[1]}.ipynb"

    @property
    def has_cells(self):
        return self.doctree is not None and any(
            node.get("nb_element") == "cell_code" for node in self.doctree.findall(nodes.container)
        )

    def words(self, part):
        return words(self.language, part)

    def path(self, file):
        """The way to a file of the site from this page."""
        return self.context["pathto"](file, 1)

    def link(self, name):
        """The way to another page."""
        return self.context["pathto"](name)

    def twin(self, edition):
        """The name of the same page in another edition, or None."""
        return twin(self.app, self.name, edition)


def address(app, name):
    """Where a page is on the web."""
    return app.config.html_baseurl + app.builder.get_target_uri(name)


def twin(app, name, edition):
    settings = app.config.booksite
    if settings.edition_of(name) is None:
        return None
    other = settings.twin(name, edition)
    return other if other in app.env.found_docs else None
