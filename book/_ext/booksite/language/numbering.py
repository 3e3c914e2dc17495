"""Numbers that start again in each edition: Figure 1.1 exists once in Chinese and once in English.

Sphinx counts figures, equations, theorems and exercises through the whole site, so the second edition would continue
where the first one stopped. Its counts are made anew in every build, and corrected here right after.
"""

from booksite.editions import edition_of


def restart(app, env):
    counts = {}
    for docname in reading_order(env, env.config.root_doc):
        edition = edition_of(app, docname)
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


def setup(app):
    app.connect("env-get-updated", restart, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
