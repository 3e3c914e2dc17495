"""Runs cells in one namespace, as a notebook does, and tells the page what each of them shows. It runs in Pyodide."""

import ast
import builtins
import importlib
import inspect
import io
import json
import linecache
import logging
import sys
import traceback
import types
import warnings
from importlib.machinery import PathFinder

import npo_page  # the page's own functions, as a module

# letters of one cell's text: more would make the page slow
MOST = 200_000
NAMESPACE = {"__name__": "__main__"}


class Lost(BaseException):
    """A part of the site that did not arrive. The page says so; no `except` of a reader's should."""


class Parts:
    """Loads the part of the site that has a module, when the module is first imported."""

    def __init__(self, modules):
        self.modules = modules

    def find_spec(self, name, path=None, target=None):
        if (part := self.modules.get(name)) is None:
            return None
        try:
            npo_page.load(part)
        except Exception:
            # it did not come, or not whole
            raise Lost(part) from None
        del self.modules[name]
        importlib.invalidate_caches()
        return PathFinder.find_spec(name, path, target)


def find_parts(modules):
    sys.meta_path.append(Parts(json.loads(modules)))
    sys.stdout, sys.stderr = Text("text"), Text("warning")
    # Matplotlib speaks of fonts that the site leaves out
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    # tqdm's bars are off (worker.js); it asks for a thread all the same, and there is none
    warnings.filterwarnings("ignore", "tqdm:disabling monitor support")
    ipython()
    builtins.display, builtins.input = display, no_input


class Text(io.TextIOBase):
    """A stream whose text appears below the cell, but not more of it than a page can show quickly."""

    encoding = "utf-8"

    def __init__(self, kind):
        self.kind, self.left = kind, MOST

    def writable(self):
        return True

    def write(self, text):
        shown, self.left = text[: max(0, self.left)], self.left - len(text)
        if shown:
            say(self.kind, text=shown)
        if self.left < 0 <= self.left + len(text):
            say("flood", most=MOST)
        return len(text)


def say(kind, **more):
    npo_page.say(kind, json.dumps(more))


def ipython():
    """What ipywidgets imports of IPython, and does not use in a page."""
    for name in ("IPython", "IPython.display", "IPython.core", "IPython.core.interactiveshell"):
        module = sys.modules[name] = types.ModuleType(name)
        module.__path__ = []
        module.get_ipython = lambda: None
        module.display = display
        module.__getattr__ = stand_in


def stand_in(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return display


def no_input(prompt=""):
    raise RuntimeError("a cell in the page cannot ask for input: write the value into the cell")


def display(*values, **options):
    for value in values:
        kind = type(value).__module__.partition(".")[0]
        if hasattr(value, "savefig") and kind == "matplotlib":
            say("figure", svg=svg_of(value))
        elif hasattr(value, "model_id") and kind == "npo_tutorial":
            from npo_tutorial.explore import html

            parts = html.parts([value], [""])
            say("widget", view=parts.views[0], state=parts.state)
        elif value is not None:
            say("text", text=f"{value!r}\n")


def svg_of(figure):
    import matplotlib

    file = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "npo-tutorial"}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()


# This module is pyplot's backend as well (MPLBACKEND): its figures appear when a cell shows them, or at its end.
def __getattr__(name):
    if name != "FigureCanvas":
        raise AttributeError(name)
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    # pyplot asks for it, and then reads this module's dictionary
    return globals().setdefault(name, FigureCanvasAgg)


def show(**options):
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        display(*map(pyplot.figure, pyplot.get_fignums()))
        pyplot.close("all")


def run(source, cell, namespace=NAMESPACE):
    """Run a cell and show its last expression, as a notebook does; whether it ended well."""
    for stream in (sys.stdout, sys.stderr):
        stream.left = MOST
    linecache.cache[cell] = len(source), None, source.splitlines(keepends=True), cell
    try:
        tree = ast.parse(source, cell)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, cell, "exec"), namespace)
        if last:
            value = eval(compile(ast.Expression(last.value), cell, "eval"), namespace)
            if not source.rstrip().endswith(";"):
                display(value)
        show()
    except Lost:
        raise
    except BaseException as error:
        say("error", text=described(error, cell))
        return False
    return True


def described(error, cell):
    """The traceback from the reader's own line on; of what lies deeper, only lines of cells."""
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename in linecache.cache]
    own = [frame for frame in own if not frame.filename.endswith(".py")]
    lines = ["Traceback (most recent call last):\n", *traceback.format_list(own)] if own else []
    return "".join([*lines, *traceback.format_exception_only(error)])


def check(source, cell, call, alone):
    """Run an answer, and then its check, `check_ga_loss(ga_loss)`; what the check raises says what is wrong.

    An answer that stands alone neither sees the names of other cells nor gives them any.
    """
    from npo_tutorial import homework

    names = {name: getattr(homework, name) for name in homework.__all__ if name.startswith("check_")}
    limits = [inspect.signature(names[name]).parameters["time_limit"].default for name in names if name in call]
    # no check can stop an answer here: the page ends this worker
    say("checking", seconds=max(limits))
    namespace = {"__name__": "__main__"} if alone else NAMESPACE
    if not run(source, cell, namespace):
        return False
    try:
        exec(compile(call, "<check>", "exec"), names | namespace)
    except Lost:
        raise
    except homework.Wrong as wrong:
        say("mistake", text=str(wrong))
        return False
    except BaseException as error:
        say("error", text=described(error, cell))
        return False
    return True
