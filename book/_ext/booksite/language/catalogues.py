"""Interface strings in the language of the page: Sphinx, the themes, theorems, exercises, buttons.

Sphinx chooses one language for a whole build; here the gettext catalogues are exchanged before each page is read,
resolved and written. Strings that a catalogue lacks are in `locale.yml` beside this file.
"""

import gettext
import importlib.util
from functools import cache
from pathlib import Path

import yaml
from docutils import nodes
from sphinx import locale
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx_exercise.nodes import exercise_enumerable_node

from booksite.editions import language_of

OWN = yaml.safe_load(Path(__file__).parents[1].joinpath("words.yml").read_text("utf-8"))
CATALOGUES = {
    "sphinx": ["pydata_sphinx_theme/locale", "sphinx/locale"],
    "booktheme": ["sphinx_book_theme/theme/sphinx_book_theme/static/locales"],
    "proof": ["sphinx_proof/translations/locales"],
    "exercise": ["sphinx_exercise/translations/locales"],
    "togglebutton": ["sphinx_togglebutton/translations/locales"],
}
# Two scripts carry strings of their own: file, what it says, what it must say.
SCRIPTS = [
    ("copybutton.js", "'zh-CN': {", "'zh-Hans': {"),
    ("togglebutton.js", 'aria-label="Toggle hidden content"', 'aria-label="${toggleHintShow}"'),
]
log = logging.getLogger(__name__)


class OwnStrings(gettext.NullTranslations):
    """The strings of `locale.yml`; what is not among them is looked up in the packages' catalogues."""

    def __init__(self, strings):
        super().__init__()
        self.strings = strings

    def gettext(self, message):
        return self.strings.get(message) or super().gettext(message)


@cache
def translator(name, catalogue):
    """One catalogue in one locale."""
    chain = OwnStrings(OWN[name].get(catalogue, {}))
    spellings = [name, name.replace("_", "-").lower(), name.split("_")[0]]
    for place in CATALOGUES[catalogue]:
        package, _, folder = place.partition("/")
        root = Path(importlib.util.find_spec(package).origin).parent
        chain.add_fallback(gettext.translation(catalogue, root / folder, spellings, fallback=True))
    return chain


def speak(app, pagename):
    """Make every catalogue speak the language of a page."""
    name = language_of(app, pagename).locale
    for catalogue in CATALOGUES:
        locale.translators["general", catalogue] = translator(name, catalogue)
    return name


def before_reading(app, docname, source):
    name = speak(app, docname)
    app.config.proof_title_format = "%t".join(OWN[name]["titles"])


class BeforeResolving(SphinxPostTransform):
    """The earliest moment at which "Figure 1.2" may change: the configuration that is pickled must stay as it was."""

    default_priority = 0

    def run(self, **kwargs):
        name = speak(self.app, self.env.docname)
        self.config.numfig_format = {**self.config.numfig_format, **OWN[name]["numbered"]}


class OwnParentheses(SphinxPostTransform):
    """sphinx-exercise puts the title of an exercise between English parentheses."""

    default_priority = 30

    def run(self, **kwargs):
        opening, closing = OWN[language_of(self.app, self.env.docname).locale]["titles"]
        for exercise in self.document.findall(exercise_enumerable_node):
            title = exercise[0]
            if len(title) > 1:
                title[0], title[-1] = nodes.Text(opening), nodes.Text(closing)


def before_writing(app, pagename, templatename, context, doctree):
    name = speak(app, pagename)
    app.builder.templates.environment.install_gettext_translations(translator(name, "sphinx"))
    say = translator(name, "togglebutton").gettext
    context["theme_search_bar_text"] = translator(name, "booktheme").gettext(context["theme_search_bar_text"])
    files = context["script_files"]
    files[:] = [file for file in files if "let toggleHint" not in str(file.attributes.get("body"))]
    hints = {"toggleHintShow": say("Click to show"), "toggleHintHide": say("Click to hide")}
    app.add_js_file(None, body="".join(f'let {variable} = "{text}";' for variable, text in hints.items()))


def translate_scripts(app, exception):
    if exception or app.builder.format != "html":
        return
    for name, old, new in SCRIPTS:
        script = Path(app.outdir, "_static", name)
        text = script.read_text("utf-8")
        if old in text:
            script.write_text(text.replace(old, new), "utf-8")
        elif new not in text:
            log.warning("interface_strings: %s no longer says %r", name, old)


def setup(app):
    app.connect("source-read", before_reading, priority=1)
    app.add_post_transform(BeforeResolving)
    app.add_post_transform(OwnParentheses)
    app.connect("html-page-context", before_writing, priority=1)
    app.connect("build-finished", translate_scripts)
    # the catalogues are global to a process: pages that are written by several would need them exchanged there too
    return {"parallel_read_safe": True, "parallel_write_safe": False}
