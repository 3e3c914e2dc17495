"""What code can reach: the modules that it imports, those that these import, and the data next to them.

Import statements count wherever they stand, and so do dotted names in texts (`python -m npo_tutorial.language`). A
module is its statements: comments and docstrings change nothing that a chapter shows, unless code may read them.
"""

import ast
import re
from functools import cache
from pathlib import Path
from time import time

from IPython.core.inputtransformer2 import TransformerManager

# where code says one of these, docstrings, comments and line numbers may be part of what it shows
READS_SOURCES = re.compile(rb"__doc__|getdoc|getsource|\bhelp\(|traceback|lineno")


class Statements(ast.NodeTransformer):
    """Leaves out docstrings."""

    def visit_Expr(self, node):
        return None if isinstance(node.value, ast.Constant) else node


def parse(source):
    """The statements of a module, or of a cell without its magic; none where Python could not run it."""
    try:
        return Statements().visit(ast.parse(source))
    except SyntaxError:
        return ast.Module([], [])


def mentioned(tree, package):
    """Dotted names of all that is imported, or named in a text; `package` is where relative imports start."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module, names, level):
                above = package[: len(package) - level + 1] if level else ()
                yield from (".".join(filter(None, [*above, module, alias.name])) for alias in names)
            case ast.Constant(str(text)):
                yield from (f"{name}.__main__" for name in re.findall(r"\w+(?:\.\w+)+", text))


def data(package):
    """The files of a package that are not Python's; a package within it has its own."""
    files = {path for path in package.rglob("[!.]*") if path.is_file() and path.suffix != ".py"}
    files = {path for path in files if "__pycache__" not in path.parts}
    return {path for path in files if next(p for p in path.parents if (p / "__init__.py").is_file()) == package}


class Reach:
    """Reads what is below a folder, each file once, so that a build knows it as it found it."""

    def __init__(self, root):
        self.root, self.began = Path(root), time()
        self.read = cache(self.read)

    def read(self, path):
        """A file, its statements, and all that it leads to; a package leads to its data."""
        content = path.read_bytes()
        if path.suffix != ".py":
            return content, content, set()
        tree = parse(content)
        found = self.modules(tree, path.relative_to(self.root).parts[:-1])
        if path.name == "__init__.py":
            found |= data(path.parent)
        return content, ast.dump(tree).encode() if tree.body else content, found

    def modules(self, tree, package=()):
        """The modules that a tree mentions, with the packages around them."""
        names = {tuple(name.split(".")) for name in mentioned(tree, package)}
        places = {self.root.joinpath(*name[:n]) for name in names for n in range(1, len(name) + 1)}
        files = {file for place in places for file in (place.with_suffix(".py"), place / "__init__.py")}
        return set(filter(Path.is_file, files))

    def files(self, cells):
        """All that cells can reach."""
        found = list(set().union(*(self.modules(parse(TransformerManager().transform_cell(cell))) for cell in cells)))
        for path in found:
            found += self.read(path)[2] - set(found)
        return set(found)

    def content(self, cells):
        """Names and contents of all that cells can reach: what decides what they show."""
        files = {path.relative_to(self.root).as_posix(): self.read(path) for path in sorted(self.files(cells))}
        contents = [*(cell.encode() for cell in cells), *(content for content, _, _ in files.values())]
        whole = any(map(READS_SOURCES.search, contents))
        return [(name, file[0] if whole else file[1]) for name, file in files.items()]

    def has_changed(self, path):
        """Whether a file was written to after the build began."""
        return max(path.stat().st_mtime, path.stat().st_ctime) >= self.began
