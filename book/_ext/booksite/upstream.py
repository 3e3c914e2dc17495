"""Workarounds for other packages, each with its issue and when it may go; `UPSTREAM.md` lists those elsewhere."""

import re
from pathlib import Path

from docutils import nodes
from sphinx.locale import get_translation
from sphinx_exercise.nodes import exercise_enumerable_node
from sphinx_proof.directive import ProofDirective
from sphinx_proof.nodes import proof_node

REPEATED_IDS = {"proof-content", "exercise-content", "solution-content"}
# docutils puts the entries of a list of references into a list, but gives them a role that list items cannot have
ENTRY, ITEM = ' role="doc-biblioentry"', ' role="listitem"'
# read aloud, such a link would be called "number sign"; its tooltip says what it is
PERMALINK = re.compile(r'(<a class="headerlink" [^>]*\btitle=("[^"]*"))')


class TranslatedProof(ProofDirective):
    """sphinx-proof writes the English word "Proof" into the text, where it breaks a proof that opens with a formula.

    executablebooks/sphinx-proof#119, closed. Gone when the word is translated and has a paragraph of its own.
    """

    def run(self):
        body = nodes.admonition(classes=["proof", *self.options.get("class", [])])
        self.state.nested_parse(self.content, self.content_offset, body)
        if not isinstance(body.next_node(), nodes.paragraph):
            body.insert(0, nodes.paragraph())
        word = get_translation("proof")("Proof")
        body[0].insert(0, nodes.strong("", word + (". " if word == "Proof" else "。")))
        return [proof_node("", body)]


def prepare(app):
    # Jupyter Book sets it, and without the extension that reads it Sphinx warns (not reported yet); gone when unset
    app.add_config_value("comments_config", {}, "")
    # Sphinx's own search finds no Chinese words; gone when a setting can switch it off (sphinx-doc/sphinx#14308)
    app.connect("builder-inited", lambda app: setattr(app.builder, "search", False))
    # Sphinx repeats no warnings, so a strict build would pass at the second attempt, and half a page counts as new: all
    # starts anew after a warning or a build that was broken off; gone when warnings are repeated and pages whole
    # (sphinx-doc/sphinx#4937, closed as a duplicate of #725)
    app.unfinished = Path(app.doctreedir, "unfinished")
    if app.unfinished.exists():
        Path(app.doctreedir, "environment.pickle").unlink(missing_ok=True)


def drop_repeated_ids(document, env):
    """sphinx-proof and sphinx-exercise give one id to all their bodies (not reported yet). Gone when they give none."""
    for section in document.findall(nodes.section):
        section["ids"] = [name for name in section["ids"] if name not in REPEATED_IDS]


def own_parentheses(document, env):
    """sphinx-exercise puts titles between English parentheses (its #73, open). Gone when a setting says which."""
    opening, closing = env.config.booksite.language_of(env.docname).words("titles")
    for exercise in document.findall(exercise_enumerable_node):
        title = exercise[0]
        if len(title) > 1:
            title[0], title[-1] = nodes.Text(opening), nodes.Text(closing)


def close_up_titles(page):
    """sphinx-proof and sphinx-exercise put a space after numbers (not reported yet), in Chinese too. Gone when not."""
    opening = page.words("titles")[0]
    if "body" in page.context and not opening.startswith(" "):
        page.context["body"] = page.context["body"].replace(f" </span>{opening}", f"</span>{opening}")


def name_for_screen_readers(page):
    """Roles and names that docutils and Sphinx get wrong (not reported yet; see w3c/dpub-aria#22). Gone when right."""
    if "body" in page.context:
        page.context["body"] = PERMALINK.sub(r"\1 aria-label=\2", page.context["body"].replace(ENTRY, ITEM))
