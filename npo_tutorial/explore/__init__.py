"""`explore`: a function's curves under sliders and buttons, live in a notebook or in a page without a kernel.

Python evaluates the function at every point of a grid of parameters, and computes all limits and sentences; the script
next to this module only looks numbers up and draws them. Nothing here depends on what the curves mean.

`explore` (build.py) checks its arguments, evaluates the functions and returns an `Explorer` (explorer.py). What it
draws is in kinds.py, grids.py, panels.py and passages.py; the form in which the script receives it is in chart.py.
`save_html` (html.py) writes explorers to a page.
"""

from npo_tutorial.explore.build import explore
from npo_tutorial.explore.explorer import Explorer
from npo_tutorial.explore.grids import Grid
from npo_tutorial.explore.html import save_html
from npo_tutorial.explore.kinds import Band, Images, Marker, Path, Points
from npo_tutorial.explore.panels import Panel
from npo_tutorial.explore.passages import Passage

__all__ = ["Band", "Explorer", "Grid", "Images", "Marker", "Panel", "Passage", "Path", "Points", "explore", "save_html"]
