"""What commands print, on consoles whose encoding lacks some of it: a Windows console, `LC_ALL=C`."""

import sys


def replace_unprintable():
    """Print "?" for a character that stdout's encoding lacks; stderr writes an escape for it already."""
    # not every stdout can be changed: a notebook's cannot
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
