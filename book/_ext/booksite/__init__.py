"""The site's machinery as one Sphinx extension."""

from booksite import editions, execution, site_root, strict_builds
from booksite.demos import embeds, state
from booksite.document import (
    distant_blocks,
    docstrings,
    formulas,
    numbers,
    plain_code,
    proofs,
    punctuation,
    reading_times,
    unique_ids,
)
from booksite.finish import (
    archive,
    concept_map,
    extra_pages,
    formula_fonts,
    homework,
    icons,
    joined_files,
    lean_theme,
    policy,
    search,
    unused_styles,
    without_scripts,
)
from booksite.language import catalogues, navigation, numbering
from booksite.notebooks import write as notebooks
from booksite.page import comments, footer, head, images, launch, spoken_names

PARTS = (
    editions,
    catalogues,
    numbering,
    navigation,
    site_root,
    head,
    footer,
    comments,
    extra_pages,
    concept_map,
    state,
    embeds,
    formulas,
    plain_code,
    punctuation,
    numbers,
    proofs,
    unique_ids,
    reading_times,
    docstrings,
    execution,
    notebooks,
    launch,
    search,
    homework,
    policy,
    archive,
    strict_builds,
    lean_theme,
    without_scripts,
    spoken_names,
    images,
    distant_blocks,
    icons,
    formula_fonts,
    joined_files,
    unused_styles,
)


def setup(app):
    for part in PARTS:
        part.setup(app)
    return {"env_version": 1, "parallel_read_safe": True, "parallel_write_safe": False}
