"""Proofs with "Proof." in the language of the page, and theorems without repeated ids.

sphinx-proof writes the English word into the text of the proof, where it breaks a proof that opens with a formula, and
gives every proof of a page the same id, as it and sphinx-exercise do with the body of every theorem and exercise.
"""

from docutils import nodes
from sphinx.locale import get_translation
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx_proof.directive import ProofDirective
from sphinx_proof.nodes import proof_node

REPEATED = {"proof-content", "exercise-content", "solution-content"}
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


class DropRepeatedIds(SphinxPostTransform):
    default_priority = 900

    def run(self, **kwargs):
        for section in self.document.findall(nodes.section):
            section["ids"] = [name for name in section["ids"] if name not in REPEATED]


def setup(app):
    app.setup_extension("sphinx_proof")
    app.add_directive_to_domain("prf", "proof", TranslatedProof, override=True)
    app.add_post_transform(DropRepeatedIds)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
