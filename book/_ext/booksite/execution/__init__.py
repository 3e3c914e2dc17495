"""Chapters are executed before Sphinx reads them: side by side, and only where a file that they opened has changed.

What a chapter shows is kept in `_build/execution` under two hashes: of its cells, and of the files that it opened. From
there it goes into MyST-NB's own cache, which is made anew for every build: a damaged file costs an execution and no
more.
"""

import gzip
import json
import os
import platform
import re
import shutil
import sys
import time
import zlib
from importlib.metadata import distributions
from pathlib import Path

import nbformat
from filelock import FileLock, Timeout
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from myst_nb.core.read import create_nb_reader
from nbclient.exceptions import CellExecutionError
from sphinx.errors import SphinxError
from sphinx.util import logging

from booksite.execution.kernels import execute, side_by_side
from booksite.execution.sources import Sources, digest

log = logging.getLogger(__name__)
MONTH = 30 * 24 * 3600


def lock(app):
    """Keep the folder of the build for this one; Sphinx makes it later, and would answer a fault with a traceback."""
    folder = Path(app.outdir).parent
    app.build_lock = FileLock(folder / "lock")
    try:
        Path(app.outdir).mkdir(parents=True, exist_ok=True)
        app.build_lock.acquire(blocking=False)
    except Timeout:
        log.info("another build of this book is running: waiting until it has ended (Ctrl-C gives up)")
        app.build_lock.acquire()
    except OSError as error:
        sys.exit(f"{folder} must be a folder that this build can make or write to, got: {error}")


def configure(app, config):
    root, settings = Path(app.srcdir), config.booksite.execution
    # as kernels do, autodoc imports the package in the source folder, not an installed copy
    sys.path.insert(0, str(root))
    os.environ.update(settings["environment"])
    config.nb_execution_cache_path = str(Path(app.outdir).parent / "execution/of-this-build")
    pins = [(root / name).read_text("utf-8") for name in settings["depends_on"]]
    # what is installed need not be what is pinned
    names = re.findall(r"^([\w.-]+).*==", "\n".join(pins), re.M)
    pins += sorted({(name, found.version) for name in names for found in distributions(name=name)})
    # a new value makes Sphinx read every page again
    config.execution_surroundings = digest(sys.version, sys.platform, platform.machine(), settings["environment"], pins)
    # a new value makes Sphinx write every page again, without reading it
    folders = [Path(__file__).parents[1], *(root / name for name in config.html_static_path + config.templates_path)]
    files = sorted({file for folder in folders for file in folder.rglob("*") if file.is_file()})
    config.site_machinery = digest([file.read_bytes() for file in files if "__pycache__" not in file.parts])
    app.sources = Sources(root, Path(app.outdir).parent, Path(sys.prefix))


def code_of(app, docname):
    """A hash of the code that a page depends on: what its cells opened, and packages whose docstrings it shows."""
    packages = {file.split("/")[0] for file in app.env.dependencies.get(docname, ()) if file.endswith(".py")}
    shown = sorted(path for package in packages for path in Path(app.srcdir, package).rglob("*.py"))
    opened = app.sources.content(*app.env.chapters.get(docname, ([], {})))
    return digest(opened, [app.sources.read(path)[0] for path in shown])


def outdated(app, env, added, changed, removed):
    """Pages whose text is as it was, but not the code that they depend on."""
    env.chapters, env.code = getattr(env, "chapters", {}), getattr(env, "code", {})
    return {docname for docname, code in env.code.items() if code_of(app, docname) != code}


def after_reading(app, env):
    app.unfinished.touch()
    env.code = {docname: code_of(app, docname) for docname in env.found_docs}


def before_reading(app, env, docnames):
    """Fill MyST-NB's cache with all that the pages to be read will look for."""
    if app.config.nb_execution_mode != "cache":
        return
    folder = Path(app.config.nb_execution_cache_path)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    cache, pages, shown, failed = get_cache(folder), {}, {}, []
    for docname in docnames:
        env.chapters.pop(docname, None)
        if notebook := notebook_of(env, docname):
            cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
            # both editions have the same cells
            key = digest(app.config.execution_surroundings, notebook.metadata.get("kernelspec"), cells)
            pages[docname] = key, cells, notebook
    chapters = {key: (key, cells, notebook, docname) for docname, (key, cells, notebook) in pages.items()}

    async def show(key, cells, notebook, docname):
        if found := stored(app, key, cells):
            shown[key] = found
            return
        began = time.monotonic()
        try:
            opened = await execute(notebook, app.srcdir, Path(env.doc2path(docname)).parent)
        except (CellExecutionError, RuntimeError) as error:  # a RuntimeError is a kernel that died
            failed.append(docname)
            log.error(re.sub(r"\x1b\[[\d;]*m", "", str(error)), location=(docname, failing_line(notebook)))
            return
        log.info("executed %s in %.1f s", docname, time.monotonic() - began)
        shown[key] = notebook
        names = notebook.metadata["opened"] = app.sources.names(opened)
        # a result must not show where the code lies
        if str(app.srcdir) not in json.dumps(notebook):
            # whole, or not at all
            part = Path(app.config.nb_execution_cache_path, "part")
            part.write_bytes(gzip.compress(json.dumps(notebook).encode(), mtime=0))
            part.replace(place(app, key, cells, names))

    # what takes longest starts first, as far as the length of its code tells
    side_by_side(show, sorted(chapters.values(), key=lambda chapter: len("".join(chapter[1])), reverse=True))
    if failed:
        raise SphinxError(f"chapters failed: {', '.join(sorted(failed))}")
    for key, notebook in shown.items():
        cache.cache_notebook_bundle(CacheBundleIn(notebook, key), check_validity=False)
    env.chapters.update({docname: (cells, shown[key].metadata["opened"]) for docname, (key, cells, _) in pages.items()})
    for path in folder.parent.glob("*.gz"):
        if time.time() - path.stat().st_mtime > MONTH:
            path.unlink()


def place(app, key, cells, names):
    return Path(app.config.nb_execution_cache_path).parent / f"{key}-{app.sources.content(cells, names)}.json.gz"


def stored(app, key, cells):
    """A notebook with outputs whose files are as they were; None where it is missing or damaged, by its checksum."""
    for path in Path(app.config.nb_execution_cache_path).parent.glob(f"{key}-*.json.gz"):
        try:
            notebook = nbformat.from_dict(json.loads(gzip.decompress(path.read_bytes())))
        except (OSError, EOFError, ValueError, zlib.error):
            log.info("%s is damaged: the chapter is executed again", path)
            continue
        if path == place(app, key, cells, notebook.metadata["opened"]):
            path.touch()
            return notebook


def notebook_of(env, docname):
    """A page as MyST-NB reads it, or None for one without cells."""
    path = Path(env.doc2path(docname))
    text = path.read_text("utf-8")
    reader = create_nb_reader(str(path), env.myst_config, env.mystnb_config, text)
    return reader and reader.read(text)


def failing_line(notebook):
    """The line of the last cell with an error."""
    for line, cell in reversed(list(zip(notebook.metadata["source_map"], notebook.cells, strict=True))):
        if any(output.output_type == "error" for output in cell.get("outputs", [])):
            return line + 1
