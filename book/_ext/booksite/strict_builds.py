"""No build stands on one that complained.

Sphinx warns about a page when it reads or writes that page. Built again unchanged, the page is neither read nor
written, nothing is said, and a strict build passes. So after a warning the next build reads everything; what the
chapters computed is still in the execution cache.
"""

from pathlib import Path


def forget(app, exception):
    if app._warncount:
        Path(app.doctreedir, "environment.pickle").unlink(missing_ok=True)


def setup(app):
    app.connect("build-finished", forget)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
