"""What happens to a page's document tree before it is written, in order."""

from sphinx.transforms.post_transforms import SphinxPostTransform

from booksite import upstream
from booksite.demos.state import stand_in_for_widgets
from booksite.document.distant_blocks import mark_distant_blocks
from booksite.document.numbers import typeset_numbers
from booksite.document.punctuation import keep_punctuation
from booksite.document.reading_times import make_tables
from booksite.language.catalogues import speak_while_resolving

# while "Figure 1.2" is not yet a text, and MyST-NB has not yet chosen one form of each output
FIRST = (speak_while_resolving, stand_in_for_widgets, make_tables)
# when all references are texts
LAST = (
    upstream.own_parentheses,
    typeset_numbers,
    keep_punctuation,
    upstream.drop_repeated_ids,
    mark_distant_blocks,
)


class Before(SphinxPostTransform):
    default_priority = 0
    formats = ("html",)
    steps = FIRST

    def run(self, **kwargs):
        for step in self.steps:
            step(self.document, self.env)


class After(Before):
    default_priority = 900
    steps = LAST
