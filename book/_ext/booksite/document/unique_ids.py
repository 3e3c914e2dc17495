"""No id twice in a page: sphinx-proof and sphinx-exercise give one and the same to several bodies."""

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform

REPEATED = {"proof-content", "exercise-content", "solution-content"}


class DropRepeatedIds(SphinxPostTransform):
    default_priority = 900

    def run(self, **kwargs):
        for section in self.document.findall(nodes.section):
            section["ids"] = [name for name in section["ids"] if name not in REPEATED]


def setup(app):
    app.add_post_transform(DropRepeatedIds)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
