"""Buttons above a page with cells: open its notebook on Binder or on Colab, or download it."""

from urllib.parse import urlparse

ICONS = {"Binder": "_static/images/logo_binder.svg", "Colab": "_static/images/logo_colab.png"}


def add_buttons(page):
    if page.notebook is None:
        return
    words, groups, options = page.words("launch"), page.context["header_buttons"], page.app.config.html_theme_options
    # Binder builds the repository, and the notebooks with it; Colab takes those of the published site
    facts = {
        "repository": urlparse(options["repository_url"]).path.strip("/"),
        "branch": options["repository_branch"],
        "notebook": page.notebook,
    }
    launch = [
        link(pattern.format(**facts), service, ICONS[service], words["button"].format(service=service))
        for service, pattern in page.settings.launch.items()
    ]
    download = link(page.path(page.notebook), ".ipynb", "fas fa-code", page.words("notebooks")["download"])
    for group in groups:
        # the theme's own
        if group["label"] == "download-buttons":
            group["buttons"].insert(0, download | {"label": "download-notebook-button"})
    menu = {"type": "group", "label": "launch", "icon": "fas fa-rocket", "tooltip": words["menu"], "buttons": launch}
    groups.insert(0, menu)


def link(url, text, icon, tooltip):
    return {"type": "link", "url": url, "text": text, "icon": icon, "tooltip": tooltip}
