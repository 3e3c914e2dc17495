"""Other machines: consoles and files in other encodings, unsupported Pythons, checkouts on Windows."""

import ast
import importlib
import io
import os
import re
import runpy
import shutil
import stat
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path
from zipfile import ZipFile

import pytest
import yaml

from tests.project import ROOT, ask_git, copy_project, project_files

# Chinese Windows, Western Windows, LC_ALL=C
ENCODINGS = ["gbk", "cp1252", "ascii"]
SOURCES = [ROOT / name for name in project_files() if name.endswith(".py")]
STARTERS = ("run", "Popen", "call", "check_call", "check_output")


def commands():
    """Files of the project that Python can run."""
    for path in SOURCES:
        if path.name == "__main__.py" or re.search("^if __name__ ==", path.read_text("utf-8"), re.M):
            yield path.relative_to(ROOT)


def unspecified(call):
    """Whether a call reads or writes text in an encoding that depends on the machine."""
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", None)
    if "encoding" in given:
        return False
    if name in STARTERS:
        return "text" in given or "universal_newlines" in given
    if name in ("read_text", "write_text"):
        return len(call.args) < (1 if name == "read_text" else 2)
    # the mode is the second argument of the function open, and the first of the method of a path
    is_function = isinstance(call.func, ast.Name)
    mode = given.get("mode", next(iter(call.args[is_function:]), None))
    if name == "open" and (is_function or not (mode or call.args)):
        return mode is None or "b" not in getattr(mode, "value", "b")
    return name in ("open", "fdopen", "NamedTemporaryFile") and getattr(mode, "value", "b") in (
        "r",
        "w",
        "a",
        "x",
        "w+",
    )


def test_every_file_and_subprocess_names_its_encoding():
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and unspecified(node)
    ]
    assert not found, "these calls must name an encoding:\n" + "\n".join(found)


@pytest.mark.parametrize(
    "code, is_found",
    [
        ("open(path)", True),
        ("open(path, 'w')", True),
        ("open(path, 'rb')", False),
        ("open(path, encoding='utf-8')", False),
        ("path.open()", True),
        ("path.open('w')", True),
        ("path.open('rb')", False),
        ("page.open(address)", False),
        ("path.read_text()", True),
        ("path.read_text('utf-8')", False),
        ("path.write_text(text)", True),
        ("path.write_text(text, encoding='utf-8')", False),
        ("subprocess.run(command, text=True)", True),
        ("subprocess.run(command, capture_output=True)", False),
        ("subprocess.check_output(command, encoding='utf-8')", False),
    ],
)
def test_a_call_without_an_encoding_is_found(code, is_found):
    assert unspecified(ast.parse(code, mode="eval").body) == is_found


def load(place):
    """The function that a command runs; a script outside the packages imports the files next to it."""
    if place.parts[0] in ("npo_tutorial", "tests"):
        return importlib.import_module(".".join(place.with_suffix("").parts)).main
    return runpy.run_path(str(ROOT / (place.parent if place.name == "__main__.py" else place)))["main"]


def further_helps(said):
    """What a help says that can be asked for: subcommands, and helps by another name."""
    subcommands = [name for listed in re.findall(r"\{([\w,-]+)\} \.\.\.", said) for name in listed.split(",")]
    subcommands += re.findall(r"python -m [\w.]+ ([\w-]+) --help\b", said)
    return {(name, "--help") for name in subcommands} | {(name,) for name in re.findall(r"--help-\w+", said)}


@pytest.mark.parametrize("place", list(commands()), ids=str)
def test_help_of_every_command_is_printed_on_every_console(place, monkeypatch):
    # without a parser, --help would start the work itself
    assert re.search(r'parse_args\(|make_parser\(|"--help"', (ROOT / place).read_text("utf-8")), f"{place}: no --help"
    if place.stem == "mutants":
        pytest.importorskip("resource", reason="mutants are forks, which Windows does not have")
    main = load(place)
    path = place.with_suffix("").as_posix().removesuffix("/__main__")
    ways = f"usage: python -m {path.replace('/', '.')} ", f"usage: python {place.as_posix()} ", f"usage: python {path} "
    helps = [("--help",)]
    for words in helps:
        monkeypatch.setattr(sys, "argv", [str(place), *words])
        for encoding in ENCODINGS:
            printed = io.BytesIO()
            monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(printed, encoding))
            try:
                main()
            except SystemExit as ended:
                assert not ended.code, words
            sys.stdout.flush()
            said = " ".join(printed.getvalue().decode(encoding).split())
            assert said.startswith(ways), f"{words} must print how the command is called, got {said[:200]}"
        helps += further_helps(said) - set(helps)
    # the two commands with helps for parts of them
    parts = {"npo_tutorial.language": {("--help-all",), ("evaluate", "--help")}}
    parts["book.solutions"] = {("pdf", "--help"), ("students", "--help")}
    assert set(helps) == {("--help",), *parts.get(path.replace("/", "."), ())}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_command_reports_errors_on_every_console(encoding, tmp_path):
    source = tmp_path / "作业.md"
    command = [sys.executable, "-X", "utf8=0", "-m", "npo_tutorial.homework", str(source), "--to", str(tmp_path)]
    environment = {"PYTHONIOENCODING": encoding, "PATH": "", "PYTHONPATH": str(ROOT)}
    run = subprocess.run(command, capture_output=True, env=environment)
    said = run.stderr.decode(encoding)
    assert run.returncode == 2 and said.startswith("python -m npo_tutorial.homework: error: "), said
    assert "Traceback" not in said


@pytest.mark.parametrize("version", ["3.10", "3.15"])
def test_an_unsupported_python_gets_one_sentence(version):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["requires-python"] == ">=3.11,<3.15"
    code = f"import runpy, sys; sys.version_info = ({version.replace('.', ',')}); runpy.run_path('setup.py')"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, encoding="utf-8")
    assert run.returncode == 1
    assert run.stderr == f"npo-tutorial needs Python 3.11, 3.12, 3.13 or 3.14, but this is Python {version}.\n"


def test_a_checkout_on_windows_keeps_the_line_endings_of_scripts():
    listed = ask_git("ls-files", "--eol")
    if listed is None:
        pytest.skip("no git repository here: there is no checkout to check")
    is_safe = [not re.search("crlf|mixed", line) and re.search("eol=lf|-text", line) for line in listed.splitlines()]
    assert is_safe and all(is_safe)


def make_book(folder, *pages):
    """A copy of the project whose book has a front page, and in both languages a first page and the named ones."""
    copy_project(folder)
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))
    for part in contents["parts"]:
        part["chapters"] = [page for page in part["chapters"] if Path(page["file"]).name in ("index", *pages)]
    contents["parts"] = [part for part in contents["parts"] if part["chapters"]]
    (folder / "_toc.yml").write_text(yaml.safe_dump(contents, allow_unicode=True), "utf-8")
    return folder


@pytest.fixture
def small_book(tmp_path):
    return make_book(tmp_path / "small", "performance")


def build(book, before=(), **environment):
    """Build it, in a process with no locale except the one in `environment`."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHON"))}
    command = [*before, Path(sysconfig.get_path("scripts"), "jupyter-book"), "build", "."]
    return subprocess.run(
        command, cwd=book, capture_output=True, encoding="utf-8", errors="replace", env=inherited | environment
    )


def locale_of(encoding, folder):
    """Variables for a system that uses this encoding for text by default."""
    # Python's own remedies, which Windows does not have
    variables = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    if encoding == "ascii":
        return variables | {"LC_ALL": "C"}
    language = {"gbk": "zh_CN", "cp1252": "en_US"}[encoding]
    sources = Path("/usr/share/i18n/locales") / language
    if not shutil.which("localedef") or not sources.exists():
        pytest.skip("no sources of locales on this machine (Debian: apt-get install locales)")
    name = f"{language}.{encoding.upper()}"
    subprocess.run(["localedef", "-f", encoding.upper(), "-i", language, folder / name], check=True)
    return variables | {"LC_ALL": name, "LOCPATH": str(folder)}


@pytest.mark.nightly
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_book_is_built_where_text_has_another_encoding(encoding, small_book, tmp_path):
    variables = locale_of(encoding, tmp_path)
    code = "import codecs, locale; print(codecs.lookup(locale.getpreferredencoding(False)).name)"
    found = subprocess.check_output([sys.executable, "-c", code], env=variables, encoding="ascii").strip()
    assert found == encoding
    made = build(small_book, **variables)
    assert made.returncode == 0 and "Pagefind made no index" not in made.stderr, made.stderr[-3000:]
    html = small_book / "_build/html"
    assert "负偏好优化" in (html / "book/zh/performance.html").read_text("utf-8")
    assert (html / "pagefind/pagefind-entry.json").is_file()


def test_a_tree_that_belongs_to_another_user_has_no_history_but_all_its_files(monkeypatch):
    if ask_git("rev-parse", "HEAD") is None:
        pytest.skip("no git repository here, so git checks no owner")
    tracked = set(project_files())
    # git's own switch for its tests, which makes it say "dubious ownership" here
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    assert ask_git("log", "-1") is None
    assert tracked <= set(project_files())


@pytest.mark.nightly
def test_two_builds_from_one_cache_are_equal_to_the_byte(tmp_path):
    # a chapter with a demo, and a page that prints
    first, second = (make_book(tmp_path / name, "intro", "performance") for name in ("first", "another/second"))
    sites = []
    for book, executed in ((first, True), (second, False)):
        made = build(book, LC_ALL="C.UTF-8")
        assert made.returncode == 0, made.stderr[-3000:]
        assert ("executed book/" in made.stdout) == executed, "the second build finds what the first one executed"
        html = book / "_build/html"
        sites.append({path.relative_to(html): path.read_bytes() for path in html.rglob("*") if path.is_file()})
        if executed:
            shutil.copytree(book / "_build/execution", second / "_build/execution")
    different = [str(path) for path in sorted(sites[0] | sites[1]) if sites[0].get(path) != sites[1].get(path)]
    assert not different, f"these files differ from build to build: {different}"
    for name in ("npo-tutorial.zip", "notebooks/en/intro.ipynb", "embed/en/decision_boundary.html"):
        assert Path(name) in sites[0], f"{name} is published"


@pytest.mark.nightly
def test_old_read_only_sources_are_built_twice(small_book):
    for path in small_book.rglob("*"):
        if path.is_file():
            path.chmod(0o444)
        # the time of a ZIP file begins in 1980
        os.utime(path, (200_000_000, 200_000_000))
    before = []
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        if not shutil.which("setpriv"):
            pytest.skip("root may write to any file, and setpriv (util-linux), which could forbid it, is not installed")
        before = ["setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner"]
    for _ in range(2):
        made = build(small_book, before, LC_ALL="C.UTF-8")
        assert made.returncode == 0, made.stderr[-3000:]
    with ZipFile(small_book / "_build/html/npo-tutorial.zip") as archive:
        # a web server answers 403 if others may not read
        assert {stat.filemode(entry.external_attr >> 16) for entry in archive.infolist()} == {"-rw-r--r--"}
