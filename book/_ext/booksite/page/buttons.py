"""Buttons above a page with cells: open its notebook on Binder or on Colab, or download it.

Binder writes the notebooks itself when it builds the repository; Colab takes those of the published site. The addresses
are patterns in the settings, filled in with the repository's own.
"""

from urllib.parse import urlparse

ICONS = {"Binder": "_static/images/logo_binder.svg", "Colab": "_static/images/logo_colab.png"}


def add_launch_buttons(page):
    if page.edition is None or not page.has_cells:
        return
    facts = {
        "repository": urlparse(page.repository).path.strip("/"),
        "branch": page.app.config.html_theme_options["repository_branch"],
        "notebook": page.notebook,
    }
    words = page.words("launch")
    buttons = [
        {
            "type": "link",
            "text": service,
            "tooltip": words["button"].format(service=service),
            "icon": ICONS[service],
            "url": pattern.format(**facts),
        }
        for service, pattern in page.settings.launch.items()
    ]
    group = {"type": "group", "buttons": buttons, "tooltip": words["menu"], "icon": "fas fa-rocket", "label": "launch"}
    page.context["header_buttons"].insert(0, group)


def add_notebook_button(page):
    """A first entry in the theme's menu of downloads."""
    if page.edition is None or not page.has_cells:
        return
    button = {
        "type": "link",
        "url": page.path(page.notebook),
        "text": ".ipynb",
        "icon": "fas fa-code",
        "tooltip": page.words("notebooks")["download"],
        "label": "download-notebook-button",
    }
    for group in page.context["header_buttons"]:
        if group["label"] == "download-buttons":
            group["buttons"].insert(0, button)
