"""One style sheet and one script for the whole site, in place of the two dozen files that packages and pages bring.

A page waits for each file that its head names, and on a phone for a long time. What the site loads is listed in
`assets.yml`. The script is loaded after the first paint, because a page can be read without it; it then runs after the
scripts that stand in the page.
"""

import hashlib
import os
import re
from fnmatch import fnmatch
from pathlib import Path

import yaml

HERE = Path(__file__).parents[1]
KATEX = HERE / "katex"
LISTS = yaml.safe_load((HERE / "assets.yml").read_text("utf-8"))
SHEETS, SCRIPTS = LISTS["sheets"], LISTS["scripts"]
LISTED = [*SHEETS, *SCRIPTS, *LISTS["dropped"]]
SHEET, SCRIPT = "_static/joined.css", "_static/joined.js"
LOADER = (HERE / "templates/load-script.js").read_text("utf-8").rstrip()
# what the theme tells its list of versions
OPTIONS = "DOCUMENTATION_OPTIONS."
# a sheet may import another, or name a file next to it
IMPORT = re.compile(r'@import "([^"]+)";')
ADDRESS = re.compile(r"""url\((?!["']?(?:data:|#))["']?([^)"']+)["']?\)""")
MAP = re.compile(r"^//# sourceMappingURL=.*$|/\*# sourceMappingURL=.*?\*/", re.M)


def swap(sheets, scripts, pathto):
    """The joined files in place of a page's own: (sheets, scripts, names of files that no list has).

    The files are Sphinx's: with a `filename`, or none and a "body" among their `attributes`. What a page has by itself
    stands in it and stays, once; so does what is in no list.
    """
    loader, unknown = type(scripts[0])(None, body=LOADER % pathto(SCRIPT, resource=True)), []

    def kept(files):
        own = {}
        for file in files:
            name, body = str(file.filename or "").removeprefix("_static/"), file.attributes.get("body") or ""
            if name and not any(fnmatch(name, listed) for listed in LISTED):
                unknown.append(name)
                own.setdefault(name, file)
            elif not name and not body.startswith(OPTIONS):
                own.setdefault(body, file)
        return list(own.values())

    return [*kept(sheets), type(sheets[0])(SHEET)], [*kept(scripts), loader], unknown


def copy_files(site):
    """What pages ask for and neither Sphinx nor the theme copies."""
    for name in ("katex.min.css", "LICENSE"):
        site.copy(KATEX / name, f"_static/katex/{name}")
    if script := site.settings.mount_script:
        site.copy(site.source / script, f"_static/{Path(script).name}")


def correct_scripts(site):
    for name, old, new in LISTS["corrected"]:
        text = site.read(f"_static/{name}")
        if old not in text and new not in text:
            site.warn(f"{name} no longer says {old!r}: see `corrected` in assets.yml")
        site.write(f"_static/{name}", text.replace(old, new))


def drop_unused_files(site):
    for pattern in LISTS["unused"]:
        for path in site.root.glob(pattern):
            path.unlink()


def find(site, names):
    """The files of a list, relative to `_static`."""
    static = site.root / "_static"
    for name in names:
        # an earlier build may have left one of another name
        if found := sorted(static.glob(name), key=lambda path: path.stat().st_mtime):
            yield found[-1].relative_to(static).as_posix()
        else:
            site.warn(f"_static/{name} does not exist: remove it from the lists in assets.yml")


def sheet(site, name):
    """A sheet with those it imports; addresses in it count from `_static`."""

    def place(found):
        return Path(os.path.normpath(Path(name).parent / found[1])).as_posix()

    text = site.read(f"_static/{name}").removeprefix('@charset "UTF-8";')
    text = ADDRESS.sub(lambda found: f"url({place(found)})", text)
    return IMPORT.sub(lambda found: sheet(site, place(found)), text)


def join_assets(site):
    # the theme writes the colours of code when a build has ended
    if '[data-theme="dark"]' not in site.read("_static/pygments.css"):
        site.warn("pygments.css has no colours for a dark page: the last steps must run after the theme's own")
    sheets = "\n".join(sheet(site, name) for name in find(site, SHEETS))
    # the semicolons end what a script leaves open, and keep the "use strict" of one script from binding all
    scripts = "".join(f";\n{site.read(f'_static/{name}')}\n" for name in find(site, SCRIPTS))
    site.write(SHEET, sheets)
    site.write(SCRIPT, MAP.sub("", scripts))


def stamp_versions(site):
    """Let every page name the joined files by a hash of their content, so that no browser keeps an older one."""
    for file in (SHEET, SCRIPT):
        version = hashlib.sha256((site.root / file).read_bytes()).hexdigest()[:8]
        address = re.compile(re.escape(file) + r'(\?v=\w+)?(?=")')
        for name, html in site.pages.items():
            site.pages[name] = address.sub(f"{file}?v={version}", html)
