"""Printing on consoles whose encoding lacks some characters: a Windows console, `LC_ALL=C`."""

import sys


def replace_unprintable() -> None:
    """Print "?" for a character that the encoding of stdout lacks; stderr already writes an escape for it."""
    # a notebook's stdout cannot be reconfigured
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
