"""Buttons above a page with cells: open its notebook elsewhere, in the places of `_config.yml`, or download it."""

from urllib.parse import urlparse


def add_buttons(page):
    if page.notebook is None:
        return
    words, groups, options = page.words("launch"), page.context["header_buttons"], page.app.config.html_theme_options
    facts = {"repository": urlparse(options["repository_url"]).path.strip("/"), "branch": options["repository_branch"]}
    launch = []
    for service, place in page.settings.launch.items():
        # a service may know notebooks by ids of its own
        ids = place["ids"] or {} if "ids" in place else {page.notebook: ""}
        if page.notebook in ids:
            address = place["address"].format(**facts, notebook=page.notebook, id=ids[page.notebook])
            launch.append(link(address, service, place["icon"], words["button"].format(service=service)))
    download = link(page.path(page.notebook), ".ipynb", "fas fa-code", page.words("notebooks")["download"])
    for group in groups:
        # the theme's own
        if group["label"] == "download-buttons":
            group["buttons"].insert(0, download | {"label": "download-notebook-button"})
    menu = {"type": "group", "label": "launch", "icon": "fas fa-rocket", "tooltip": words["menu"], "buttons": launch}
    groups.insert(0, menu)


def link(url, text, icon, tooltip):
    return {"type": "link", "url": url, "text": text, "icon": icon, "tooltip": tooltip}
