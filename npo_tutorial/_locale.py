"""Which language to use when no page sets one: in a notebook's demos, in saved pages, in the homework's checks."""

import locale
import os

from npo_tutorial._checks import check_choice

LANGUAGES = ("en", "zh")
VARIABLE = "NPO_TUTORIAL_LANG"


def chosen_language() -> str:
    """The language in the environment variable, or "" if it is not set."""
    language = os.environ.get(VARIABLE, "")
    return language and check_choice(VARIABLE, language, LANGUAGES)


def preferred_language() -> str:
    """The language in the environment variable, else that of the locale, else English."""
    try:
        # zh_CN, or on Windows Chinese (Simplified)_China
        of_locale = (locale.getlocale()[0] or "").lower()
    except ValueError:  # a locale unknown to Python
        of_locale = ""
    return chosen_language() or ("zh" if of_locale.startswith(("zh", "chinese")) else "en")
