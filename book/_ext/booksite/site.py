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
    edition: Edition | None = None  # None for a page that all editions share
    alternates: tuple = ()  # the same page in every language: (hreflang, address on the web)


@dataclass(frozen=True)
class Demo:
    """A demo that a chapter shows: the function that made it, and the widget's state in the output of its cell."""

    name: str
    document: Document
    model: str  # the id that ipywidgets gave it
    models: dict  # its state, and those that it refers to


@dataclass
class Site:
    """What the steps work on.

    `pages` maps the place of each page in the site to its HTML. A step that writes another file writes it below
    `root`. What a step knows beyond the folder is here, so that no step needs Sphinx.
    """

    root: Path
    source: Path  # the folder of the sources
    memory: Path  # a folder that the next build finds again
    settings: Settings
    base: str = "http://127.0.0.1/"  # the published address of the site
    repository: str = ""  # and that of its repository
    favicon: Path | None = None
    documents: tuple[Document, ...] = ()
    root_document: str = "index"  # the first page of the whole site
    sections: dict = field(default_factory=dict)  # label → (address in the site, title with the chapter before it)
    demos: tuple[Demo, ...] = ()
    warn: Callable[[str], None] = warn  # a warning fails a strict build
    pages: dict[str, str] = field(default_factory=dict)

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

    def place(self, name):
        """Where to write a file, in a folder that exists."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def write(self, name, text):
        """Write a file that is not a page; its lines end alike on every system."""
        self.place(name).write_text(text, "utf-8", newline="\n")

    def copy(self, source, name):
        """Copy a file, which can be written again even if its source cannot."""
        copyfile(source, self.place(name))

    def save(self):
        """Write the pages that a step has changed or made."""
        for name, text in self.pages.items():
            if text != self.as_read.get(name):
                self.write(name, text)
