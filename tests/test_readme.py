"""What a newcomer reads: the README's two commands are those that CI runs, its examples run, the rest stays short."""

import re
import tomllib

import pytest

from tests.conftest import ROOT

README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.S)


def test_exactly_two_commands_the_same_in_both_languages():
    commands = [code.strip() for language, code in BLOCKS if language == "bash"]
    assert len(commands) == 4, f"the README must have two commands in each of two languages, got {commands}"
    assert commands[:2] == commands[2:], f"the README must have the same commands in both languages, got {commands}"


def test_continuous_integration_runs_the_same_steps():
    script = "".join((ROOT / f".ci/{name}").read_text("utf-8") for name in ("steps", "run"))
    assert "python3 -m venv .venv" in script, ".ci/run must make its environment as the README does"
    for part in ("-r requirements-test.txt", ".venv/bin/jupyter-book build .", ".venv/bin/pytest"):
        assert part in script and part in README, f"the README and .ci/run must have the same steps, both {part!r}"


def test_how_to_run_names_the_same_commands():
    commands = {code.strip() for language, code in BLOCKS if language == "bash"}
    for edition in ("zh", "en"):
        page = (ROOT / f"book/{edition}/how-to-run.md").read_text("utf-8")
        for command in commands:
            for part in command.split(" && "):
                assert part in page, f"book/{edition}/how-to-run.md must have the README's command {part!r}"


def test_it_leads_to_how_to_run_and_to_contributing():
    links = set(re.findall(r"\]\(([^)#]+)\)", README))
    absent = {link for link in links if not (ROOT / link).is_file()}
    assert not absent, f"README's links are files of this repository, got {absent}"
    missing = {"book/en/how-to-run.md", "book/zh/how-to-run.md", "CONTRIBUTING.md"} - links
    assert not missing, f"a newcomer finds the next page by a link, but README has none to {missing}"


def test_skipped_tests_say_why():
    options = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["pytest"]["ini_options"]["addopts"]
    shown = re.search(r"-r(\w+)", options)
    assert shown and set(shown[1]) >= set("fEs"), (
        f"README says that a report names skipped tests; with failures and errors that is -rfEs, got {options}"
    )


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
