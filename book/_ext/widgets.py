"""Widgets of notebook outputs move in a static page, with no kernel and no other host.

MyST-NB writes the state of a page's widgets into its head and asks another host for the scripts that show it. Here the
state goes to a file that is fetched when a widget comes near, and the script that mounts it is the one that
`widget_mount_script` names. Without JavaScript the picture that a widget's output carries stands in for it.
"""

import hashlib
import shutil
from pathlib import Path

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform

STATE = "application/vnd.jupyter.widget-state+json"
VIEW = "application/vnd.jupyter.widget-view+json"


class StandIn(SphinxPostTransform):
    """Before MyST-NB keeps one form of each output and drops the others."""

    default_priority = 3
    formats = ("html",)

    def run(self, **kwargs):
        mount_script = Path(self.app.srcdir, self.config.widget_mount_script).read_text("utf-8")
        for bundle in list(self.document.findall(nodes.container)):
            if bundle.get("nb_element") != "mime_bundle":
                continue
            forms = {form["mime_type"]: form for form in bundle.children}
            # a widget brings the script for pages that have none
            if "text/html" in forms and mount_script in forms["text/html"].astext():
                bundle.parent.remove(bundle)
                continue
            if VIEW in forms and "image/svg+xml" in forms:
                picture = next(forms["image/svg+xml"].findall(nodes.image))
                picture["alt"] = forms["text/plain"].astext()
                stand_in = [nodes.raw("", "<noscript>", format="html"), picture.deepcopy()]
                forms[VIEW].extend([*stand_in, nodes.raw("", "</noscript>", format="html")])


def move_state(app, pagename, templatename, context, doctree):
    states = [file for file in context["script_files"] if file.attributes.get("type") == STATE]
    for file in states:
        context["script_files"].remove(file)
        script = f"npoWidgetState({file.attributes['body']});\n"
        name = f"widgets/{hashlib.sha256(script.encode()).hexdigest()[:12]}.js"
        target = Path(app.outdir, "_static", name)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(script, "utf-8")
        # a script, because a page that was opened as a file may not fetch
        context["body"] += f'<script type="{STATE}" data-src="{context["pathto"]("_static/" + name, 1)}"></script>'


def copy_mount_script(app, exception):
    if not exception and app.builder.format == "html":
        shutil.copy(Path(app.srcdir, app.config.widget_mount_script), Path(app.outdir, "_static"))


def setup(app):
    app.add_config_value("widget_mount_script", "", "html", str)
    app.add_post_transform(StandIn)
    app.connect("html-page-context", move_state, priority=950)
    app.connect("build-finished", copy_mount_script)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
