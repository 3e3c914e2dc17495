"""One style sheet and one script for the whole site, in place of the two dozen files that packages and pages bring.

A page waits for each file that its head names, and a phone for each of them long. Sheets and scripts keep their order.
The script is not asked for before a reader sees the page, for a page can be read without it; what it holds then runs
after the scripts that stand in the page.
"""

import hashlib
import json
import os
import re
from pathlib import Path

from sphinx.builders.html._assets import _CascadingStyleSheet, _JavaScript

SHEET, SCRIPT = "_static/joined.css", "_static/joined.js"
KINDS = ("css_files", "script_files")
LOADER = """addEventListener("DOMContentLoaded", () => {
  const load = () => document.head.append(Object.assign(document.createElement("script"), { src: "%s" }));
  // who comes back has it already, and his place is found when the page has come
  const [{ type } = {}] = performance.getEntriesByType("navigation");
  if (type !== "navigate" || !PerformanceObserver.supportedEntryTypes.includes("paint")) return load();
  const seen = new PerformanceObserver(() => {
    seen.disconnect();
    load();
  });
  seen.observe({ type: "paint", buffered: true });
});"""
# a sheet may ask for another, or for a file that lies beside it
IMPORT = re.compile(r'@import "([^"]+)";')
ADDRESS = re.compile(r"""url\((?!["']?(?:data:|#))["']?([^)"']+)["']?\)""")
MAP = re.compile(r"^//# sourceMappingURL=.*$|/\*# sourceMappingURL=.*?\*/", re.M)


def kept(app):
    return Path(app.doctreedir, "joined-files.json")


def swap(app, pagename, templatename, context, doctree):
    """In a page, the joined file for all that have a name; what each page has by itself stands in it and stays."""
    loader = _JavaScript(None, body=LOADER % context["pathto"](SCRIPT, resource=True))
    asked = app.joined_files[pagename] = {}
    for kind, joined in zip(KINDS, (_CascadingStyleSheet(SHEET), loader), strict=True):
        named = sorted((file for file in context[kind] if file.filename), key=lambda file: file.priority)
        asked[kind] = {str(file.filename): file.priority for file in named}
        context[kind] = [file for file in context[kind] if not file.filename] + [joined]


def names(pages, kind):
    """All that the pages ask for, in order, as files of the folder `_static`."""
    files = {}
    for asked in pages.values():
        files |= asked[kind]
    return [name.removeprefix("_static/") for name in sorted(files, key=files.get)]


def sheet(static, name):
    """A sheet with those it imports, as it reads one folder up from where all of them lie."""
    path = static / name
    text = path.read_text("utf-8").removeprefix('@charset "UTF-8";')
    text = IMPORT.sub(lambda found: sheet(static, os.path.normpath(Path(name).parent / found[1])), text)
    return ADDRESS.sub(lambda found: f"url({Path(os.path.normpath(Path(name).parent / found[1])).as_posix()})", text)


def join(app, exception):
    if exception or app.builder.format != "html":
        return
    # pages that this build did not write ask for what they did in an earlier one
    earlier = json.loads(kept(app).read_text()) if kept(app).exists() else {}
    pages = {page: asked for page, asked in earlier.items() if page in app.env.found_docs} | app.joined_files
    kept(app).write_text(json.dumps(pages))
    out = Path(app.outdir)
    static = out / "_static"
    # the semicolons end what a script leaves open, and keep the "use strict" of one from binding all
    texts = {
        SHEET: "\n".join(sheet(static, name) for name in names(pages, "css_files")),
        SCRIPT: "".join(f";\n{(static / name).read_text('utf-8')}\n" for name in names(pages, "script_files")),
    }
    for file, text in texts.items():
        Path(out, file).write_text(MAP.sub("", text), "utf-8")


def mark(app, exception):
    """Let every page ask for the files by what is in them, so that no browser keeps an older one."""
    if exception or app.builder.format != "html":
        return
    out = Path(app.outdir)
    versions = {file: hashlib.sha256(Path(out, file).read_bytes()).hexdigest()[:8] for file in (SHEET, SCRIPT)}
    for page in out.rglob("*.html"):
        old = new = page.read_text("utf-8")
        for file, version in versions.items():
            new = re.sub(re.escape(file) + r'(\?v=\w+)?(?=")', f"{file}?v={version}", new)
        if new != old:
            page.write_text(new, "utf-8")


def setup(app):
    # of each page that is written the files of each kind, with their priorities
    app.joined_files = {}
    # after all that add files, and when all files lie where they belong
    app.connect("html-page-context", swap, priority=1000)
    app.connect("build-finished", join, priority=900)
    app.connect("build-finished", mark, priority=920)
    return {"parallel_read_safe": True, "parallel_write_safe": False}
