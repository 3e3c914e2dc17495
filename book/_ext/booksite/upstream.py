"""Workarounds for other packages, each with what it waits for: `test_upstream.py` says when one may go."""

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
# docutils puts the entries of a list of references into a list, but gives them a role that is none of a list's items
ENTRY, ITEM = ' role="doc-biblioentry"', ' role="listitem"'
# read aloud, such a link would be called "number sign"; its tooltip says what it is
PERMALINK = re.compile(r'(<a class="headerlink" [^>]*\btitle=("[^"]*"))')


class TranslatedProof(ProofDirective):
    """sphinx-proof writes the English word "Proof" into the text, where it breaks a proof that opens with a formula.

    Gone when its directive translates the word and puts it into a paragraph of its own.
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


def drop_repeated_ids(document, env):
    """sphinx-proof and sphinx-exercise give one id to the bodies of all their boxes. Gone when they give none."""
    for section in document.findall(nodes.section):
        section["ids"] = [name for name in section["ids"] if name not in REPEATED_IDS]


def own_parentheses(document, env):
    """sphinx-exercise puts the title of an exercise between English parentheses. Gone when they are translated."""
    opening, closing = words(env.config.booksite.language_of(env.docname), "titles")
    for exercise in document.findall(exercise_enumerable_node):
        title = exercise[0]
        if len(title) > 1:
            title[0], title[-1] = nodes.Text(opening), nodes.Text(closing)


def name_for_screen_readers(page):
    """Roles and names that docutils and Sphinx get wrong. Gone when they write them."""
    if "body" in page.context:
        body = page.context["body"].replace(ENTRY, ITEM)
        page.context["body"] = PERMALINK.sub(r"\1 aria-label=\2", body)


def leave_out_search(app):
    """Sphinx's own search finds no Chinese words. Gone when it can be switched off by a setting."""
    if isinstance(app.builder, StandaloneHTMLBuilder):
        app.builder.search = False


def forget_after_warnings(app):
    """Sphinx warns only of the pages that it reads: after a warning the next strict build must not pass in silence."""
    if app._warncount:
        Path(app.doctreedir, "environment.pickle").unlink(missing_ok=True)
