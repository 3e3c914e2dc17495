"""Files that a web server, search engines and students look for: `404.html`, `sitemap.xml`, `robots.txt`, homework."""

from importlib import import_module
from pathlib import Path
from urllib.parse import urlparse

import nbformat
from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Environment(loader=FileSystemLoader(Path(__file__).parents[1] / "templates"), undefined=StrictUndefined)


def render(site, template, **facts):
    """A page of a template that needs no other file."""
    facts |= {"editions": site.settings.editions, "favicon": site.favicon.read_text("utf-8")}
    return TEMPLATES.get_template(template).render(facts)


def write_404(site):
    # a server shows this page at any depth, so its links count from the root of the site
    site.pages["404.html"] = render(site, "404.html", base=urlparse(site.base).path, report=f"{site.repository}/issues")


def write_sitemap(site):
    facts = {"base": site.base, "documents": site.documents, "map": site.settings.concept_map.get("page")}
    site.write("sitemap.xml", TEMPLATES.get_template("sitemap.xml").render(facts) + "\n")
    site.write("robots.txt", f"User-agent: *\nAllow: /\nSitemap: {site.base}sitemap.xml\n")


def write_homework(site):
    """The notebooks that students get: `homework/<edition>/<assignment>.ipynb`."""
    if not (settings := site.settings.homework):
        return
    module = import_module(settings["module"])
    packages = [pattern.format(site=site.base, repository=site.repository) for pattern in settings["install"]]
    for source in sorted((site.source / settings["sources"]).glob("*.md")):
        parts = module.read_assignment(source)
        for edition in site.settings.editions:
            notebook = module.make_notebook(parts, "student", edition.key, package=packages)
            site.write(f"homework/{edition.key}/{source.stem}.ipynb", nbformat.writes(notebook) + "\n")
