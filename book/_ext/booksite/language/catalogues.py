"""Interface strings in the language of the page: Sphinx, the themes, theorems, exercises, buttons.

Sphinx chooses one language for a whole build; here the gettext catalogues are exchanged before each page is read,
resolved and written. Strings that a catalogue lacks are in `words.yml`.
"""

import gettext
from functools import cache
from importlib.resources import files

from sphinx import locale

from booksite.settings import WORDS

CATALOGUES = {
    "sphinx": ["pydata_sphinx_theme/locale", "sphinx/locale"],
    "booktheme": ["sphinx_book_theme/theme/sphinx_book_theme/static/locales"],
    "proof": ["sphinx_proof/translations/locales"],
    "exercise": ["sphinx_exercise/translations/locales"],
}


class OwnStrings(gettext.NullTranslations):
    """The strings of `words.yml`; any other is looked up in the packages' catalogues."""

    def _parse(self, strings):
        self.strings = strings

    def gettext(self, message):
        return self.strings.get(message) or super().gettext(message)


@cache
def translator(name, catalogue):
    """One catalogue in one locale."""
    chain = OwnStrings(WORDS[name].get(catalogue, {}))
    spellings = [name, name.replace("_", "-").lower(), name.split("_")[0]]
    for place in CATALOGUES[catalogue]:
        package, _, folder = place.partition("/")
        chain.add_fallback(gettext.translation(catalogue, files(package) / folder, spellings, fallback=True))
    return chain


def speak(edition):
    """Make every catalogue speak the language of an edition."""
    for catalogue in CATALOGUES:
        locale.translators["general", catalogue] = translator(edition.locale, catalogue)


def speak_while_reading(app, docname, source):
    edition = app.config.booksite.language_of(docname)
    speak(edition)
    app.config.proof_title_format = "%t".join(WORDS[edition.locale]["titles"])


def speak_while_resolving(document, env):
    """The earliest moment at which "Figure 1.2" may change: the configuration that is pickled must stay as it was."""
    edition = env.config.booksite.language_of(env.docname)
    speak(edition)
    env.config.numfig_format = {**env.config.numfig_format, **WORDS[edition.locale]["numbered"]}


def speak_while_writing(page):
    name, context = page.language.locale, page.context
    speak(page.language)
    page.app.builder.templates.environment.install_gettext_translations(translator(name, "sphinx"))
    context["theme_search_bar_text"] = translator(name, "booktheme").gettext(context["theme_search_bar_text"])
