"""Measurements. Each module is a command."""

import argparse

from npo_tutorial._console import replace_unprintable


def make_parser(name, description):
    """The parser of the command `python -m NAME`, whose --help any console can print."""
    replace_unprintable()
    formatter = argparse.RawDescriptionHelpFormatter
    return argparse.ArgumentParser(prog=f"python -m {name}", description=description, formatter_class=formatter)
