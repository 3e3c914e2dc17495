"""Chapters run again when the package that they import has changed.

jupyter-cache compares code cells only. So the cache lies in a folder named after a hash of the imported files; a new
folder is a new value of `nb_execution_cache_path`, which makes Sphinx read every page again. The kernels and autodoc
import the very files that were hashed, not an installed copy, in the environment that the configuration asks for.
"""

import hashlib
import os
import sys
from pathlib import Path


def digest(root, patterns):
    """A hash of the names and contents of all files that match."""
    total = hashlib.sha256()
    for path in sorted({path for pattern in patterns for path in root.glob(pattern)}):
        if path.is_file() and "__pycache__" not in path.parts:
            total.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()[:16]


def key_cache(app, config):
    root = Path(app.srcdir)
    caches = Path(app.outdir).parent / "execution"
    config.nb_execution_cache_path = str(caches / digest(root, config.booksite.execution["depends_on"]))
    sys.path.insert(0, str(root))
    os.environ.update(config.booksite.execution["environment"])
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
