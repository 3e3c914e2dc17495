"""Lines to copy that frame a demo, or another page of this site, in a page somewhere else.

`embeds` in the configuration names a `module` whose functions make demos and the function that can `save` one to a page
of its own. Such a page is written, in the `folder`, for each demo that a cell shows (its last line reads
`module.function()`), in the language of the cell's page, to which it leads back. The line to copy stands under the
cell; under a frame that shows a page of this site stands one for that page. A frame is `height` pixels high, or what
`heights` says of its demo.
"""

import html
import os
import re
from functools import cache
from importlib import import_module
from pathlib import Path
from urllib.parse import urljoin

from bs4 import BeautifulSoup
from docutils import nodes

from booksite.editions import edition_of, language_of
from booksite.language.catalogues import OWN
from booksite.page.head import address

# the title stands on the demo as well; in a frame there is no room for both
STYLE = """
h1 { position: absolute; clip-path: inset(50%); }
body { padding: .5rem 1rem; }
section, section .npo-explorer { margin: 0; }
a { color: inherit; }
"""
LINE = '<iframe src="{src}" title="{title}" width="100%" height="{height}" style="border: 0" loading="lazy"></iframe>'
FRAME = r'<iframe\b[^>]*\bsrc="(?![a-z]+:)([^"]+)"[^>]*\btitle="([^"]+)"'


@cache
def demo(module, name):
    """Made once for all editions."""
    return getattr(import_module(module), name)()


def named(path):
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)


def write_page(app, docname, name):
    """The page of one demo, relative to the site, and its title."""
    settings, edition = app.config.embeds, edition_of(app, docname)
    shown = demo(settings["module"], name)
    title = shown.chart["title"][edition.key]
    page = f"{settings['folder']}/{edition.key}/{name}.html"
    file = Path(app.outdir, page)
    file.parent.mkdir(parents=True, exist_ok=True)
    named(settings["save"])(shown, file, title=title, lang=edition.key)
    soup = BeautifulSoup(file.read_text("utf-8"), "html.parser")
    soup.html["lang"] = edition.tag
    soup.style.append(STYLE)
    for script in soup.select("script:not([type])"):
        script.string = re.sub(r"^\s*//.*\n", "", script.string, flags=re.M)
    soup.head.append(soup.new_tag("link", rel="canonical", href=address(app, docname)))
    chapter = os.path.relpath(app.builder.get_target_uri(docname), file.parent.relative_to(app.outdir))
    # not in the frame itself, where the chapter would be a page within a page
    link = soup.new_tag("a", href=chapter, target="_blank")
    link.string = f"{edition.title} › {app.env.titles[docname].astext()}"
    soup.main.append(link)
    about = {"name": "description", "content": f"{title} · {link.string}"}
    soup.head.append(soup.new_tag("meta", attrs=about))
    file.write_text(str(soup), "utf-8")
    return page, title


def details(words, line):
    """The line in a block of code, which the copy button finds, folded."""
    block = nodes.literal_block(line, line, language="html", force=False, linenos=False, highlight_args={})
    opening = f'<details class="embed"><summary>{words["title"]}</summary><p>{words["what"]}</p>'
    return [nodes.raw("", opening, format="html"), block, nodes.raw("", "</details>", format="html")]


def offer(app, doctree, docname):
    settings = app.config.embeds
    if app.builder.format != "html" or not settings or edition_of(app, docname) is None:
        return
    words = OWN[language_of(app, docname).locale]["embeds"]
    found = []
    call = re.compile(rf"^{settings['module'].rpartition('.')[2]}\.(\w+)\(\)\s*\Z", re.M)
    for cell in doctree.findall(nodes.container):
        if cell.get("nb_element") != "cell_code":
            continue
        source = next((block.astext() for block in cell.findall(nodes.literal_block)), "")
        if match := call.search(source):
            page, title = write_page(app, docname, match[1])
            height = settings["heights"].get(match[1], settings["height"])
            found.append((cell, app.config.html_baseurl + page, title, height))
    for raw in doctree.findall(nodes.raw):
        if match := re.search(FRAME, raw.astext()):
            src, title = map(html.unescape, match.groups())
            found.append((raw, urljoin(address(app, docname), src), title, settings["height"]))
    for node, src, title, height in found:
        line = LINE.format(src=html.escape(src), title=html.escape(title), height=height)
        place = node.parent.index(node) + 1
        node.parent[place:place] = details(words, line)


def setup(app):
    app.add_config_value("embeds", {}, "html", dict)
    app.connect("doctree-resolved", offer)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
