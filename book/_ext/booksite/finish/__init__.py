"""What happens to the site when Sphinx has written its pages: plain functions, in the order of `STEPS`."""

from booksite.finish.archive import pack_archive
from booksite.finish.assets import (
    copy_katex,
    copy_mount_script,
    correct_scripts,
    drop_unused_files,
    join_assets,
    stamp_versions,
)
from booksite.finish.concept_map import write_concept_map
from booksite.finish.embeds import write_embeds
from booksite.finish.extra_pages import write_404, write_homework, write_robots, write_sitemap
from booksite.finish.fonts import subset_formula_fonts, subset_icons
from booksite.finish.policy import add_content_policy
from booksite.finish.search import index_for_search
from booksite.finish.unused_styles import drop_unused_rules
from booksite.finish.without_scripts import write_sheet_without_scripts

# pages and files that Sphinx does not write
EXTRA = (write_embeds, write_concept_map, write_404, write_sitemap, write_robots, write_homework)
# files that pages ask for
FILES = (copy_katex, copy_mount_script, correct_scripts, drop_unused_files, write_sheet_without_scripts)
# one style sheet and one script
JOINED = (subset_icons, subset_formula_fonts, join_assets, drop_unused_rules, stamp_versions)
# these see the site as it is published
LAST = (index_for_search, add_content_policy, pack_archive)
STEPS = (*EXTRA, *FILES, *JOINED, *LAST)


def run(site):
    for step in STEPS:
        step(site)
    site.save()
