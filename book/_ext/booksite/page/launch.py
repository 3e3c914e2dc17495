"""Buttons that open a page's notebook on Binder and on Colab.

Binder writes the notebooks itself when it builds the repository; Colab takes those of the published site.
The addresses are patterns in the configuration, filled in with the repository's own, which stands there once.
"""

from urllib.parse import urlparse

from booksite.editions import edition_of
from booksite.language.catalogues import OWN
from booksite.notebooks.write import has_cells, name_of

ICONS = {"Binder": "_static/images/logo_binder.svg", "Colab": "_static/images/logo_colab.png"}


def add_buttons(app, pagename, templatename, context, doctree):
    edition = edition_of(app, pagename)
    if edition is None or not has_cells(doctree):
        return
    theme = app.config.html_theme_options
    facts = {
        "repository": urlparse(theme["repository_url"]).path.strip("/"),
        "branch": theme["repository_branch"],
        "notebook": name_of(app, pagename),
    }
    words = OWN[edition.locale]["launch"]
    buttons = [
        {
            "type": "link",
            "text": service,
            "tooltip": words["button"].format(service=service),
            "icon": ICONS[service],
            "url": pattern.format(**facts),
        }
        for service, pattern in app.config.launch.items()
    ]
    group = {"type": "group", "buttons": buttons, "tooltip": words["menu"], "icon": "fas fa-rocket", "label": "launch"}
    context["header_buttons"].insert(0, group)


def setup(app):
    app.add_config_value("launch", {}, "html", dict)
    # the theme has begun its list of buttons before
    app.connect("html-page-context", add_buttons, priority=600)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
