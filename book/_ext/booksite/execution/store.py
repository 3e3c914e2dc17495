"""What chapters showed when they ran: one compressed file for each, with a checksum, written whole or not at all."""

import gzip
import json
import os
import time
import zlib
from pathlib import Path

import nbformat
from sphinx.util import logging

log = logging.getLogger(__name__)
MONTH = 30 * 24 * 3600


class Store:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def load(self, name):
        """A notebook with outputs, its execution's seconds in its metadata; None where it is missing or damaged."""
        path = self.folder / f"{name}.json.gz"
        try:
            notebook = nbformat.from_dict(json.loads(gzip.decompress(path.read_bytes())))
        except FileNotFoundError:
            return None
        except (OSError, EOFError, ValueError, zlib.error):
            log.info("%s is damaged: the chapter is executed again", path)
            path.unlink()
            return None
        os.utime(path)
        return notebook

    def save(self, name, notebook):
        path = self.folder / f"{name}.json.gz"
        part = path.with_suffix(".part")
        part.write_bytes(gzip.compress(json.dumps(notebook).encode(), mtime=0))
        os.replace(part, path)

    def forget_unused(self):
        for path in self.folder.glob("*.gz"):
            if time.time() - path.stat().st_mtime > MONTH:
                path.unlink()
