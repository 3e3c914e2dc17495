"""One style sheet and one script for the whole site, in place of the two dozen files that packages and pages bring.

A page waits for each file that its head names, and on a phone for a long time. What the site loads is listed here, so
an upgrade that brings a file fails in words. The script is loaded after the first paint, because a page can be read
without it; it then runs after the scripts that stand in the page.
"""

import hashlib
import os
import re
from fnmatch import fnmatch
from pathlib import Path

SHEET, SCRIPT = "_static/joined.css", "_static/joined.js"
# in `_static`, in the order of the joined files; a sheet that MyST-NB makes is named after its content
SHEETS = (
    "styles/theme.css", "styles/pydata-sphinx-theme.css", "pygments.css", "styles/sphinx-book-theme.css",
    "togglebutton.css", "copybutton.css", "mystnb.*.css", "proof.css", "exercise.css", "katex/katex.min.css",
    "sphinx-design.min.css", "site.css", "print.css",
)  # fmt: skip
SCRIPTS = (
    "documentation_options.js", "clipboard.min.js", "copybutton.js", "comments.js", "search.js", "togglebutton.js",
    "mount.js", "wide-boxes.js", "sidebars.js", "header-shadow.js", "print.js",
    "scripts/bootstrap.js", "scripts/pydata-sphinx-theme.js",
)  # fmt: skip
# for Sphinx's search and its index of modules; sidebars.js and header-shadow.js do what the book needs of the theme's
# own script, which searches the whole page for notes in the margin; for groups of tabs that change together
DROPPED = ("doctools.js", "sphinx_highlight.js", "scripts/sphinx-book-theme.js", "design-tabs.js")
# what the theme tells its list of versions
OPTIONS = "DOCUMENTATION_OPTIONS."
# files that would be published although no page asks for them
UNUSED = ("scripts/*.map", "scripts/fontawesome.*", "styles/*.map", "vendor/**/*.ttf")
# the file, what it says, what it must say; why is in `upstream.py`
CORRECTED = (
    ("copybutton.js", "'zh-CN': {", "'zh-Hans': {"),
    ("togglebutton.js", 'aria-label="Toggle hidden content"', 'aria-label="${toggleHintShow}"'),
)
KATEX = Path(__file__).parents[1] / "katex"
LOADER = """addEventListener("DOMContentLoaded", () => {
  const load = () => document.head.append(Object.assign(document.createElement("script"), { src: "%s" }));
  // returning readers have it cached; load at once so that their scroll position can be restored
  const [{ type } = {}] = performance.getEntriesByType("navigation");
  if (type !== "navigate" || !PerformanceObserver.supportedEntryTypes.includes("paint")) return load();
  const seen = new PerformanceObserver(() => {
    seen.disconnect();
    load();
  });
  seen.observe({ type: "paint", buffered: true });
});"""
# a sheet may import another, or name a file next to it
IMPORT = re.compile(r'@import "([^"]+)";')
ADDRESS = re.compile(r"""url\((?!["']?(?:data:|#))["']?([^)"']+)["']?\)""")
MAP = re.compile(r"^//# sourceMappingURL=.*$|/\*# sourceMappingURL=.*?\*/", re.M)


def swap(sheets, scripts, pathto):
    """The joined files in place of a page's own: (sheets, scripts, names of files that no list here has).

    The files are Sphinx's: with a `filename`, or none and a "body" among their `attributes`. What a page has by itself
    stands in it and stays, once; so does what is in no list.
    """
    joined = type(sheets[0])(SHEET), type(scripts[0])(None, body=LOADER % pathto(SCRIPT, resource=True))
    kept, unknown = ({}, {}), []
    for files, stays in zip((sheets, scripts), kept, strict=True):
        for file in files:
            name, body = str(file.filename or "").removeprefix("_static/"), file.attributes.get("body") or ""
            if name and not any(fnmatch(name, listed) for listed in (*SHEETS, *SCRIPTS, *DROPPED)):
                unknown.append(name)
                stays.setdefault(name, file)
            elif not name and not body.startswith(OPTIONS):
                stays.setdefault(body, file)
    return *([*stays.values(), file] for stays, file in zip(kept, joined, strict=True)), unknown


def copy_katex(site):
    for path in KATEX.rglob("*"):
        if path.is_file() and path.suffix not in (".js", ".md"):
            site.copy(path, f"_static/katex/{path.relative_to(KATEX).as_posix()}")


def copy_mount_script(site):
    if script := site.settings.mount_script:
        site.copy(site.source / script, f"_static/{Path(script).name}")


def correct_scripts(site):
    for name, old, new in CORRECTED:
        text = site.read(f"_static/{name}")
        if old in text:
            site.write(f"_static/{name}", text.replace(old, new))
        elif new not in text:
            site.warn(f"{name} no longer says {old!r}: see CORRECTED in finish/assets.py")


def drop_unused_files(site):
    for pattern in UNUSED:
        for path in (site.root / "_static").glob(pattern):
            path.unlink()


def listed(site, names):
    """The files of a list that exist, relative to `_static`."""
    static = site.root / "_static"
    for name in names:
        # an earlier build may have left one of another name
        if found := sorted(static.glob(name), key=lambda path: path.stat().st_mtime):
            yield found[-1].relative_to(static).as_posix()


def sheet(site, name):
    """A sheet with those it imports, as it reads one folder up from them all."""
    place = Path(name).parent
    text = site.read(f"_static/{name}").removeprefix('@charset "UTF-8";')
    text = IMPORT.sub(lambda found: sheet(site, os.path.normpath(place / found[1])), text)
    return ADDRESS.sub(lambda found: f"url({Path(os.path.normpath(place / found[1])).as_posix()})", text)


def join_assets(site):
    for name in (*SHEETS, *SCRIPTS):
        if not any(listed(site, [name])):
            site.warn(f"_static/{name} does not exist: remove it from the lists in finish/assets.py")
    # the theme writes the colours of code when a build has ended
    if '[data-theme="dark"]' not in site.read("_static/pygments.css"):
        site.warn("pygments.css has no colours for a dark page: the last steps must run after the theme's own")
    sheets = "\n".join(sheet(site, name) for name in listed(site, SHEETS))
    # the semicolons end what a script leaves open, and keep the "use strict" of one script from binding all
    scripts = "".join(f";\n{site.read(f'_static/{name}')}\n" for name in listed(site, SCRIPTS))
    site.write(SHEET, MAP.sub("", sheets))
    site.write(SCRIPT, MAP.sub("", scripts))


def stamp_versions(site):
    """Let every page name the joined files by a hash of their content, so that no browser keeps an older one."""
    for file in (SHEET, SCRIPT):
        version = hashlib.sha256((site.root / file).read_bytes()).hexdigest()[:8]
        address = re.compile(re.escape(file) + r'(\?v=\w+)?(?=")')
        for name, html in site.pages.items():
            site.pages[name] = address.sub(f"{file}?v={version}", html)
