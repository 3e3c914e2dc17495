"""One style sheet and one script for the whole site, in place of the two dozen files that packages and pages bring.

A page waits for each file that its head names, and on a phone for a long time. What the site loads is listed in
`assets.yml`. The script is loaded after the first paint, because a page can be read without it; it then runs after the
scripts that stand in the page.
"""

import hashlib
import os
import re
from pathlib import Path
from urllib.parse import unquote

import yaml

HERE = Path(__file__).parents[1]
KATEX = HERE / "katex"
LISTS = yaml.safe_load((HERE / "assets.yml").read_text("utf-8"))
SHEETS, SCRIPTS = LISTS["sheets"], LISTS["scripts"]
SHEET, SCRIPT = "_static/joined.css", "_static/joined.js"
# a sheet may import another, or name a file next to it
IMPORT = re.compile(r'@import "([^"]+)";')
ADDRESS = re.compile(r"""url\((?!["']?(?:data:|#))["']?([^)"']+)["']?\)""")
NAMED = re.compile(r'\b(?:_images|_static|notebooks)/[^"?#]+')
MAP = re.compile(r"^//# sourceMappingURL=.*$|/\*# sourceMappingURL=.*?\*/", re.M)


def copy_files(site):
    """What pages ask for and neither Sphinx nor the theme copies."""
    for name in ("katex.min.css", "LICENSE"):
        site.write(f"_static/katex/{name}", (KATEX / name).read_text("utf-8"))
    if script := site.settings.mount_script:
        site.write(f"_static/{Path(script).name}", (site.source / script).read_text("utf-8"))


def correct_scripts(site):
    for listed, old, new in LISTS["corrected"]:
        for name in find(site, [listed]):
            site.write(f"_static/{name}", site.read(f"_static/{name}").replace(old, new))


def drop_unused_files(site):
    """What no page names any more, and pages that lost their source."""
    for name in site.as_read.keys() - site.pages.keys():
        (site.root / name).unlink()
    named = {site.root / unquote(name) for html in site.pages.values() for name in NAMED.findall(html)}
    for path in {path for pattern in LISTS["unused"] for path in site.root.glob(pattern)} - named:
        path.unlink()


def find(site, names):
    """The files of a list, relative to `_static`."""
    for name in names:
        if found := sorted(site.root.glob(f"_static/{name}")):
            yield found[-1].relative_to(site.root / "_static").as_posix()
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
