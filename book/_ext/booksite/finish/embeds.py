"""A page of its own for each demo of a chapter, to be framed elsewhere: `embed/<edition>/<name>.html`.

It is made from the state of the widget in the chapter's output; no demo is run again.
"""

import os
import re
from html import escape
from pathlib import Path

# the title stands on the demo as well; in a frame there is no room for both
STYLE = (Path(__file__).parents[1] / "templates/embed.css").read_text("utf-8")
# in a chapter the picture of a widget follows its view
PICTURE = r'"model_id": "%s".*?<img [^>]*src="[./]*(_images/[^"]+\.svg)"'


def write_embeds(site):
    # a build has put the package on the path
    from npo_tutorial.explore import html as explorers

    for demo in site.demos:
        document, edition = demo.document, demo.document.edition
        place = f"{site.settings.embeds['folder']}/{edition.key}/{demo.name}.html"
        with explorers.revived(demo.models, demo.model) as explorer:
            title = explorer.chart["title"][edition.key]
            # without a picture in the chapter it has to be drawn
            shown = re.search(PICTURE % demo.model, site.pages[document.file], re.S)
            text = explorers.page([explorer], title=title, lang=edition.key, pictures=shown and [site.read(shown[1])])
        chapter = os.path.relpath(document.file, os.path.dirname(place)).replace(os.sep, "/")
        name = f"{edition.title} › {document.title}"
        head = f'<link href="{escape(site.base + document.file)}" rel="canonical">'
        head += f'\n<meta content="{escape(f"{title} · {name}")}" name="description">'
        # not in the frame itself, where the chapter would be a page within a page
        link = f'<a href="{escape(chapter)}" target="_blank">{escape(name)}</a>'
        text = text.replace(f'<html lang="{edition.key}">', f'<html lang="{edition.tag}">', 1)
        text = text.replace("</style>\n</head>", f"\n{STYLE}</style>\n{head}\n</head>", 1)
        site.pages[place] = text.replace("</main>", f"{link}\n</main>", 1)
