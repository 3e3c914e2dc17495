"""What happens to the site when Sphinx has written its pages: plain functions, in the order of `STEPS`."""

from booksite.finish.archive import pack_archive
from booksite.finish.assets import copy_files, correct_scripts, drop_unused_files, join_assets, stamp_versions
from booksite.finish.concept_map import write_concept_map
from booksite.finish.embeds import write_embeds
from booksite.finish.extra_pages import write_404, write_homework, write_sitemap
from booksite.finish.fonts import embed_fonts
from booksite.finish.policy import add_content_policy
from booksite.finish.search import index_for_search
from booksite.finish.unused_styles import drop_unused_rules
from booksite.finish.without_scripts import write_sheet_without_scripts

# pages and files that Sphinx does not write
EXTRA = (write_embeds, write_concept_map, write_404, write_sitemap, write_homework)
# one style sheet and one script; the fonts have the icons of the rules that are left
JOINED = (copy_files, correct_scripts, write_sheet_without_scripts, join_assets, drop_unused_rules, embed_fonts)
# these see the site as it is published
LAST = (stamp_versions, index_for_search, drop_unused_files, add_content_policy, pack_archive)
STEPS = (*EXTRA, *JOINED, *LAST)


def run(site):
    for step in STEPS:
        step(site)
    site.save()
