"""What a newcomer reads: the README's two commands are those that CI runs, its examples run, the rest stays short."""

import re

import pytest

from tests.conftest import ROOT

README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.S)


def test_exactly_two_commands_the_same_in_both_languages():
    commands = [code.strip() for language, code in BLOCKS if language == "bash"]
    assert commands[:2] == commands[2:]
    assert len(commands) == 4


def test_continuous_integration_runs_the_same_steps():
    script = "".join((ROOT / f".ci/{name}").read_text("utf-8") for name in ("steps", "run"))
    assert "python3 -m venv .venv" in script
    for part in ("-r requirements-test.txt", ".venv/bin/jupyter-book build .", ".venv/bin/pytest"):
        assert part in script
        assert part in README


def test_how_to_run_names_the_same_commands():
    commands = {code.strip() for language, code in BLOCKS if language == "bash"}
    for edition in ("zh", "en"):
        page = (ROOT / f"book/{edition}/how-to-run.md").read_text("utf-8")
        for command in commands:
            for part in command.split(" && "):
                assert part in page, f"{edition}: {part}"


def test_the_examples_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    examples = [code for language, code in BLOCKS if language == "python"]
    losses, sliders = examples[:2]
    assert examples[2:] == [losses, sliders], "the same in both languages"
    scope = {}
    exec(losses, scope)
    assert 0 < scope["logp"].grad[1] < scope["logp"].grad[0] < 0.5
    exec(sliders, scope)
    assert "npo-explorer" in (tmp_path / "weight.html").read_text("utf-8")


def lines(*paths):
    return sum(len(path.read_text("utf-8").splitlines()) for path in paths)


def rules():
    """The entries of CONTRIBUTING's "If you change X, also change Y"."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    _, found, _ = re.split(r"^## If you change X.*|^## Publishing", text, flags=re.M)
    return re.findall(r"^- \*\*", found, re.M)


@pytest.mark.parametrize(
    ("what", "measured", "limit"),
    [
        ("_config.yml, in lines", lines(ROOT / "_config.yml"), 120),
        ("the Python of book/_ext, in lines", lines(*(ROOT / "book/_ext").rglob("*.py")), 2300),
        ("the rules of CONTRIBUTING, “If you change X”", len(rules()), 22),
    ],
)
def test_what_a_newcomer_must_know_stays_short(what, measured, limit):
    assert 0 < measured < limit, f"{what}: must stay below {limit}, got {measured}; simplify before you add"
