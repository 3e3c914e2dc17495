"""What code can reach: the modules that it imports, those that these import, and the data beside them.

Import statements count wherever they stand, and so do dotted names in texts (`python -m npo_tutorial.language`). A
module is its statements: comments and docstrings change nothing that a chapter shows, unless code may read them.
"""

import ast
import hashlib
import re
from functools import cache
from pathlib import Path

from IPython.core.inputtransformer2 import TransformerManager

# where code says one of these, docstrings, comments and line numbers may be part of what it shows
READS_SOURCES = re.compile(r"__doc__|getdoc|getsource|\bhelp\(|traceback|lineno")


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


def mentioned(tree, package=()):
    """Dotted names of all that is imported, or named in a text; `package` is where relative imports start."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = [*above, *filter(None, [node.module])]
            yield from (".".join([*base, alias.name]) for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from re.findall(r"\w+(?:\.\w+)+", node.value)


class Reach:
    """Reads the modules and data below a folder, each once."""

    def __init__(self, root):
        self.root = Path(root)
        self.module = cache(self.module)
        self.data = cache(self.data)

    def module(self, path):
        """Its text, its statements, and the modules that it mentions."""
        text = path.read_text("utf-8")
        tree = parse(text)
        return text, ast.dump(tree) if tree.body else text, self.named(tree, path.relative_to(self.root).parts[:-1])

    def named(self, tree, package=()):
        """The modules that a tree mentions, with the packages around them."""
        names = set(mentioned(tree, package))
        places = {self.root.joinpath(*name.split(".")[:n]) for name in names for n in range(1, name.count(".") + 2)}
        files = {file for place in places for file in (place.with_name(f"{place.name}.py"), place / "__init__.py")}
        return {file for file in files if file.is_file()}

    def data(self, init):
        """The files of a package that are not Python's; a package within it has its own."""
        files = {path for path in init.parent.rglob("*") if path.suffix != ".py" and path.is_file()}
        own = {path for path in files if next(p for p in path.parents if (p / "__init__.py").is_file()) == init.parent}
        return {path for path in own if not re.search(r"/(__pycache__/|\.)", path.relative_to(self.root).as_posix())}

    def modules(self, cells):
        plain = map(TransformerManager().transform_cell, cells)
        found = list(set().union(*(self.named(parse(cell)) for cell in plain)))
        for path in found:
            found += self.module(path)[2] - set(found)
        return set(found)

    def files(self, cells):
        modules = self.modules(cells)
        return modules.union(*(self.data(path) for path in modules if path.name == "__init__.py"))

    def digest(self, cells):
        """A hash of all that the cells can reach, which they themselves are not."""
        files = self.files(cells)
        texts = {path: self.module(path)[:2] for path in files if path.suffix == ".py"}
        whole = any(READS_SOURCES.search(text) for text in [*cells, *(text for text, _ in texts.values())])
        total = hashlib.sha256()
        for path in sorted(files):
            content = texts[path][0 if whole else 1].encode() if path in texts else path.read_bytes()
            total.update(path.relative_to(self.root).as_posix().encode() + b"\0" + content + b"\0")
        return total.hexdigest()
