"""Which language is spoken where no page says it: by the demos of a notebook, in a page that is saved, by checks."""

import locale
import os

from npo_tutorial._checks import check_choice

LANGUAGES = ("en", "zh")
VARIABLE = "NPO_TUTORIAL_LANG"


def chosen_language():
    """The language that the environment variable asks for, or "" where it asks for none."""
    language = os.environ.get(VARIABLE, "")
    return language and check_choice(VARIABLE, language, LANGUAGES)


def preferred_language():
    """The language that the environment variable asks for, else that of the locale, else English."""
    try:
        # zh_CN, or on Windows Chinese (Simplified)_China
        of_locale = (locale.getlocale()[0] or "").lower()
    except ValueError:  # one that Python does not know
        of_locale = ""
    return chosen_language() or ("zh" if of_locale.startswith(("zh", "chinese")) else "en")
