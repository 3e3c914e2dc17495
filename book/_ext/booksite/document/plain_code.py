"""Code without the marks that nothing shows: a long chapter has thousands of them, and each is styled and laid out.

Names, punctuation and blanks have the colour of the text around them, in the theme's light style and in its dark one.
"""

from pygments.formatters import HtmlFormatter
from pygments.styles import get_style_by_name
from pygments.token import STANDARD_TYPES, Text


class PlainCode(HtmlFormatter):
    """HTML in which what looks like text in all of `styles` is text."""

    styles = ()

    def looks_like_text(self, kind):
        # a style knows the general kinds
        while kind not in STANDARD_TYPES:
            kind = kind.parent
        return all(style.style_for_token(kind) == style.style_for_token(Text) for style in self.styles)

    def format_unencoded(self, tokensource, outfile):
        tokens = ((Text if self.looks_like_text(kind) else kind, text) for kind, text in tokensource)
        super().format_unencoded(tokens, outfile)


def replace_formatter(app):
    if app.builder.format == "html":
        options = app.builder.theme.get_options(app.config.html_theme_options)
        PlainCode.styles = [get_style_by_name(options[f"pygments_{scheme}_style"]) for scheme in ("light", "dark")]
        app.builder.highlighter.formatter = PlainCode
