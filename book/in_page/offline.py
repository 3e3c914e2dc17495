"""What a reader can keep on a device: the list of the site's files, and the control at the foot of every page.

That is the whole course with Python, or the pages of one edition without it.
"""

import base64
import hashlib
import json
import re
from html import escape

import yaml
from fetch import HERE, sha256

STATIC = HERE / "static"
CONFIG = yaml.safe_load((HERE.parents[1] / "_config.yml").read_text("utf-8"))
EDITIONS = {key: facts["tag"].lower() for key, facts in CONFIG["sphinx"]["config"]["booksite"]["editions"].items()}
# of Python's folder, what every page loads
SHOWN = ("python/offline.js", "python/page.css", "python/page.js")
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
<script defer src="../../python/offline.js?v={stamp}" data-edition="{edition}" data-megabytes="{megabytes}" \
data-few="{few}" data-words="{words}"></script>"""


def kept_files(site):
    files = [path for path in sorted(site.rglob("*")) if path.is_file()]
    named = [(path.relative_to(site).as_posix(), path) for path in files]
    return [(name, path) for name, path in named if not (name.startswith(LEFT) or is_elsewhere(path.suffix, name))]


def is_elsewhere(suffix, name):
    """ZIP, PDF and EPUB are other ways to take the course along; wheels and texts are for notebooks and assistants."""
    return suffix == ".md" or (suffix in (".zip", ".pdf", ".epub", ".whl") and "/" not in name)


def part_of(name):
    """Who alone needs a file: "python", or the readers of one edition, by its key; "" if all do."""
    if name.startswith("python/") and name not in SHOWN:
        return "python"
    for key, tag in EDITIONS.items():
        # folders, files of the quiz, and the index of the search, which has a part for each language
        if re.search(rf"(?:^|/){key}/|^quiz/{key}[.-]|^pagefind/.*[./]{tag}[._]", name):
            return key
    return ""


def megabytes(files):
    return round(sum(path.stat().st_size for _, path in files) / 1e6)


def offer(site):
    """Add the control to the pages of both editions, and the service worker to the site's root."""
    # its place decides which pages it serves
    (site / "python/sw.js").rename(site / "sw.js")
    words = json.loads((STATIC / "offline-words.json").read_text("utf-8"))
    every = kept_files(site)
    few = {key: megabytes([file for file in every if part_of(file[0]) in ("", key)]) for key in EDITIONS}
    stamp = sha256((STATIC / "offline.js").read_bytes())[:8]
    for page in sorted(site.glob("book/*/*.html")):
        edition = page.parent.name
        facts = {"edition": edition, "megabytes": megabytes(every), "few": few[edition]}
        script = SCRIPT.format(stamp=stamp, words=escape(json.dumps(words[edition], ensure_ascii=False)), **facts)
        html = page.read_text("utf-8")
        sheet = "" if "/page.css" in html else f'\n<link rel="stylesheet" href="../../python/page.css?v={stamp}">'
        html = html.replace("</head>", f"{sheet}{script}\n</head>", 1)
        page.write_text(html, "utf-8", newline="\n")


def list_files(site):
    """Write `python/offline.json`, once all files are written: path, bytes, hash, and who alone needs the file."""
    files = []
    for name, path in kept_files(site):
        content = path.read_bytes()
        digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
        files.append([name, len(content), digest, part_of(name)])
    listing = {"version": sha256(json.dumps(files).encode())[:12], "files": files}
    (site / "python/offline.json").write_text(json.dumps(listing, indent=0) + "\n", "utf-8", newline="\n")
