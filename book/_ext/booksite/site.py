"""The built site as a folder of pages: each is read once, changed in memory, and written once."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from shutil import copyfile
from warnings import warn

from booksite.settings import Edition, Settings


@dataclass(frozen=True)
class Document:
    """A page that has a source: `name` without a suffix, `file` in the site, and how it is called."""

    name: str
    file: str
    title: str
    # None for a page that all editions share
    edition: Edition | None = None
    # the same page in every language: (hreflang, address on the web)
    alternates: tuple = ()


@dataclass(frozen=True)
class Demo:
    """A demo that a chapter shows: the function that made it, and the widget's state in the output of its cell."""

    name: str
    document: Document
    # ipywidgets' model id, and its state with those that it refers to
    model: str
    models: dict


@dataclass
class Site:
    """What the steps work on.

    `pages` maps the place of each page in the site to its HTML. A step that writes another file writes it below
    `root`. What a step knows beyond the folder is here, so that no step needs Sphinx.
    """

    root: Path
    # the folder of the sources, and one that the next build finds again
    source: Path
    memory: Path
    settings: Settings
    # the published address of the site, and of its repository
    base: str = "http://127.0.0.1/"
    repository: str = ""
    favicon: Path | None = None
    documents: tuple[Document, ...] = ()
    # the first page of the whole site
    root_document: str = "index"
    # label of a section → (address in the site, title with the chapter before it)
    sections: dict = field(default_factory=dict)
    demos: tuple[Demo, ...] = ()
    # a warning fails a strict build
    warn: Callable[[str], None] = warn
    pages: dict[str, str] = field(default_factory=dict)
    as_read: dict[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self):
        for path in sorted(self.root.rglob("*.html")):
            place = path.relative_to(self.root)
            # the theme leaves its templates among its scripts
            if "_static" not in place.parts:
                self.pages[place.as_posix()] = path.read_text("utf-8")
        self.as_read = dict(self.pages)

    def file_of(self, name):
        """The page of a document."""
        return next(document.file for document in self.documents if document.name == name)

    def read(self, name):
        """The text of a file that is not a page."""
        return (self.root / name).read_text("utf-8")

    def write(self, name, text):
        """Write a file that is not a page; its lines end alike on every system."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8", newline="\n")

    def copy(self, source, name):
        """Copy a file, which can be written again even if its source cannot."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        copyfile(source, path)

    def save(self):
        """Write the pages that a step has changed or made."""
        for name, text in self.pages.items():
            if text != self.as_read.get(name):
                self.write(name, text)
        self.as_read = dict(self.pages)
