"""The scripts that pages and notebooks receive: explorer.js draws an Explorer, mount.js starts it without a kernel."""

import re
from pathlib import Path

from npo_tutorial.explore.kinds import table_for_script

FILES = Path(__file__).parent
# its row in JupyterLab and in nbconvert's pages would be blank; JupyterLab hands over the row's element
GUEST = """window.npoGuest = true;
{
  const place = document.currentScript ?? (typeof element === "undefined" ? null : element);
  requestAnimationFrame(() => {
    const row = place?.closest(".jp-OutputArea-child");
    if (row) row.style.display = "none";
  });
}
"""


def drawing_script() -> str:
    """The module that draws an Explorer, with its tables."""
    return table_for_script() + (FILES / "explorer.js").read_text("utf-8")


def mount_script() -> str:
    """The script that mounts the widgets of a static page, without its comments."""
    return re.sub(r"^\s*//.*\n", "", (FILES / "mount.js").read_text("utf-8"), flags=re.M)


def nbconvert_script() -> dict[str, str]:
    """An output that mounts the explorers of a page that nbconvert makes of a notebook; in a live one it does nothing.

    JavaScript and not HTML: nbconvert's `sanitize_html` removes the first and prints the tags of the second.
    """
    code = GUEST + (FILES / "mount.js").read_text("utf-8")
    return {"application/javascript": code, "text/plain": ""}
