"""Gives one sentence on an unsupported Python, where pip would list all versions of a pin. See pyproject.toml."""

import sys

if not (3, 11) <= sys.version_info[:2] <= (3, 14):
    found = "{}.{}".format(*sys.version_info)
    sys.exit(f"npo-tutorial needs Python 3.11, 3.12, 3.13 or 3.14, but this is Python {found}.")

# an unsupported Python may fail to import it
from setuptools import setup

setup()
