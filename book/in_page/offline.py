"""What a reader can keep on a device: the list of the site's files, and the control at the foot of every page."""

import base64
import hashlib
import json
from html import escape

from fetch import HERE, sha256

STATIC = HERE / "static"
# files that no page of the site shows
LEFT = (
    "_sources/",
    "llms.txt",
    "objects.inv",
    "robots.txt",
    "sitemap.xml",
    "sw.js",
    ".buildinfo",
    ".nojekyll",
    "python/offline.json",
)
SCRIPT = """
<script defer src="../../python/offline.js?v={stamp}" data-megabytes="{megabytes}" data-words="{words}"></script>"""


def kept_files(site):
    files = [path for path in sorted(site.rglob("*")) if path.is_file()]
    named = [(path.relative_to(site).as_posix(), path) for path in files]
    return [(name, path) for name, path in named if not (name.startswith(LEFT) or is_elsewhere(path.suffix, name))]


def is_elsewhere(suffix, name):
    """ZIP, PDF and EPUB are other ways to take the course along; wheels and texts are for notebooks and assistants."""
    return suffix == ".md" or (suffix in (".zip", ".pdf", ".epub", ".whl") and "/" not in name)


def offer(site):
    """Add the control to the pages of both editions, and the service worker to the site's root."""
    # its place decides which pages it serves
    (site / "python/sw.js").rename(site / "sw.js")
    words = json.loads((STATIC / "offline-words.json").read_text("utf-8"))
    megabytes = round(sum(path.stat().st_size for _, path in kept_files(site)) / 1e6)
    stamp = sha256((STATIC / "offline.js").read_bytes())[:8]
    for page in sorted(site.glob("book/*/*.html")):
        own = json.dumps(words[page.parent.name], ensure_ascii=False)
        script = SCRIPT.format(stamp=stamp, megabytes=megabytes, words=escape(own))
        html = page.read_text("utf-8")
        sheet = "" if "/page.css" in html else f'\n<link rel="stylesheet" href="../../python/page.css?v={stamp}">'
        html = html.replace("</head>", f"{sheet}{script}\n</head>", 1)
        page.write_text(html, "utf-8", newline="\n")


def list_files(site):
    """Write `python/offline.json`: path, bytes and hash of every file that is kept, once all of them are written."""
    files = []
    for name, path in kept_files(site):
        content = path.read_bytes()
        files.append([name, len(content), base64.b64encode(hashlib.sha256(content).digest()).decode()])
    listing = {"version": sha256(json.dumps(files).encode())[:12], "files": files}
    (site / "python/offline.json").write_text(json.dumps(listing, indent=0) + "\n", "utf-8", newline="\n")
