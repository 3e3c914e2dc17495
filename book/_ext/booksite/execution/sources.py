"""What a chapter depends on: the files of this book that its kernel has opened, or a process of the kernel.

A module that was imported is its statements: comments and docstrings change nothing that a chapter shows, unless code
may read them. One that was read, as tracebacks and `inspect` read it, is its text. A package is the names of its files,
too: code may go through them, and a new one may be found before an old one.
"""

import ast
import re
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from time import time

# a cell or a module with one of these in its statements may show docstrings or line numbers of any module, and read no
# text; not so with a bare `__doc__`, which is the module's own, and a bare `lineno`, which a JSON error has
SHOWS_ALL = re.compile(
    rb"(?<!id=')__doc__|getdoc|getsource|pydoc|doctest|\bhelp\(|id='help'|\wlineno|%\(lineno|co_(lines|positions|\w*tab)"
    rb"|\bdis\b|walk_(tb|stack)|getframeinfo|lookup_lines|LogRecord|record(=|', value=\w+\(value=)True(?s:.*)lineno"
)
OWN = b"id='__doc__'"
# a module as Python keeps it, next to its source
COMPILED = re.compile(r"__pycache__[\\/]([^\\/.]+)\.[^\\/]+\.pyc$")


def digest(*facts):
    return sha256(repr(facts).encode()).hexdigest()[:16]


class Statements(ast.NodeTransformer):
    """Leaves out docstrings, and what makes one of others; a call could do more."""

    def visit_Expr(self, node):
        return None if isinstance(node.value, ast.Constant) else node

    def visit_Assign(self, node):
        made = [getattr(target, "attr", "") for target in node.targets] == ["__doc__"]
        return None if made and not any(isinstance(part, ast.Call) for part in ast.walk(node)) else node


class Sources:
    """Reads what is below a folder, each file once, so that a build knows it as it found it."""

    def __init__(self, root, *aside):
        self.root, self.aside, self.began = Path(root), aside, time()
        self.read = cache(self.read)

    def names(self, notes):
        """Those of the noted files that belong to the book, and whether more has been done than to import them."""
        opened = {}
        for how, _, path in sorted(note.partition(" ") for note in notes):
            path = Path(COMPILED.sub(r"\1.py", path))
            if path.is_relative_to(self.root) and path.is_file() and not any(map(path.is_relative_to, self.aside)):
                opened[path.relative_to(self.root).as_posix()] = how == "read"
        return dict(sorted(opened.items()))

    def read(self, name):
        """A file, and its statements; nothing where it is missing."""
        path = self.root / name
        content = statements = path.read_bytes() if path.is_file() else b""
        # Python may not be able to read one that a chapter only shows
        with suppress(SyntaxError, ValueError):
            statements = ast.dump(Statements().visit(ast.parse(content))).encode() if path.suffix == ".py" else content
        return content, statements

    def content(self, cells, opened):
        """What decides what cells show that open these files."""
        files = {name: self.read(name) for name in opened}
        whole = any(map(SHOWS_ALL.search, [*map(str.encode, cells), *(code for _, code in files.values())]))
        parts = [text if whole or opened[name] or OWN in code else code for name, (text, code) in files.items()]
        packages = [(self.root / name).parent.glob("*") for name in opened if name.endswith("__init__.py")]
        listed = [sorted({path.name for path in paths} - {"__pycache__"}) for paths in packages]
        # what was made while a file changed belongs to no build
        dates = [path.stat() for name in opened if (path := self.root / name).is_file()]
        return digest([*opened.items()], parts, listed, [max(at.st_mtime, at.st_ctime) >= self.began for at in dates])
