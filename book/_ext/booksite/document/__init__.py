"""What happens to a page's document tree before it is written, in order."""

from sphinx.transforms.post_transforms import SphinxPostTransform

from booksite.demos import drop_mount_scripts
from booksite.document.code import fold_code
from booksite.document.distant_blocks import mark_distant_blocks
from booksite.document.text import fold_boxes, join_authors, typeset_numbers
from booksite.language.catalogues import speak_while_resolving
from booksite.upstream import drop_repeated_ids, own_parentheses


class Before(SphinxPostTransform):
    """While "Figure 1.2" is not yet a text, and MyST-NB has not yet chosen one form of each output."""

    default_priority = 0
    formats = ("html",)
    steps = (speak_while_resolving, drop_mount_scripts, fold_code)

    def run(self, **kwargs):
        for step in self.steps:
            step(self.document, self.env)


class After(Before):
    """When all references are texts."""

    default_priority = 900
    steps = (own_parentheses, typeset_numbers, join_authors, drop_repeated_ids, mark_distant_blocks, fold_boxes)
