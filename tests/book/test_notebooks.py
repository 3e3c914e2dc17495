"""The notebooks of the site: their form, their links, and that every one of them runs."""

import re
import subprocess
import sys
from copy import deepcopy
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import unquote, urlparse

import nbformat
import pytest
from nbclient import NotebookClient
from traitlets.config import Config

import npo_tutorial
from tests.book.pages import BASE, EDITIONS, REPOSITORY, parse, places
from tests.browser.notebooks import environment
from tests.conftest import ROOT, nightly

CELL = re.compile(r"^(`{3,})\{code-cell\}[^\n]*\n(.*?)^\1$", re.M | re.S)
NAMES = sorted(path.stem for path in (ROOT / "book/en").glob("*.md") if CELL.search(path.read_text("utf-8")))
BOTH = [(edition, name) for edition in EDITIONS for name in NAMES]
# MyST's syntax, which plain Markdown does not have
MYST = re.compile(r":::|^\s*[`~]{3,}\{|\{[a-z:]+\}`|^\(?[a-z-]+\)=\s*$|^\s*:(label|class|name|alt): ", re.M)
FORMULA = re.compile(r"\$\$.+?\$\$|\$.+?\$", re.S)


@cache
def load(site, edition, name):
    return nbformat.read(site / f"notebooks/{edition}/{name}.ipynb", as_version=4)


def code(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def prose(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]


def test_every_page_with_cells_has_a_notebook(site):
    written = {path.relative_to(site / "notebooks").as_posix() for path in (site / "notebooks").rglob("*.ipynb")}
    differing = written ^ {f"{edition}/{name}.ipynb" for edition, name in BOTH}
    assert not differing, f"exactly the pages with cells must have a notebook: {differing}"


@pytest.mark.parametrize(("edition", "name"), BOTH)
def test_form(site, edition, name):
    notebook = load(site, edition, name)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    assert notebook.metadata.language_info.name == "python"
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)
    for cell in notebook.cells:
        assert cell.source.strip()
        if cell.cell_type == "code":
            assert cell.outputs == [] and cell.execution_count is None


@pytest.mark.parametrize(("edition", "name"), BOTH)
def test_prose_is_plain_markdown(site, edition, name):
    for text in prose(load(site, edition, name)):
        assert not MYST.search(text), text
        rest = FORMULA.sub("", re.sub(r"`[^`\n]+`", "", text))
        assert not re.search(r"\$|\\[a-zA-Z]|</?(span|div|p|a|math|svg)\b", rest), text
        assert "\n" not in "".join(FORMULA.findall(text)), text
        # each opened fold is closed in its own cell, and Markdown is parsed again after its first line
        unquoted = re.sub("^> ?", "", text, flags=re.M)
        marks = "<details>\n<summary>", "</summary>\n\n", "\n\n</details>"
        assert len({unquoted.count(mark) for mark in (*marks, "<details>")}) == 1, text


@pytest.mark.parametrize(("edition", "name"), BOTH)
def test_cells_are_those_of_the_source(site, edition, name):
    first, *cells = code(load(site, edition, name))
    sources = [match[2] for match in CELL.finditer((ROOT / f"book/{edition}/{name}.md").read_text("utf-8"))]
    shown = [source for source in sources if ":tags: [remove-cell]" not in source]
    # whole lines are left out, and a figure that the book takes over stands where it was taken
    for cell, source in zip(cells, shown, strict=True):
        kept = re.sub(r'^ *glue\(\n? *f?"(?!fig-)[^\n]*\n|^from myst_nb .*\n|^:.*\n', "", source, flags=re.M)
        kept = re.sub(r'^glue\("fig-[\w-]+", (.*), display=False\)$', r"\1", kept, flags=re.M)
        lines, left = cell.splitlines(), kept.strip("\n").splitlines()
        assert [line for line in left if line in lines] == lines, cell
        # a loop that only takes results over goes with them
        assert all(
            line.lstrip().startswith("for ") or "glue(" in line or not line for line in left if line not in lines
        ), left
    # the site's own wheel first; neither address needs git
    wheel = f"npo_tutorial-{npo_tutorial.__version__}-py3-none-any.whl"
    places = BASE + wheel, f"{REPOSITORY}/archive/refs/heads/main.zip"
    assert re.findall(r'^    "(.*)",$', first, re.M) == [
        f"npo-tutorial[fast,llm,torch,widgets] @ {at}" for at in places
    ]
    assert f'%pip install "./{wheel}[fast,llm,torch,widgets]"' in first
    assert not any("glue" in source for source in cells)


@pytest.mark.parametrize(("edition", "name"), BOTH)
def test_the_code_of_solutions_is_folded(site, edition, name):
    cells = [cell for cell in load(site, edition, name).cells if cell.cell_type == "code"][1:]
    shown = parse(site / f"book/{edition}/{name}.html").select("article .cell")
    folded = [bool(cell.metadata.get("jupyter", {}).get("source_hidden")) for cell in cells]
    assert folded == [cell.find_parent(class_="dropdown") is not None for cell in shown]


@pytest.mark.parametrize("name", NAMES)
def test_editions_have_the_same_cells_in_the_same_places(site, name):
    zh, en = (load(site, edition, name) for edition in EDITIONS)
    kinds = [[cell.cell_type for cell in notebook.cells] for notebook in (zh, en)]
    assert kinds[0] == kinds[1], f"book/zh/{name}.md and book/en/{name}.md must have their cells in the same places"
    # the first cell sets the language of the demos, and says in it what to do if the package cannot be installed
    firsts = [re.sub(r'""".*?"""', '""', code(notebook)[0], flags=re.S) for notebook in (zh, en)]
    assert firsts[0].replace('"NPO_TUTORIAL_LANG"] = "zh"', '"NPO_TUTORIAL_LANG"] = "en"') == firsts[1]
    assert code(zh)[0] != code(en)[0]
    same = code(zh)[1:] == code(en)[1:]
    assert same, f"book/zh/{name}.md and book/en/{name}.md must have code cells that are identical to the byte"


@pytest.mark.parametrize(("edition", "name"), BOTH)
def test_links_lead_to_places_that_exist(site, edition, name):
    page = f"book/{edition}/{name}.html"
    texts = prose(load(site, edition, name))
    other = next(key for key in EDITIONS if key != edition)
    assert f"({BASE}{page})" in texts[0] and f"({BASE}book/{other}/{name}.html)" in texts[0]
    found = re.findall(r"\]\(([^)\s]+)\)", "\n".join(texts))
    for link in found:
        if link.startswith(BASE):
            target = urlparse(link)
            file = site / unquote(target.path).removeprefix(urlparse(BASE).path)
            assert file.is_file(), link
            assert not target.fragment or unquote(target.fragment) in places(file), link
        else:
            assert link.startswith("https://"), link


@pytest.mark.parametrize(("edition", "name"), BOTH)
def test_numbers_and_texts_agree_with_the_page(site, edition, name):
    whole = "\n".join(prose(load(site, edition, name)))
    article = parse(site / f"book/{edition}/{name}.html").select_one("article.bd-article")
    for number in article.select(".eqno"):
        assert rf"\tag{{{re.sub(r'[^0-9A-Z.]', '', number.get_text())}}}" in whole
    for number in article.select(".caption-number"):
        assert f"**{number.get_text().strip()}**" in whole
    assert whole.count("\n<summary>") >= len(article.select(".solution, figure"))
    for image in article.select("figure img"):
        assert image["alt"].replace("_", r"\_").replace("<", "&lt;") in whole


@pytest.mark.parametrize(("edition", "name"), BOTH)
def test_the_page_offers_it_for_download(site, edition, name):
    buttons = parse(site / f"book/{edition}/{name}.html").select("a.btn-download-notebook-button")
    assert [button["href"] for button in buttons] == [f"../../notebooks/{edition}/{name}.ipynb"]
    assert buttons[0].has_attr("download") and not buttons[0].has_attr("target")


# runs a first cell as IPython does; its %pip counts, and "installs" the package at the call of that number
FIRST_CELL = """
import sys

# an editable install is hidden
sys.meta_path[:] = [finder for finder in sys.meta_path if not finder.__module__.startswith("__editable__")]
from IPython.core.interactiveshell import InteractiveShell

cell, succeeds, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
shell, calls = InteractiveShell.instance(), []

def pip(line):
    calls.append(line)
    print("pip:", line)
    if len(calls) == succeeds:
        sys.path.insert(0, folder)

shell.register_magic_function(pip)
if succeeds == 0:
    sys.path.insert(0, folder)
shell.run_cell(cell)
"""


@pytest.mark.parametrize(
    ("edition", "succeeds", "tried"),
    [
        *[("en", 1, 1), ("en", 3, 2), ("zh", 3, 2)],
        *nightly(("en", 0, 0), ("en", 2, 2), ("zh", 0, 0), ("zh", 1, 1), ("zh", 2, 2)),
    ],
)
def test_the_first_cell_tries_one_address_after_the_other_and_says_if_none_works(
    site, tmp_path, edition, succeeds, tried
):
    said = {"en": "could not be installed", "zh": "没能装上"}[edition]
    (tmp_path / "folder/npo_tutorial").mkdir(parents=True)
    (tmp_path / "folder/npo_tutorial/__init__.py").write_text("", "utf-8")
    homework = nbformat.read(site / f"homework/{edition}/losses.ipynb", as_version=4)
    for cell in (code(load(site, edition, "npo"))[0], code(homework)[0]):
        # isolated: neither this folder nor PYTHONPATH has the package
        script = f"import sys; sys.path[:] = {hidden()!r}\n{FIRST_CELL}"
        command = [sys.executable, "-I", "-c", script, cell, str(succeeds), str(tmp_path / "folder")]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", env=environment(tmp_path), cwd=tmp_path)
        calls = re.findall(r'^pip: install -q "(.*)"$', done.stdout, re.M)
        assert calls == re.findall(r'^    "(.*)",$', cell, re.M)[:tried]
        assert (said in done.stdout + done.stderr) == (succeeds > 2)
        # one message, not the way to it
        assert "Traceback" not in done.stdout + done.stderr


def hidden():
    """The places of modules without those that have the package."""
    root = str(Path(npo_tutorial.__file__).parents[1])
    return [place for place in sys.path if place and place != root and not Path(place, "npo_tutorial").is_dir()]


@pytest.mark.parametrize("name", ["npo", *nightly(*(name for name in NAMES if name != "npo"))])
def test_it_runs(site, name, tmp_path, monkeypatch):
    # outside the sources, except for the package under test, and without the book's own glue
    (tmp_path / "npo_tutorial").symlink_to(Path(npo_tutorial.__file__).parent)
    (tmp_path / "myst_nb.py").write_text("raise ImportError\n", "utf-8")
    (tmp_path / "startup").mkdir()
    for key, value in environment(tmp_path / "startup").items():
        monkeypatch.setenv(key, value)
    monkeypatch.delenv("PYTHONPATH")
    notebook = deepcopy(load(site, "en", name))
    # Files instead of ports: a kernel binds its ports after they were chosen, and on a busy machine other processes
    # take them in between. The folder has a short name, because the path of a socket has at most 107 bytes.
    with TemporaryDirectory() as folder:
        sockets = Config(KernelManager={"transport": "ipc", "ip": f"{folder}/kernel"})
        NotebookClient(notebook, config=sockets, resources={"metadata": {"path": tmp_path}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]
    pictures = [output for output in outputs if "image/svg+xml" in output.get("data", {})]
    sources = "\n".join(code(notebook))
    # a drawing is a file and not the result of a cell
    figures = len(re.findall(r"^```\{glue:figure\}", (ROOT / f"book/en/{name}.md").read_text("utf-8"), re.M))
    assert len(pictures) == figures + len(re.findall(r"^demos\.\w+\(", sources, re.M))
