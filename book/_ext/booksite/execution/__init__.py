"""Chapters are executed before Sphinx reads them: side by side, and only where code that they can reach has changed.

What a chapter shows is kept in `_build/execution` under a hash of its cells and of all that they reach. From there it
goes into MyST-NB's own cache, which is made anew for every build: a damaged file costs an execution and no more.
A chapter that opens a file that `reach` does not know fails, since a change of that file would go unseen.
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
from hashlib import sha256
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
from booksite.execution.reach import Reach

log = logging.getLogger(__name__)
MONTH = 30 * 24 * 3600


class ChapterFailed(SphinxError):
    category = "Chapters that failed"


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
    app.connect("build-finished", lambda app, exception: app.build_lock.release(), priority=1000)


def configure(app, config):
    root, settings = Path(app.srcdir), config.booksite.execution
    # kernels and autodoc import the package in the source folder, not an installed copy
    sys.path.insert(0, str(root))
    os.environ.update(settings["environment"])
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
    config.nb_execution_cache_path = str(Path(app.outdir).parent / "execution/of-this-build")
    pins = [(root / name).read_text("utf-8") for name in settings["depends_on"]]
    # a new value makes Sphinx read every page again
    config.execution_surroundings = digest(sys.version, sys.platform, platform.machine(), settings["environment"], pins)
    app.reach = Reach(root)


def digest(*facts):
    return sha256(repr(facts).encode()).hexdigest()[:16]


def code_of(app, docname):
    """A hash of the code that a page depends on: what its cells reach, and packages whose docstrings it shows."""
    packages = {file.split("/")[0] for file in app.env.dependencies.get(docname, ()) if file.endswith(".py")}
    sources = sorted(path for package in packages for path in Path(app.srcdir, package).rglob("*.py"))
    return digest(app.reach.content(app.env.cells.get(docname, [])), [app.reach.read(path)[0] for path in sources])


def outdated(app, env, added, changed, removed):
    """Pages whose text is as it was, but not the code that they depend on."""
    env.cells, env.code = getattr(env, "cells", {}), getattr(env, "code", {})
    return {docname for docname, code in env.code.items() if code_of(app, docname) != code}


def after_reading(app, env):
    env.code = {docname: code_of(app, docname) for docname in env.found_docs}


def before_reading(app, env, docnames):
    """Fill MyST-NB's cache with all that the pages to be read will look for."""
    if app.config.nb_execution_mode != "cache":
        return
    folder = Path(app.config.nb_execution_cache_path)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    cache, chapters, failed = get_cache(folder), {}, []
    for docname in docnames:
        notebook = notebook_of(env, docname)
        env.cells[docname] = [cell.source for cell in notebook.cells if cell.cell_type == "code"] if notebook else []
        if notebook:
            # both editions have the same cells
            kernel, cells = notebook.metadata.get("kernelspec"), env.cells[docname]
            key = digest(app.config.execution_surroundings, kernel, cells, app.reach.content(cells))
            chapters[folder.parent / f"{key}.json.gz"] = docname, notebook
    shown = {path: notebook for path in chapters if (notebook := stored(path))}

    async def show(path, docname, notebook):
        began, files = time.monotonic(), app.reach.files(env.cells[docname])
        try:
            opened = await execute(notebook, Path(env.doc2path(docname)).parent)
            fail_for_unseen(app, opened.difference(files))
        except (CellExecutionError, ChapterFailed, RuntimeError) as error:  # a RuntimeError is a kernel that died
            failed.append(docname)
            log.error(re.sub(r"\x1b\[[\d;]*m", "", str(error)), location=(docname, failing_line(notebook)))
            return
        log.info("executed %s in %.1f s", docname, time.monotonic() - began)
        shown[path] = notebook
        # a result belongs to the code that the build found, and must not show where that lies
        if not any(map(app.reach.has_changed, files)) and str(app.srcdir) not in json.dumps(notebook):
            save(path, notebook)

    jobs = [(path, *chapter) for path, chapter in chapters.items() if path not in shown]
    # what takes longest starts first, as far as the length of its code tells
    side_by_side(show, sorted(jobs, key=lambda job: len("".join(env.cells[job[1]])), reverse=True))
    if failed:
        raise ChapterFailed(", ".join(sorted(failed)))
    for path, notebook in shown.items():
        cache.cache_notebook_bundle(CacheBundleIn(notebook, path.name), check_validity=False)
    for path in folder.parent.glob("*.gz"):
        if time.time() - path.stat().st_mtime > MONTH:
            path.unlink()


def stored(path):
    """A notebook with outputs; None where it is missing or damaged, by its checksum."""
    if not path.exists():
        return None
    try:
        notebook = nbformat.from_dict(json.loads(gzip.decompress(path.read_bytes())))
    except (OSError, EOFError, ValueError, zlib.error):
        log.info("%s is damaged: the chapter is executed again", path)
        return None
    path.touch()
    return notebook


def save(path, notebook):
    """Write it whole, or not at all."""
    part = path.with_suffix(".part")
    part.write_bytes(gzip.compress(json.dumps(notebook).encode(), mtime=0))
    part.replace(path)


def notebook_of(env, docname):
    """A page as MyST-NB reads it, or None for one without cells."""
    path = Path(env.doc2path(docname))
    text = path.read_text("utf-8")
    reader = create_nb_reader(str(path), env.myst_config, env.mystnb_config, text)
    return reader and reader.read(text)


def fail_for_unseen(app, opened):
    """A chapter must not use a file of this book that no import leads to."""
    root, aside = Path(app.srcdir), (Path(app.outdir).parent, Path(sys.prefix))
    for path in sorted(opened):
        if path.is_relative_to(root) and "__pycache__" not in path.parts and not any(map(path.is_relative_to, aside)):
            name = path.relative_to(root)
            raise ChapterFailed(f"the chapter uses {name}, to which no import leads: its changes would go unseen")


def failing_line(notebook):
    """The line of the last cell with an error."""
    lines = zip(notebook.metadata["source_map"], notebook.cells, strict=True)
    errors = [line + 1 for line, cell in lines if any(out.output_type == "error" for out in cell.get("outputs", []))]
    return errors[-1] if errors else None
