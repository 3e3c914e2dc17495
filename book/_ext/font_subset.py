"""A font less the characters that nobody will see; shared by `icons` and `formula_fonts`."""

from fontTools.subset import Options, Subsetter, load_font, save_font


def subset(path, characters):
    """Leave in the font of a file the glyphs of these characters, and what joins them."""
    options = Options(flavor="woff2", hinting=False, ignore_missing_unicodes=True, notdef_outline=True)
    font = load_font(str(path), options)
    cutter = Subsetter(options)
    cutter.populate(text="".join(characters))
    cutter.subset(font)
    save_font(font, str(path), options)
