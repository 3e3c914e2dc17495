"""Numbers that start again in each edition: Figure 1.1 exists once in Chinese and once in English.

Sphinx counts figures, equations, theorems and exercises through the whole site, so the second edition would continue
where the first one stopped. Sphinx counts anew in every build, and the counts are corrected here right after.
"""

from copy import deepcopy


def as_counted(app, env):
    """What Sphinx counted last time: it writes every page again whose numbers are not what it counts now."""
    env.toc_fignumbers = getattr(env, "counted_fignumbers", env.toc_fignumbers)
    return []


def restart(app, env):
    env.counted_fignumbers = deepcopy(env.toc_fignumbers)
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
