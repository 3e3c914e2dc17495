"""Texts in one language or in several."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

Text: TypeAlias = str | dict[str, str]


def check_text(name: str, text: Text) -> Text:
    """A text in one language or in several, English among them."""
    if isinstance(text, str):
        return text
    if not isinstance(text, dict) or not all(isinstance(part, str) for pair in text.items() for part in pair):
        raise TypeError(f'{name} must be a str or a dict {{"en": …, "zh": …}}, got {text!r}')
    if "en" not in text:
        raise ValueError(f'{name} must have a text for "en", got {text!r}')
    return dict(text)


def check_texts(name: str, texts: Mapping[str, Text] | None, keys: Sequence[str], things: str) -> list[Text]:
    """A text for each key: its own of `texts`, else the key itself."""
    texts = {} if texts is None else texts
    if not isinstance(texts, dict):
        raise TypeError(f"{name} must be a dict from {things} to texts, got {texts!r}")
    for key in texts:
        if key not in keys:
            raise ValueError(f"{name} must have only {things} as keys, {', '.join(keys)}, got {key!r}")
    return [check_text(f"{name}[{key!r}]", texts.get(key, key)) for key in keys]


def in_language(text: Text, language: str = "en") -> str:
    """A text, or the one of several that a page in this language shows."""
    return text if isinstance(text, str) else text.get(language, text["en"])


def in_all_languages(text: Text, separator: str = " · ") -> str:
    """A text in all its languages, each wording once."""
    return text if isinstance(text, str) else separator.join(dict.fromkeys(text.values()))


def format_values(values: Mapping[str, float | str]) -> str:
    """Values of parameters in words: "beta=0.1, method='GA'"."""
    return ", ".join(
        f"{name}={value!r}" if isinstance(value, str) else f"{name}={value:g}" for name, value in values.items()
    )
