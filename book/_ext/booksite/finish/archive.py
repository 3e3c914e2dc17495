"""The whole site as one ZIP, for readers without a network; the same site makes the same bytes.

A page leads to it with a paragraph `<p class="site-archive">`, and to a PDF or an EPUB that was made of the site with a
paragraph `<p class="site-pdf">` or `<p class="site-epub">`. In the ZIP itself these paragraphs are missing, and so are
PDFs and EPUBs: it cannot contain itself, and readers who have it have the pages already.
"""

import os
import re
import time
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

PARAGRAPH = re.compile(r'<p class="site-(?:archive|pdf|epub)">.*?</p>\s*', re.S)
# no entry can be older
OLDEST = 315532800
# an ordinary file that everybody may read, whatever the rights of its source
FILE, UNIX = 0o100644 << 16, 3


def pack_archive(site):
    if not (name := site.settings.archive):
        return
    date = time.gmtime(max(OLDEST, int(os.environ.get("SOURCE_DATE_EPOCH") or OLDEST)))[:6]
    files = {path.relative_to(site.root).as_posix() for path in site.root.rglob("*") if path.is_file()}
    with ZipFile(site.root / name, "w") as archive:
        for place in sorted(place for place in {*files, *site.pages} if not place.endswith((".pdf", ".epub", name))):
            page = site.pages.get(place)
            content = (site.root / place).read_bytes() if page is None else PARAGRAPH.sub("", page)
            entry = ZipInfo(f"{Path(name).stem}/{place}", date)
            entry.external_attr, entry.create_system = FILE, UNIX
            archive.writestr(entry, content, ZIP_DEFLATED)
