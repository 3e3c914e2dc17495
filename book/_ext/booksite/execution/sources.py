"""What a chapter depends on: the files of this book that its kernel has opened, or a process of the kernel.

A module is its statements: comments and docstrings change nothing that a chapter shows, unless code may read them. A
package is the names of its files, too: code may go through them, and a new one may be found before an old one.
"""

import ast
import re
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from time import time

# where code says one of these, docstrings, comments and line numbers may be part of what it shows
READS_SOURCES = re.compile(rb"__doc__|getdoc|getsource|\bhelp\(|traceback|lineno")
# a module as Python keeps it, next to its source
COMPILED = re.compile(r"__pycache__[\\/]([^\\/.]+)\.[^\\/]+\.pyc$")


def digest(*facts):
    return sha256(repr(facts).encode()).hexdigest()[:16]


class Statements(ast.NodeTransformer):
    """Leaves out docstrings."""

    def visit_Expr(self, node):
        return None if isinstance(node.value, ast.Constant) else node


class Sources:
    """Reads what is below a folder, each file once, so that a build knows it as it found it."""

    def __init__(self, root, *aside):
        self.root, self.aside, self.began = Path(root), aside, time()
        self.read = cache(self.read)

    def names(self, opened):
        """Those of the opened files that belong to the book."""
        paths = {Path(COMPILED.sub(r"\1.py", path)) for path in opened}
        own = {path for path in paths if path.is_relative_to(self.root) and path.is_file()}
        aside = {path for path in own if any(map(path.is_relative_to, self.aside))}
        return sorted(path.relative_to(self.root).as_posix() for path in own - aside)

    def read(self, name):
        """A file, and its statements; nothing where it is missing."""
        path = self.root / name
        content = statements = path.read_bytes() if path.is_file() else b""
        # Python may not be able to read one that a chapter only shows
        with suppress(SyntaxError):
            if path.suffix == ".py":
                statements = ast.dump(Statements().visit(ast.parse(content))).encode()
        return content, statements

    def content(self, cells, names):
        """What decides what cells show that open these files."""
        files = {name: self.read(name) for name in names}
        sources = [*(cell.encode() for cell in cells), *(source for source, _ in files.values())]
        whole = any(map(READS_SOURCES.search, sources))
        packages = [(self.root / name).parent.glob("*") for name in names if name.endswith("__init__.py")]
        listed = [sorted({path.name for path in paths} - {"__pycache__"}) for paths in packages]
        parts = [source if whole else statements for source, statements in files.values()]
        # what was made while a file changed belongs to no build
        changed = [self.has_changed(name) for name in names]
        return digest(names, parts, listed, changed)

    def has_changed(self, name):
        """Whether a file was written to after the build began."""
        path = self.root / name
        return path.is_file() and max(path.stat().st_mtime, path.stat().st_ctime) >= self.began
