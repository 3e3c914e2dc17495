"""Chapters are executed before Sphinx reads them: side by side, and only where code that they can reach has changed.

What a chapter shows is kept in `_build/execution` under a hash of its cells and one of what they reach. From there it
goes into MyST-NB's own cache, which is made anew for every build: a damaged file costs an execution and no more.
A chapter that opens a file that `reach` does not know fails, since a change of that file would go unseen.
"""

import hashlib
import json
import os
import platform
import re
import shutil
import sys
import time
from pathlib import Path

from filelock import FileLock, Timeout
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from myst_nb.core.read import create_nb_reader
from sphinx.errors import SphinxError
from sphinx.util import logging

from booksite.execution.kernels import execute
from booksite.execution.reach import Reach
from booksite.execution.store import Store

log = logging.getLogger(__name__)


class ChapterFailed(SphinxError):
    category = "Chapters that failed"


def configure(app, config):
    root, build, settings = Path(app.srcdir), Path(app.outdir).parent, config.booksite.execution
    wait_for_other_build(app, build / "lock")
    # kernels and autodoc import the package in the source folder, not an installed copy
    sys.path.insert(0, str(root))
    os.environ.update(settings["environment"])
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
    config.nb_execution_cache_path = str(build / "execution" / "of-this-build")
    surroundings = [sys.version, sys.platform, platform.machine(), *sorted(settings["environment"].items())]
    surroundings += [(root / name).read_text("utf-8") for name in settings["depends_on"]]
    # a new value makes Sphinx read every page again
    config.execution_surroundings = digest(json.dumps(surroundings).encode())


def wait_for_other_build(app, path):
    app.build_lock = FileLock(path)
    try:
        app.build_lock.acquire(blocking=False)
    except Timeout:
        log.info("another build of this book is running: waiting until it has ended (Ctrl-C gives up)")
        app.build_lock.acquire()


def digest(content):
    return hashlib.sha256(content).hexdigest()[:16]


def state_of(app, reach, cells):
    """A hash of all that decides what cells show, but the cells."""
    return digest(f"{app.config.execution_surroundings} {reach.digest(cells)}".encode())


def sources_of(app, docname):
    """A hash of the packages whose docstrings a page shows, or None for a page without."""
    packages = {file.split("/")[0] for file in app.env.dependencies.get(docname, ()) if file.endswith(".py")}
    files = sorted(path for package in packages for path in Path(app.srcdir, package).rglob("*.py"))
    return digest(b"\0".join(path.read_bytes() for path in files)) if files else None


def outdated(app, env, added, changed, removed):
    """Pages whose text is as it was, but not the code that their cells reach, or their docstrings."""
    reach = Reach(app.srcdir)
    env.executed, env.sources = getattr(env, "executed", {}), getattr(env, "sources", {})
    executed = {docname for docname, (cells, state) in env.executed.items() if state_of(app, reach, cells) != state}
    return executed | {docname for docname, sources in env.sources.items() if sources_of(app, docname) != sources}


def after_reading(app, env):
    env.sources = {docname: sources for docname in env.found_docs if (sources := sources_of(app, docname))}


def before_reading(app, env, docnames):
    """Fill MyST-NB's cache with all that the pages to be read will look for."""
    if app.config.nb_execution_mode != "cache":
        return
    began, reach, folder = time.time(), Reach(app.srcdir), Path(app.config.nb_execution_cache_path)
    shutil.rmtree(folder, ignore_errors=True)
    cache, store, chapters = get_cache(folder), Store(folder.parent), {}
    for docname in docnames:
        env.executed.pop(docname, None)
        if notebook := notebook_of(env, docname):
            cells = code_of(notebook)
            env.executed[docname] = cells, state_of(app, reach, cells)
            # both editions have the same cells
            name = f"{cache.create_hashed_notebook(notebook)[1]}-{env.executed[docname][1]}"
            chapters[name] = docname, notebook, reach.files(cells)
    executed = {name: stored for name in chapters if (stored := store.load(name))}
    failed = []

    def finished(name, opened, error):
        docname, notebook, files = chapters[name]
        if error := error or unseen(app, opened, files):
            failed.append(docname)
            log.error(re.sub(r"\x1b\[[\d;]*m", "", str(error)), location=(docname, failing_line(notebook)))
            return
        log.info("executed %s in %.1f s", docname, notebook.metadata["seconds"])
        executed[name], _ = cache.create_hashed_notebook(notebook)
        # a result belongs to the state that the build found, and must not show where its code lies
        if not any(changed_since(path, began) for path in files) and str(app.srcdir) not in json.dumps(executed[name]):
            store.save(name, executed[name])

    jobs = [
        (name, chapters[name][1], Path(env.doc2path(chapters[name][0])).parent) for name in chapters.keys() - executed
    ]
    # what takes longest starts first, as far as the length of its code tells
    execute(sorted(jobs, key=lambda job: len(json.dumps(job[1])), reverse=True), finished)
    if failed:
        raise ChapterFailed(", ".join(sorted(failed)))
    for name, notebook in executed.items():
        cache.cache_notebook_bundle(CacheBundleIn(notebook, chapters[name][0]), check_validity=False)
    store.forget_unused()


def notebook_of(env, docname):
    """A page as MyST-NB reads it, or None for one without cells."""
    path = Path(env.doc2path(docname))
    text = path.read_text("utf-8")
    reader = create_nb_reader(str(path), env.myst_config, env.mystnb_config, text)
    return reader and reader.read(text)


def code_of(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def unseen(app, opened, files):
    """What is wrong with a chapter that opened a file of this book that no import leads to."""
    root, aside = Path(app.srcdir), (Path(app.outdir).parent, Path(sys.prefix))
    for path in sorted(set(opened) - files):
        if path.is_relative_to(root) and "__pycache__" not in path.parts and not any(map(path.is_relative_to, aside)):
            return f"the chapter uses {path.relative_to(root)}, to which no import leads: its changes would go unseen"


def failing_line(notebook):
    """The line of the last cell with an error."""
    lines = zip(notebook.metadata["source_map"], notebook.cells, strict=True)
    errors = [line + 1 for line, cell in lines if any(out.output_type == "error" for out in cell.get("outputs", []))]
    return errors[-1] if errors else None


def changed_since(path, moment):
    return max(path.stat().st_mtime, path.stat().st_ctime) >= moment


def end(app, exception):
    app.build_lock.release()
