"""A chapter runs again after a change of code that it reaches, and only then; no fault leaves the cache broken."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import booksite
import pytest
from booksite import execution, upstream
from booksite.execution.sources import Sources

from tests.conftest import ROOT

CONF = """
import signal
import sys

# a shell that runs the tests in the background lets its processes ignore Ctrl-C
signal.signal(signal.SIGINT, signal.default_int_handler)

sys.path[:0] = [{extensions!r}, "."]
extensions = ["myst_nb", "sphinx.ext.autodoc", "life"]
exclude_patterns = ["out"]
nb_execution_mode = "cache"
nb_execution_cache_path = "elsewhere"
html_static_path = ["shared"]
"""
# what `booksite` does of it; Sphinx makes its folders when extensions are loaded
LIFE = """
from types import SimpleNamespace

from booksite import execution, upstream

own = {"depends_on": ["pins.txt"], "environment": {"OMP_NUM_THREADS": "1"}}


def setup(app):
    execution.lock(app)
    upstream.prepare(app)
    app.add_config_value("booksite", SimpleNamespace(execution=own), "")
    app.add_config_value("execution_surroundings", "", "env", str)
    app.add_config_value("site_machinery", "", "html", str)
    app.connect("config-inited", execution.configure)
    app.connect("env-get-outdated", execution.outdated)
    app.connect("env-before-read-docs", execution.before_reading)
    app.connect("env-updated", execution.after_reading)
    app.connect("build-finished", lambda app, exception: exception or app.unfinished.unlink())
    app.connect("build-finished", lambda app, exception: app.build_lock.release())
"""
CHAPTER = "---\nfile_format: mystnb\nkernelspec: {{name: python3}}\n---\n# Title\n\n```{{code-cell}}\n{}\n```\n"
# both chapters import shapes; one of them reaches the numbers too, through an import in a function
FILES = {
    "life.py": LIFE,
    "pins.txt": "numpy==2\n",
    "shared/look.css": "p { color: green }",
    "index.md": "# Index\n\n```{toctree}\none\ntwo\napi\n```\n",
    "one.md": CHAPTER.format("from tiny import shapes\nprint(shapes.area(2))"),
    "two.md": CHAPTER.format("from tiny import counts, shapes\nprint(shapes.area(3), counts.many())"),
    "api.md": "# API\n\n```{eval-rst}\n.. automodule:: tiny.shapes\n   :members:\n```\n",
    "tiny/__init__.py": "",
    "tiny/shapes.py": '"""Shapes."""\n\n\ndef area(x):\n    """Of a square."""\n    return x * x\n',
    "tiny/counts.py": "def many():\n    from tiny.inner import numbers\n\n    return numbers.MANY\n",
    "tiny/inner/__init__.py": "",
    "tiny/inner/numbers.py": "from importlib.resources import files\n\n"
    'MANY = int((files(__package__) / "many.txt").read_text("utf-8"))\n',
    "tiny/inner/many.txt": "7",
}


class Book:
    """A book of two chapters and a page of docstrings, around a package of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.write("conf.py", CONF.format(extensions=str(ROOT / "book/_ext")))
        for name, text in FILES.items():
            self.write(name, text)

    def write(self, name, text):
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(text, "utf-8")

    def change(self, name, old, new):
        text = (self.folder / name).read_text("utf-8")
        assert old in text
        self.write(name, text.replace(old, new))

    def start(self):
        command = [sys.executable, "-m", "sphinx", "--no-color", "-W", "--keep-going", ".", "out/html"]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "encoding": "utf-8"}
        return subprocess.Popen(command, cwd=self.folder, **pipes)

    def build(self, succeeds=True):
        build = self.start()
        self.said = build.communicate()[0]
        assert (build.returncode == 0) == succeeds, self.said
        self.executed = set(re.findall(r"^executed (\w+)", self.said, re.M))
        self.read = set(re.findall(r"reading sources\.\.\. \[.*?\] (\w+)", self.said))
        return self

    def stored(self):
        return sorted((self.folder / "out/execution").glob("*.json.gz"))

    def page(self, name):
        return (self.folder / f"out/html/{name}.html").read_text("utf-8")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return Book(tmp_path_factory.mktemp("book")).build()


@pytest.fixture
def book(tmp_path):
    return Book(tmp_path)


@pytest.mark.nightly
def test_a_chapter_runs_again_only_when_code_that_it_reaches_has_changed(built):
    assert built.executed == {"one", "two"} and built.read == {"index", "one", "two", "api"}
    assert (built.build().executed, built.read) == (set(), set())
    # a comment elsewhere
    built.change("tiny/shapes.py", "    return x * x", "    # a comment\n    return x * x")
    assert (built.build().executed, built.read) == (set(), {"api"})
    built.change("tiny/shapes.py", "Of a square.", "Of any square.")
    assert (built.build().executed, built.read) == (set(), {"api"})
    assert "Of any square" in built.page("api")
    # data that only one chapter reaches
    built.change("tiny/inner/many.txt", "7", "8")
    assert (built.build().executed, built.read) == ({"two"}, {"two"})
    assert "9 8" in built.page("two")
    built.change("tiny/shapes.py", "x * x", "x * x + 1")
    assert (built.build().executed, built.read) == ({"one", "two"}, {"one", "two", "api"})
    assert "10 8" in built.page("two")
    # what was executed once is not executed again, and its page is the right one
    built.change("tiny/shapes.py", "x * x + 1", "x * x")
    assert (built.build().executed, built.read) == (set(), {"one", "two", "api"})
    assert "9 8" in built.page("two")
    built.change("pins.txt", "==2", "==3")
    assert (built.build().executed, built.read) == ({"one", "two"}, {"index", "one", "two", "api"})
    built.change("one.md", "# Title", "# Other title")
    assert (built.build().executed, built.read) == (set(), {"one"})


@pytest.mark.nightly
def test_a_change_of_old_date_is_seen(built):
    built.build()
    for name, old, new in (("tiny/inner/numbers.py", "MANY =", "MANY = 1 +"), ("tiny/shapes.py", "Of", "The area of")):
        built.change(name, old, new)
        os.utime(built.folder / name, (10**9, 10**9))
    assert (built.build().executed, built.read) == ({"two"}, {"two", "api"})
    assert "The area of" in built.page("api")


def test_a_changed_style_reaches_the_site_though_no_page_has_changed(book):
    book.build().change("shared/look.css", "green", "blue")
    assert (book.build().executed, book.read) == (set(), set())
    assert "blue" in (book.folder / "out/html/_static/look.css").read_text("utf-8")


@pytest.mark.nightly
def test_chapters_with_the_same_cells_share_one_execution(book):
    book.write("two.md", FILES["one.md"].replace("# Title", "# 标题"))
    assert len(book.build().executed) == 1 == len(book.stored())
    assert all(">4\n" in book.page(name) for name in ("one", "two"))


@pytest.mark.nightly
def test_a_damaged_cache_is_made_anew(built):
    built.build()
    whole = {path: path.read_bytes() for path in built.stored()}
    for damaged in (lambda content: content[: len(content) // 2], lambda content: content[:-9] + b"123456789"):
        for path, content in whole.items():
            path.write_bytes(damaged(content))
        of_this_build = built.folder / "out/execution/of-this-build"
        of_this_build.mkdir(exist_ok=True)
        (of_this_build / "global.db").write_bytes(b"SQLite format 3")
        built.change("one.md", "# ", "# A ")
        assert built.build().executed == {"one"}
        assert "is damaged: the chapter is executed again" in built.said
    for path in built.stored():
        path.unlink()
    built.change("one.md", "# ", "# A ")
    assert built.build().executed == {"one"}


def test_a_failing_cell_is_named_with_its_line_and_traceback_and_fails_every_build(book):
    book.write("one.md", CHAPTER.format("print(1)\n```\n\n```{code-cell}\nfrom tiny import shapes\nshapes.area('a')"))
    for _ in range(2):
        said = book.build(succeeds=False).said
        # the others are kept
        assert "one.md:12: ERROR" in said and "TypeError: can't multiply sequence" in said and "return x * x" in said
        assert len(book.stored()) == 1
    book.change("one.md", "'a'", "2")
    assert book.build().executed == {"one"}


@pytest.mark.nightly
def test_a_kernel_that_dies_fails_the_build(book):
    book.write("one.md", CHAPTER.format("import os, signal\nos.kill(os.getpid(), signal.SIGTERM)"))
    assert re.search(r"one.md.*ERROR.*died", book.build(succeeds=False).said)


@pytest.mark.nightly
@pytest.mark.parametrize(
    "cell",
    [
        "import importlib\nprint(importlib.import_module('tin' + 'y.inner.numbers').MANY)",
        "print(open('tiny/inner/many.txt').read())",
        "import sys\n!{sys.executable} -c 'from tiny.inner import numbers; print(numbers.MANY)'",
        "from subprocess import run\nimport sys\nrun([sys.executable, '-m', 'tiny.inner.numbers'], check=True)",
    ],
    ids=["import", "open", "command", "process"],
)
def test_a_file_is_seen_whoever_opens_it(book, cell):
    book.write("one.md", CHAPTER.format(cell))
    book.build()
    book.change("tiny/inner/many.txt", "7", "8")
    assert "one" in book.build().executed


@pytest.mark.nightly
def test_a_new_file_in_a_package_is_seen(book):
    cell = "from importlib.resources import files\nimport tiny\nprint(len(list(files(tiny).iterdir())))"
    book.write("one.md", CHAPTER.format(cell))
    book.build()
    book.write("tiny/more.csv", "1")
    assert book.build().executed == {"one", "two"}
    assert book.build().executed == set()


@pytest.mark.nightly
def test_code_that_changes_while_it_runs_is_run_again(book):
    edit = "from tiny import shapes\nwith open(shapes.__file__, 'a') as file: print('x = 1', file=file)"
    book.write("one.md", CHAPTER.format(edit))
    assert "one" in book.build().executed and "one" in book.build().executed


@pytest.mark.nightly
def test_two_builds_at_once_end_well(book):
    book.change("one.md", "print", "import time\ntime.sleep(3)\nprint")
    builds = [book.start(), book.start()]
    said = [build.communicate()[0] for build in builds]
    assert [build.returncode for build in builds] == [0, 0], said
    assert sorted(text.count("executed one") for text in said) == [0, 1]
    assert sorted("another build of this book is running" in text for text in said) == [False, True]


@pytest.mark.nightly
@pytest.mark.skipif(sys.platform == "win32", reason="a process of Windows cannot send Ctrl-C to another one")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_build_leaves_no_kernel_and_no_half_of_a_result(book, sent):
    sleeper = "import os, time\nfrom pathlib import Path\nPath('{}.pid').write_text(str(os.getpid()))\ntime.sleep(600)"
    for name in ("one", "two"):
        book.write(f"{name}.md", CHAPTER.format(sleeper.format(name)))
    build = book.start()
    files = [book.folder / f"{name}.pid" for name in ("one", "two")]
    wait_for(lambda: all(file.exists() and file.read_text("utf-8") for file in files))
    pids = [int(file.read_text("utf-8")) for file in files]
    build.send_signal(sent)
    build.communicate(timeout=30)
    wait_for(lambda: not any(map(alive, pids)))
    assert build.returncode != 0 and book.stored() == [] and not list(book.folder.glob("out/execution/*.part"))


def test_a_folder_that_cannot_be_made_gets_one_sentence(book):
    book.write("out", "a file")
    said = book.build(succeeds=False).said.splitlines()[-1]
    assert said.startswith(f"{book.folder / 'out'} must be a folder that this build can make or write to, got: "), said
    assert "Traceback" not in book.said and "Exception" not in book.said


def test_the_folder_is_free_again_when_a_last_step_fails(tmp_path, monkeypatch):
    def fail(site):
        raise RuntimeError("a step failed")

    monkeypatch.setattr(booksite, "site_of", lambda app: None)
    monkeypatch.setattr(booksite, "run", fail)
    app = an_app(tmp_path)
    execution.lock(app)
    assert app.build_lock.is_locked
    with pytest.raises(RuntimeError, match="a step failed"):
        booksite.finish_site(app, None)
    assert not app.build_lock.is_locked


def an_app(folder):
    html = SimpleNamespace(format="html")
    app = SimpleNamespace(outdir=folder / "html", doctreedir=folder, srcdir=folder, builder=html, _warncount=0)
    app.connect = app.add_config_value = lambda *facts: None
    return app


@pytest.mark.parametrize(
    ("ends", "warnings", "starts_anew"),
    [("well", 0, False), ("well", 1, True), ("in a step", 0, True), ("in Sphinx", 0, True), ("by SIGKILL", 0, True)],
)
def test_a_build_that_warned_or_was_broken_off_is_done_again(tmp_path, monkeypatch, ends, warnings, starts_anew):
    app, memory = an_app(tmp_path), tmp_path / "environment.pickle"
    for _ in range(2):
        memory.touch()
        execution.lock(app)
        upstream.prepare(app)
        assert memory.exists()
        execution.after_reading(app, SimpleNamespace(found_docs=[]))
        monkeypatch.setattr(booksite, "site_of", lambda app: None)
        monkeypatch.setattr(booksite, "run", lambda site: None)
        app._warncount = warnings
        if ends == "in a step":
            monkeypatch.setattr(booksite, "run", lambda site: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                booksite.finish_site(app, None)
        elif ends != "by SIGKILL":
            booksite.finish_site(app, RuntimeError() if ends == "in Sphinx" else None)
        upstream.prepare(app)
        assert memory.exists() != starts_anew
        # the next one ends well
        ends, warnings, starts_anew = "well", 0, False
        app.unfinished.unlink(missing_ok=True)


@pytest.mark.nightly
def test_half_a_page_does_not_stay(book):
    stop = 'lambda app, name, *_: name == "two" and os.path.exists("stop") and os.abort()'
    book.write("life.py", f"import os\n{LIFE}    app.connect('html-page-context', stop)\n\n\nstop = {stop}\n")
    book.build()
    for name in ("one", "two"):
        book.change(f"{name}.md", "# Title", "# Other")
    book.write("stop", "")
    assert "Other" in book.build(succeeds=False).page("one")
    book.write("out/html/one.html", book.page("one")[:100])
    (book.folder / "stop").unlink()
    assert "</html>" in book.build().page("one")


def test_what_is_installed_counts_and_not_only_what_is_pinned(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    own = {"depends_on": ["pins.txt"], "environment": {}}
    (tmp_path / "pins.txt").write_text("# the package\ntiny[all]==1; python_version > '3'\nabsent==1\n", "utf-8")
    found = set()
    for version in ("1", "2", "2"):
        (tmp_path / "tiny-1.dist-info").mkdir(exist_ok=True)
        (tmp_path / "tiny-1.dist-info/METADATA").write_text(f"Name: tiny\nVersion: {version}\n", "utf-8")
        config = SimpleNamespace(booksite=SimpleNamespace(execution=own), html_static_path=[], templates_path=[])
        execution.configure(an_app(tmp_path), config)
        found.add(config.execution_surroundings)
    assert len(found) == 2


@pytest.fixture
def package(tmp_path):
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return tmp_path


def test_opened_files_belong_to_the_book_by_their_sources(package):
    compiled = package / "tiny/__pycache__/shapes.cpython-311.opt-1.pyc"
    compiled.parent.mkdir()
    # one that Python writes before it has its name, one aside, one that is gone, and one of another folder
    others = [f"{compiled}.1234", package / "tiny/inner/many.txt", package / "gone", ROOT / "README.md"]
    notes = [f"import {compiled}", f"read {package / 'pins.txt'}", *(f"read {other}" for other in others)]
    sources = Sources(package, package / "tiny/inner")
    assert sources.names(notes) == {"pins.txt": True, "tiny/shapes.py": False}
    assert sources.names([f"read {package / 'tiny/shapes.py'}", *notes]) == {"pins.txt": True, "tiny/shapes.py": True}


@pytest.mark.parametrize(
    ("code", "is_read"),
    [
        ("print(shapes.area.__doc__)", False),
        ("import inspect; inspect.getsource(shapes.area)", True),
        ("import traceback\ntry: shapes.area('a')\nexcept TypeError: traceback.format_exc()", True),
        ("shapes.area('a')", True),
        ("import pkgutil; pkgutil.get_data('tiny', 'shapes.py')", True),
        ("open(shapes.__file__).read()", True),
    ],
)
def test_a_module_that_is_read_differs_from_one_that_is_imported(package, code, is_read):
    watch, notes = Path(execution.__file__).with_name("watch"), package / "notes"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(watch), str(package)]), "OPENED_FILES": str(notes)}
    # at the second time Python has compiled it
    for _ in range(2):
        command = [sys.executable, "-c", f"from tiny import shapes\n{code}"]
        subprocess.run(command, env=environment, cwd=package, capture_output=True)
        opened = Sources(package).names(notes.read_text("utf-8").splitlines())
        assert {name: opened[name] for name in SHAPES} == SHAPES | {"tiny/shapes.py": is_read}
        notes.unlink()


SHAPES = {"tiny/__init__.py": False, "tiny/shapes.py": False}


def test_a_module_that_python_cannot_read_counts_as_its_text(package):
    digests = set()
    for text in ("def (", "def ((", FILES["tiny/shapes.py"]):
        (package / "tiny/shapes.py").write_text(text, "utf-8")
        digests.add(Sources(package).content([], SHAPES))
    assert len(digests) == 3


def test_comments_and_docstrings_count_only_where_code_may_read_them(package):
    shapes, cells = package / "tiny/shapes.py", ["from tiny import shapes"]
    text, before = shapes.read_text("utf-8"), Sources(package).content(cells, SHAPES)

    def same_with(new, cells=cells, before=before):
        shapes.write_text(new, "utf-8")
        return Sources(package).content(cells, SHAPES) == before

    assert same_with("# a comment\n" + text.replace("Of a square", "Of any square"))
    assert not same_with(text.replace("x * x", "x * 2"))
    for reader in ("print(shapes.area.__doc__)", "help(shapes)", "inspect.getsource(shapes)"):
        shapes.write_text(text, "utf-8")
        whole = Sources(package).content([*cells, reader], SHAPES)
        assert not same_with(text.replace("Of a square", "Of any square"), [*cells, reader], whole)
    # one that was read is its text, and the others are not
    shapes.write_text(text, "utf-8")
    read = SHAPES | {"tiny/shapes.py": True}
    whole = Sources(package).content(cells, read)
    shapes.write_text("# a comment\n" + text, "utf-8")
    assert Sources(package).content(cells, read) != whole
    # so is one that shows its own docstring
    (package / "tiny/__init__.py").write_text('"""Tiny."""\nprint(__doc__)\n', "utf-8")
    whole = Sources(package).content(cells, SHAPES)
    assert same_with(text, before=whole)
    (package / "tiny/__init__.py").write_text('"""Small."""\nprint(__doc__)\n', "utf-8")
    assert not same_with(text, before=whole)
    # a docstring that becomes one is not shown by that, but a call may show it
    for line, counts in (("(f.__doc__ or '') + 'x'", False), ("show(f.__doc__)", True)):
        (package / "tiny/__init__.py").write_text(f"def hand(f, g):\n    g.__doc__ = {line}\n", "utf-8")
        shapes.write_text(text, "utf-8")
        whole = Sources(package).content(cells, SHAPES)
        assert same_with("# a comment\n" + text, before=whole) != counts
    # a module that reads them does so for all
    (package / "tiny/__init__.py").write_text("def show(f):\n    print(f.__doc__)\n", "utf-8")
    shapes.write_text(text, "utf-8")
    whole = Sources(package).content(cells, SHAPES)
    assert not same_with(text.replace("Of a square", "Of any square"), cells, whole)


def test_no_chapter_runs_again_for_a_comment_in_the_package(tmp_path):
    shutil.copytree(ROOT / "npo_tutorial", tmp_path / "npo_tutorial", ignore=shutil.ignore_patterns("__pycache__"))
    texts = [path.read_text("utf-8") for path in (ROOT / "book/en").glob("*.md")]
    cells = [cell for text in texts for cell in re.findall(r"^```\{code-cell\}.*?\n(.*?)^```", text, re.M | re.S)]
    opened = {path.relative_to(tmp_path).as_posix(): False for path in sorted(tmp_path.rglob("*.py"))}
    assert len(cells) > 50 < len(opened)

    def content():
        return Sources(tmp_path).content(cells, opened)

    before, losses = content(), tmp_path / "npo_tutorial/losses.py"
    text = losses.read_text("utf-8")
    losses.write_text("# a comment\n" + text.replace("Gradient-ascent loss", "The loss of gradient ascent"), "utf-8")
    assert content() == before, "a module or a cell may show docstrings or line numbers: see SHOWS_ALL in sources.py"
    losses.write_text(f"{text}\nMORE = 1", "utf-8")
    assert content() != before


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for(condition, seconds=100):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)
