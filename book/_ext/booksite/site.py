"""The built site as a folder of pages: each is read once, changed in memory, and written once."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from warnings import warn

from booksite.settings import Edition, Settings


def write(path, text):
    """Write a file of the site; its lines end alike on every system."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8", newline="\n")


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

    document: Document
    name: str
    model: str  # the id that ipywidgets gave it
    models: dict  # its state, and those that it refers to


@dataclass
class Site:
    """What the steps work on, and all that they know, so that none needs a Sphinx application.

    `pages` maps the place of each page in the site to its HTML. Steps write other files below `root`.
    """

    root: Path
    source: Path  # the folder of the sources
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
        paths = {path.relative_to(self.root): path for path in sorted(self.root.rglob("*.html"))}
        # the theme leaves its templates among its scripts
        self.as_read = {at.as_posix(): paths[at].read_text("utf-8") for at in paths if "_static" not in at.parts}
        files = {document.file for document in self.documents}
        # what else is there was left by an earlier build; pages of demos are made again
        there = tuple(f"{folder}/" for folder in (*map(os.path.dirname, files), self.settings.embeds.get("folder", "")))
        self.pages = {name: html for name, html in self.as_read.items() if name in files or not name.startswith(there)}

    def read(self, name):
        """The text of a file that is not a page."""
        return (self.root / name).read_text("utf-8")

    def write(self, name, text):
        """Write a file that is not a page."""
        write(self.root / name, text)

    def save(self):
        """Write the pages that a step has changed or made."""
        for name, text in self.pages.items() - self.as_read.items():
            self.write(name, text)
