"""The whole site as one zip, for readers without a network.

A page leads to it with a paragraph `<p class="site-archive">`, and to a PDF that was made of the site with a paragraph
`<p class="site-pdf">`. In the zip itself both are missing, and so are the PDFs: a zip cannot hold itself, and who reads
there has already what they hold.
"""

import re
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

PARAGRAPH = re.compile(rb'<p class="site-(?:archive|pdf)">.*?</p>\s*', re.S)


def pack(app, exception):
    name = app.config.site_archive
    if exception or app.builder.format != "html" or not name:
        return
    out = Path(app.outdir)
    with ZipFile(out / name, "w", ZIP_DEFLATED) as archive:
        for path in sorted(out.rglob("*")):
            if path.is_dir() or path == out / name or path.suffix == ".pdf":
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
