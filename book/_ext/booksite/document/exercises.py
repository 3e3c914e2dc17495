"""`:check: npo_loss` of an exercise names a question of the homework, whose field and check `book/in_page` adds."""

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx_exercise.directive import ExerciseDirective


class CheckedExercise(ExerciseDirective):
    option_spec = ExerciseDirective.option_spec | {"check": directives.unchanged_required}

    def run(self):
        made = super().run()
        for _, body in made if "check" in self.options else ():
            place = nodes.raw("", f'<div data-check="{self.options["check"]}"></div>', format="html")
            # before the short answer
            body.insert(body.first_child_matching_class(nodes.admonition) or len(body), place)
        return made
