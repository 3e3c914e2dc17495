"""Pages for readers without JavaScript: a stylesheet of its own, which only they fetch.

The theme shows its sidebars on a phone by script, and by script it learns whether a reader likes pages light or dark.
The template beside this file lays out the sidebars without one. The colours are those of the theme and of the
highlighted code: each rule for `data-theme` light or dark is repeated here for `auto`, which is what a page says as
long as no script has changed it, under the condition that the system asks for.
"""

import re
from pathlib import Path

from booksite.finish.assets import LISTS, find

SHEET = "without-scripts.css"
THEMED = re.compile(r"([^{}]*\[data-theme[^{}]*)(\{[^{}]*\})")
COMMENT = re.compile(r"/\*.*?\*/", re.S)
# paper is light
CONDITION = {"light": "print, (prefers-color-scheme: light)", "dark": "screen and (prefers-color-scheme: dark)"}


def write_sheet_without_scripts(site):
    sheets = (site.read(f"_static/{name}") for name in find(site, LISTS["without scripts"]))
    rules = THEMED.findall(COMMENT.sub("", "\n".join(sheets)))
    text = (Path(__file__).parents[1] / "templates" / SHEET).read_text("utf-8")
    for scheme, condition in CONDITION.items():
        wanted = re.compile(rf"""\[data-theme=["']?{scheme}["']?\]""")
        own = [wanted.sub("[data-theme=auto]", names.strip()) + body for names, body in rules if wanted.search(names)]
        text += "\n".join([f"@media {condition} {{", *own, "}\n"])
    site.write(f"_static/{SHEET}", text)
