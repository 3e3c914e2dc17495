"""Which language is used when no page sets one."""

import locale

import pytest

from npo_tutorial._locale import VARIABLE, chosen_language, preferred_language


@pytest.fixture
def locale_is(monkeypatch):
    return lambda name: monkeypatch.setattr(locale, "getlocale", lambda: (name, "UTF-8"))


@pytest.mark.parametrize(
    ("name", "language"),
    [
        ("zh_CN", "zh"),
        ("zh_TW", "zh"),
        ("Chinese (Simplified)_China", "zh"),
        ("de_DE", "en"),
        ("C", "en"),
        (None, "en"),
    ],
)
def test_without_the_variable_the_locale_decides(monkeypatch, locale_is, name, language):
    locale_is(name)
    for unset in (lambda: monkeypatch.delenv(VARIABLE, raising=False), lambda: monkeypatch.setenv(VARIABLE, "")):
        unset()
        assert chosen_language() == "" and preferred_language() == language


def test_a_locale_without_a_name_means_english(monkeypatch):
    def getlocale():
        raise ValueError("unknown locale: x")

    monkeypatch.setattr(locale, "getlocale", getlocale)
    monkeypatch.delenv(VARIABLE, raising=False)
    assert preferred_language() == "en"


@pytest.mark.parametrize(("language", "name"), [("zh", "en_US"), ("en", "zh_CN")])
def test_the_variable_comes_first(monkeypatch, locale_is, language, name):
    locale_is(name)
    monkeypatch.setenv(VARIABLE, language)
    assert chosen_language() == preferred_language() == language


def test_an_unknown_language_is_named(monkeypatch):
    monkeypatch.setenv(VARIABLE, "zh_CN")
    with pytest.raises(ValueError, match="NPO_TUTORIAL_LANG must be one of 'en', 'zh', got 'zh_CN'"):
        preferred_language()
