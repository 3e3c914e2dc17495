"""Numbers that start again in each edition: Figure 1.1 exists once in Chinese and once in English.

Sphinx counts figures, equations, theorems and exercises through the whole site, so the second edition would continue
where the first one stopped. Sphinx counts anew in every build, and the counts are corrected here right after.
"""

from collections import Counter
from copy import deepcopy

from sphinx.environment.collectors.toctree import TocTreeCollector


def keep_counts():
    """Let Sphinx compare its counts with what it counted last time, and write only pages whose numbers changed.

    Without this it compares them with the corrected ones, and with those that sphinx-external-toc has corrected.
    """
    for method, numbers in ("assign_section_numbers", "toc_secnumbers"), ("assign_figure_numbers", "toc_fignumbers"):
        setattr(TocTreeCollector, method, counting(getattr(TocTreeCollector, method), numbers, f"counted_{numbers}"))


def counting(assign, numbers, counted):
    def count(self, env):
        setattr(env, numbers, getattr(env, counted, getattr(env, numbers)))
        changed = assign(self, env)
        setattr(env, counted, deepcopy(getattr(env, numbers)))
        return changed

    return count


def restart(app, env):
    counts = Counter()
    # in the order of the contents
    for docname in env.collect_relations():
        edition = app.config.booksite.edition_of(docname)
        for kind, numbers in env.toc_fignumbers.get(docname, {}).items():
            for target, (*chapter, _) in numbers.items():
                series = (edition, kind, *chapter)
                counts[series] += 1
                numbers[target] = (*chapter, counts[series])
    return []
