"""A font less the characters that nobody will see, to stand in a style sheet; shared by `icons` and `formula_fonts`."""

import logging
from base64 import b64encode
from io import BytesIO

from fontTools.subset import Options, Subsetter, load_font, save_font

# it tells of every table that it cuts, in a build whose output is read for what went wrong
logging.getLogger("fontTools").setLevel(logging.WARNING)


def subset(path, characters):
    """The address of a font that has, of the one in a file, the glyphs of these characters: the font itself as data."""
    options = Options(flavor="woff2", hinting=False, ignore_missing_unicodes=True, notdef_outline=True)
    font = load_font(str(path), options)
    cutter = Subsetter(options)
    cutter.populate(text="".join(characters))
    cutter.subset(font)
    small = BytesIO()
    save_font(font, small, options)
    return f"data:font/woff2;base64,{b64encode(small.getvalue()).decode()}"
