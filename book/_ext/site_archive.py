"""The whole site as one zip, for readers without a network.

A page leads to it with a paragraph `<p class="site-archive">`. In the zip itself these paragraphs are missing: a zip
cannot hold itself, and who reads there has it already.
"""

import re
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

PARAGRAPH = re.compile(rb'<p class="site-archive">.*?</p>\s*', re.S)


def pack(app, exception):
    name = app.config.site_archive
    if exception or app.builder.format != "html" or not name:
        return
    out = Path(app.outdir)
    with ZipFile(out / name, "w", ZIP_DEFLATED) as archive:
        for path in sorted(out.rglob("*")):
            if path.is_dir() or path == out / name:
                continue
            place = Path(name).with_suffix("") / path.relative_to(out)
            if path.suffix == ".html":
                archive.writestr(place.as_posix(), PARAGRAPH.sub(b"", path.read_bytes()), ZIP_DEFLATED)
            else:
                archive.write(path, place)


def setup(app):
    app.add_config_value("site_archive", "", "html", str)
    # after all that write into the site when a build has ended
    app.connect("build-finished", pack, priority=999)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
