"""Proofs with "Proof." in the language of the page.

sphinx-proof writes the English word into the text of the proof, where it breaks a proof that opens with a formula.
"""

from docutils import nodes
from sphinx.locale import get_translation
from sphinx_proof.directive import ProofDirective
from sphinx_proof.nodes import proof_node

translate = get_translation("proof")


class TranslatedProof(ProofDirective):
    def run(self):
        body = nodes.admonition(classes=["proof", *self.options.get("class", [])])
        self.state.nested_parse(self.content, self.content_offset, body)
        if not isinstance(body.next_node(), nodes.paragraph):
            body.insert(0, nodes.paragraph())
        stop = "。" if translate("Proof") != "Proof" else ". "
        body[0].insert(0, nodes.strong("", translate("Proof") + stop))
        return [proof_node("", body)]


def setup(app):
    app.setup_extension("sphinx_proof")
    app.add_directive_to_domain("prf", "proof", TranslatedProof, override=True)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
