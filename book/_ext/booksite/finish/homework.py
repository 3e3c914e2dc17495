"""The notebooks that students get, in the site: `homework/<edition>/<assignment>.ipynb`.

`homework` in the configuration names the folder with the `sources`, the `module` whose functions read one and make a
notebook of it, and the `package` that a notebook installs where it is missing.
"""

from importlib import import_module
from pathlib import Path

import nbformat

from booksite.editions import editions


def write(app, exception):
    settings = app.config.homework
    if exception or app.builder.format != "html" or not settings:
        return
    module = import_module(settings["module"])
    package = settings["package"].format(repository=app.config.html_theme_options["repository_url"])
    for source in sorted(Path(app.srcdir, settings["sources"]).glob("*.md")):
        parts = module.read_assignment(source)
        for edition in editions(app):
            target = Path(app.outdir, "homework", edition.key, f"{source.stem}.ipynb")
            target.parent.mkdir(parents=True, exist_ok=True)
            nbformat.write(module.make_notebook(parts, "student", edition.key, package=package), target)


def setup(app):
    app.add_config_value("homework", {}, "html", dict)
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
