"""Numbers that start again in each edition: Figure 1.1 exists once in Chinese and once in English.

Sphinx counts figures, equations, theorems and exercises through the whole site, so the second edition would continue
where the first one stopped. Sphinx counts anew in every build, and the counts are corrected here right after.
"""

from copy import deepcopy

from sphinx.environment.collectors.toctree import TocTreeCollector


def keep_counts():
    """Let Sphinx compare its counts with what it counted last time, and write only pages whose numbers changed.

    Without this it compares them with the corrected ones, and with those that sphinx-external-toc has corrected.
    """
    for method, attribute in (
        ("assign_section_numbers", "toc_secnumbers"),
        ("assign_figure_numbers", "toc_fignumbers"),
    ):
        setattr(TocTreeCollector, method, counting(getattr(TocTreeCollector, method), attribute))


def counting(assign, attribute):
    def count(self, env):
        setattr(env, attribute, getattr(env, f"counted_{attribute}", getattr(env, attribute)))
        changed = assign(self, env)
        setattr(env, f"counted_{attribute}", deepcopy(getattr(env, attribute)))
        return changed

    return count


def restart(app, env):
    counts = {}
    for docname in reading_order(env, env.config.root_doc):
        edition = app.config.booksite.edition_of(docname)
        for kind, numbers in env.toc_fignumbers.get(docname, {}).items():
            for target, number in sorted(numbers.items(), key=lambda item: item[1]):
                series = (edition, kind, number[:-1])
                counts[series] = counts.get(series, 0) + 1
                numbers[target] = (*number[:-1], counts[series])
    return []


def reading_order(env, docname):
    yield docname
    for child in env.toctree_includes.get(docname, []):
        yield from reading_order(env, child)
