"""Numbers that start again in each edition: Figure 1.1 exists once in Chinese and once in English.

Sphinx counts figures, equations, theorems and exercises through the whole site, so the second edition would continue
where the first one stopped. Sphinx counts anew in every build, and the counts are corrected here right after.
"""

from collections import Counter

from sphinx_external_toc.collectors import TocTreeCollectorWithStyles


class Numbers(TocTreeCollectorWithStyles):
    def get_updated_docs(self, app, env):
        """Pages whose numbers have changed; Sphinx would compare its own with corrected ones, and write too many."""
        before = numbers_of(env)
        super().get_updated_docs(app, env)
        counts = Counter()
        # in the order of the contents
        for docname in env.collect_relations():
            edition = app.config.booksite.edition_of(docname)
            for kind, numbers in env.toc_fignumbers.get(docname, {}).items():
                for target, (*chapter, _) in numbers.items():
                    counts[edition, kind, *chapter] += 1
                    numbers[target] = (*chapter, counts[edition, kind, *chapter])
        return [docname for docname, numbers in numbers_of(env).items() if numbers != before[docname]]


def numbers_of(env):
    return {name: (env.toc_secnumbers.get(name), env.toc_fignumbers.get(name)) for name in env.found_docs}
