"""Files that a web server and search engines look for: `404.html`, `sitemap.xml`, `robots.txt`."""

from html import escape
from pathlib import Path
from urllib.parse import urlparse

from booksite.editions import editions
from booksite.page.head import address, alternates


def write(app, exception):
    if exception or app.builder.format != "html":
        return
    out, base = Path(app.outdir), app.config.html_baseurl
    page = app.builder.templates.render(
        "404.html",
        {
            # a server shows this page at any depth, so its links count from the root of the site
            "base": urlparse(base).path,
            "editions": editions(app),
            "favicon": Path(app.srcdir, app.config.html_favicon).read_text("utf-8"),
            "uri": app.builder.get_target_uri,
            "report": app.config.html_theme_options["repository_url"] + "/issues",
        },
    )
    (out / "404.html").write_text(page, "utf-8")
    (out / "sitemap.xml").write_text(sitemap(app), "utf-8")
    (out / "robots.txt").write_text(f"User-agent: *\nAllow: /\nSitemap: {base}sitemap.xml\n", "utf-8")


def sitemap(app):
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:xhtml="http://www.w3.org/1999/xhtml">',
    ]
    for docname in sorted(app.env.found_docs):
        lines.append(f"<url><loc>{escape(address(app, docname))}</loc>")
        for tag, url in alternates(app, docname):
            lines.append(f'<xhtml:link rel="alternate" hreflang="{tag}" href="{escape(url)}"/>')
        lines.append("</url>")
    if page := getattr(app.config, "concept_map", {}).get("page"):
        lines.append(f"<url><loc>{escape(app.config.html_baseurl + page)}</loc></url>")
    return "\n".join([*lines, "</urlset>", ""])


def setup(app):
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
