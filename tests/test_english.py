"""Comments, docstrings and messages avoid phrases that read as translated."""

import ast
import io
import re
import tokenize

import pytest

from tests.conftest import ROOT

FOLDERS = ("npo_tutorial", "book", "tests")
# a phrase, and what to write instead
PHRASES = {
    r"whoever|nobody|somebody": "name the person: readers, users, callers",
    r"he|his|him": "they, their, them",
    r"one (?:would|sees|gets|knows|writes|has to|must)": "you, we, or the passive",
    r"(?<!there )(?:is|are|was|were) no(?! longer| more| less| later| earlier| better| worse)": "is not a, are not",
    r"(?<!there )(?:is|are|was|were) (?-i:none)(?! of)": "is not one, or say what it is",
    r"rightly|wrongly": "correctly, incorrectly",
    r"pass(?:es|ed)? over": "skip",
    r"looked (?:at|for)": "checked, read, searched for",
    r"in the place of": "in place of, instead of",
    r"so (?:many|much|few)": "this many, this much, this few",
    r"superfluous": "say what must be left out",
    r"heeds?|mends?|mended": "follow, fix",
    r"without unit": "dimensionless",
    r"e\.g\.|i\.e\.": "for example, that is",
    r"percent": "per cent, or % after a number",
}
AVOIDED = [
    (re.compile(rf"(?<![\w“\"'`-])(?:{phrase})(?![\w”\"'`-])", re.I), better) for phrase, better in PHRASES.items()
]


def python_texts(source):
    """(line, text) of the comments, the docstrings, and the messages of errors and assertions."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(ast.parse(source)):
        message = node.msg if isinstance(node, ast.Assert) else node.exc if isinstance(node, ast.Raise) else None
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node):
            message = node.body[0].value
        for part in ast.walk(message) if message else ():
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                yield from enumerate(part.value.splitlines(), start=part.lineno)


def script_texts(source):
    """(line, text) of the comments of a script or a style sheet."""
    for comment in re.finditer(r"(?s:/\*.*?\*/)|(?m:(?<!:)//.*$)", source):
        yield from enumerate(comment[0].splitlines(), start=source.count("\n", 0, comment.start()) + 1)


def faults(texts):
    return [
        f"{line}: not “{match[0]}”, but {better}"
        for line, text in texts
        for phrase, better in AVOIDED
        for match in phrase.finditer(text)
    ]


@pytest.mark.parametrize("folder", FOLDERS)
def test_comments_docstrings_and_messages_avoid_translated_phrases(folder):
    readers = {".py": python_texts, ".js": script_texts, ".css": script_texts}
    paths = [
        path for path in sorted((ROOT / folder).rglob("*")) if path.suffix in readers and "katex" not in path.parts
    ]
    assert len(paths) > 20
    found = [
        f"{path.relative_to(ROOT)}:{fault}"
        for path in paths
        for fault in faults(readers[path.suffix](path.read_text("utf-8")))
    ]
    assert not found, "\n".join(["these phrases read as translated:", *found])


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ('"""Whoever comes back."""', ["1"]),
        ('def f():\n    """A sum.\n\n    Its terms are no numbers.\n    """', ["4"]),
        ("x = 1  # classified rightly, e.g. a 3", ["1", "1"]),
        ('raise ValueError(f"{name} is no number, got {x}")', ["1"]),
        ('assert x, (\n    f"so many of {x}"\n)', ["2"]),
        ("# there is no model, which is no longer needed\nx = 'nobody'", []),
        ("# the word “nobody”, and the variable `his`", []),
        ('def f():\n    """There were no complaints, none is left, and the result is None."""', []),
    ],
)
def test_translated_phrases_are_found(source, lines):
    assert [fault.partition(":")[0] for fault in faults(python_texts(source))] == lines


def test_translated_phrases_are_found_in_scripts():
    source = "const url = 'https://nobody.example';\n/* A rule\n   for him */\nlet a; // heed it\n"
    assert [fault.partition(":")[0] for fault in faults(script_texts(source))] == ["3", "4"]
