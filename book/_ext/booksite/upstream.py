"""Workarounds for other packages, each with its issue there and when it may go; `test_upstream.py` says when that is.

Some have to be elsewhere:
- `language/catalogues.py`: a build has one language (sphinx-doc/sphinx#788, open). Gone when a page has its own.
- `language/numbering.py`: Sphinx numbers figures through all parts (sphinx-doc/sphinx#8170, open). Its pull request
  #14081, `numfig_restart`, would restart figures, but not equations and theorems.
- `document/reading_times.py` uses `env.app`, which Sphinx 9 deprecates (sphinx-doc/sphinx#13627). Gone when a link can
  be made without the builder.
- `document/formulas.py`: KaTeX writes an empty `columnspacing`, not reported yet. Gone when it writes none.
- `templates/layout.html`: the theme opens downloads in a tab (executablebooks/sphinx-book-theme#863, open), has its
  contents outside all landmarks (pull request pydata/pydata-sphinx-theme#1454, open), loads Sphinx's search index on
  every page, and at once the pictures of closed menus (neither reported yet). Gone one by one.
- `templates/static/webpack-macros.html`, `finish/assets.py`: the theme loads many files, among them 1.4 MB of icons as
  a script (pydata/pydata-sphinx-theme#2379, open, with pull request #2494). Gone when a site can choose.
- `corrected` in `assets.yml`: sphinx-copybutton knows "zh-CN", but not "zh-Hans" (not reported yet);
  sphinx-togglebutton leaves a button's name in English (its pull request #66 translates the rest).
- `nb_ipywidgets_js` in `_config.yml`: MyST-NB loads the scripts of widgets from other hosts (since its pull request
  #491, which chose them). Gone when it names none by default.
"""

import re
from pathlib import Path

from docutils import nodes
from sphinx.builders.html import StandaloneHTMLBuilder
from sphinx.locale import get_translation
from sphinx_exercise.nodes import exercise_enumerable_node
from sphinx_proof.directive import ProofDirective
from sphinx_proof.nodes import proof_node

from booksite.words import words

REPEATED_IDS = {"proof-content", "exercise-content", "solution-content"}
# docutils puts the entries of a list of references into a list, but gives them a role that list items cannot have
ENTRY, ITEM = ' role="doc-biblioentry"', ' role="listitem"'
# read aloud, such a link would be called "number sign"; its tooltip says what it is
PERMALINK = re.compile(r'(<a class="headerlink" [^>]*\btitle=("[^"]*"))')
HINT = "let toggleHint"


class TranslatedProof(ProofDirective):
    """sphinx-proof writes the English word "Proof" into the text, where it breaks a proof that opens with a formula.

    executablebooks/sphinx-proof#119 translated it and was closed as merged by other means; 0.4.0 does not have it. Gone
    when the directive translates the word and puts it into a paragraph of its own.
    """

    def run(self):
        translate = get_translation("proof")
        body = nodes.admonition(classes=["proof", *self.options.get("class", [])])
        self.state.nested_parse(self.content, self.content_offset, body)
        if not isinstance(body.next_node(), nodes.paragraph):
            body.insert(0, nodes.paragraph())
        stop = "。" if translate("Proof") != "Proof" else ". "
        body[0].insert(0, nodes.strong("", translate("Proof") + stop))
        return [proof_node("", body)]


def accept_comments(app):
    """Jupyter Book sets `comments_config`, and without the extension that reads it Sphinx would warn. Not reported yet.

    Gone when the default configuration of Jupyter Book has no `comments`.
    """
    app.add_config_value("comments_config", {}, "")


def leave_out_search(app):
    """Sphinx's own search finds no Chinese words. Gone when a setting can switch it off (sphinx-doc/sphinx#14308)."""
    if isinstance(app.builder, StandaloneHTMLBuilder):
        app.builder.search = False


def drop_repeated_ids(document, env):
    """sphinx-proof and sphinx-exercise give one id to the bodies of all their boxes. Not reported yet.

    Gone when they give none.
    """
    for section in document.findall(nodes.section):
        section["ids"] = [name for name in section["ids"] if name not in REPEATED_IDS]


def own_parentheses(document, env):
    """sphinx-exercise puts the title of an exercise between English parentheses. Not reported yet.

    Gone when they are translated, or a setting like sphinx-proof's `proof_title_format`.
    """
    opening, closing = words(env.config.booksite.language_of(env.docname), "titles")
    for exercise in document.findall(exercise_enumerable_node):
        title = exercise[0]
        if len(title) > 1:
            title[0], title[-1] = nodes.Text(opening), nodes.Text(closing)


def say_hints(page, say):
    """sphinx-togglebutton puts its hints into the page in the language of the build.

    executablebooks/sphinx-togglebutton#54 (open) asks for hints that are not the same everywhere. Gone when its script
    reads them from the page.
    """
    hints = {f"{HINT}Show": say("Click to show"), f"{HINT}Hide": say("Click to hide")}
    files = page.context["script_files"]
    files[:] = [file for file in files if HINT not in str(file.attributes.get("body"))]
    page.app.add_js_file(None, body="".join(f'{variable} = "{text}";' for variable, text in hints.items()))


def name_for_screen_readers(page):
    """Roles and names that docutils and Sphinx get wrong. Not reported yet; w3c/dpub-aria#22 deprecated the role.

    Gone when docutils writes another one and Sphinx names its permalinks.
    """
    if "body" in page.context:
        body = page.context["body"].replace(ENTRY, ITEM)
        page.context["body"] = PERMALINK.sub(r"\1 aria-label=\2", body)


def forget_after_warnings(app):
    """Sphinx warns only of the pages that it reads: after a warning the next strict build must not pass in silence.

    sphinx-doc/sphinx#4937, closed as a duplicate of #725. Gone when a build repeats the warnings of the one before.
    """
    if app._warncount:
        Path(app.doctreedir, "environment.pickle").unlink(missing_ok=True)
