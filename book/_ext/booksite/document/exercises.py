"""`:check: npo_loss` of an exercise names a question of the homework, whose check may run in the page."""

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx_exercise.directive import ExerciseDirective


class CheckedExercise(ExerciseDirective):
    """Marks the place of the answer, before the short answer; `book/in_page` puts the field for it there."""

    option_spec = ExerciseDirective.option_spec | {"check": directives.unchanged_required}

    def run(self):
        made = super().run()
        if made and (name := self.options.get("check")):
            body = made[0][1]
            place = body.first_child_matching_class(nodes.admonition)
            marked = nodes.raw("", f'<div data-check="{name}"></div>', format="html")
            body.insert(len(body) if place is None else place, marked)
        return made
