"""The steps on the finished site, on three pages that no Sphinx has written."""

import ast
import base64
import json
import os
import re
import stat
import sys
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from zipfile import ZipFile

import pytest
import yaml
from booksite import demos
from booksite.document.formulas import render
from booksite.finish import (
    archive,
    assets,
    concept_map,
    embeds,
    extra_pages,
    fonts,
    policy,
    run,
    search,
    unused_styles,
    without_scripts,
)
from booksite.page.assets import OPTIONS, join_assets
from booksite.settings import Settings
from booksite.site import Demo, Document, Site
from fontTools.ttLib import TTFont
from ipywidgets import embed
from nbformat.v4 import new_markdown_cell, new_notebook

from npo_tutorial.explore import explore
from tests.conftest import ROOT

BASE = "https://example.org/course/"
PAGE = """<!DOCTYPE html>
<html><head><meta charset="utf-8" /><title>{name}</title>
<link rel="stylesheet" href="../../_static/joined.css" />
<script>load("../../_static/joined.js")</script></head>
<body><article class="bd-article"><section id="sec"><h1>{name}</h1><p>遗忘 forgetting <i class="fas fa-code"></i></p>
<p class="site-archive"><a href="../../course.zip">ZIP</a></p>{formula}</section></article></body></html>"""
FORMULA = """<span class="katex"><span class="katex-html" aria-hidden="true"><span class="katex-base"><span class="mord
mathnormal">x</span><span class="mord mathbf">w</span><span class="mord">7</span></span></span></span>""".replace(
    "\n", " "
)
SHEET_OF_ICONS = "styles/pydata-sphinx-theme.css"
DATA = {
    "title": {"zh": "图", "en": "Map"},
    "description": {"zh": "概念", "en": "Concepts"},
    "terms": [{"zh": "遗忘", "en": "unlearning"}],
    "relations": {
        "uses": {
            **{"zh": "用到", "en": "uses", "inverse": {"zh": "用于", "en": "used by"}},
            **{"colour": ["#000", "#fff"], "line": {"width": 1}, "end": "bar"},
        }
    },
    "concepts": {
        "first": {
            **{"term": "unlearning", "zh": "一", "en": "one", "formula": "x^2"},
            **{"section": "sec", "demo": "waves", "at": [0, 0]},
        },
    },
}


class File:
    """As Sphinx describes a sheet or a script."""

    def __init__(self, filename, priority=500, **attributes):
        self.filename, self.priority, self.attributes = filename, priority, attributes


@pytest.fixture(scope="module")
def output():
    """The id of a widget in a cell's output, and the states of the notebook's widgets."""
    title = {"en": "Waves", "zh": "波"}
    shown = explore(lambda x, k: {"a": k * x}, [0.0, 1.0], title=title, x_label="x", y_label="y", k=[1, 2])
    models = json.loads(json.dumps(embed.dependency_state([shown], drop_defaults=False)))
    model = shown.model_id
    layout = shown.layout
    shown.close()
    layout.close()
    return model, models


@pytest.fixture
def make(tmp_path, output, monkeypatch):
    """A site of three pages as Sphinx leaves it, read by a new `Site` at each call; warnings are in `site.said`."""
    monkeypatch.setitem(assets.LISTS, "icons", {"f121": "code"})
    root, source = tmp_path / "html", tmp_path / "source"
    for folder in (root, source):
        folder.mkdir()
    edition = {"locale": "en", "name": "n", "title": "Course", "author": "a", "description": "d"}
    settings = Settings.read(
        {
            "editions": {
                "zh": edition | {"tag": "zh-Hans", "locale": "zh_CN", "home": "book/zh/one"},
                "en": edition | {"tag": "en", "home": "book/en/one"},
            },
            "default_edition": "en",
            "execution": {},
            "picture": {},
            "concept_map": {"page": "map.html", "data": "map.yml"},
            "embeds": {"folder": "embed"},
            "mount_script": "mount.js",
            "archive": "course.zip",
        }
    )
    names = ["book/en/one", "book/index", "book/zh/one"]
    documents = [
        Document(name, f"{name}.html", name, settings.edition_of(name), (("en", f"{BASE}{name}.html"),))
        for name in names
    ]
    for document in documents:
        path = root / document.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(PAGE.format(name=document.name, formula=FORMULA), "utf-8")
    for listed in {*assets.SHEETS, *assets.SCRIPTS} - {"mount.js", "katex/katex.min.css"}:
        path = root / "_static" / listed.replace("*", "1")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"/* {listed} */\n", "utf-8")
    (root / "_static" / SHEET_OF_ICONS).write_bytes((fonts.THEME / SHEET_OF_ICONS).read_bytes())
    for font in fonts.THEME.glob("vendor/fontawesome/webfonts/*.woff2"):
        path = root / "_static" / font.relative_to(fonts.THEME)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(font.read_bytes())
    (root / "_static/pygments.css").write_text('html[data-theme="dark"] .k { color: red }', "utf-8")
    for name, text, _ in assets.LISTS["corrected"]:
        (root / "_static" / name).write_text(text, "utf-8")
    (source / "mount.js").write_text("// why\n(() => {})();\n", "utf-8")
    (source / "mount.js").chmod(0o444)
    (source / "map.yml").write_text(yaml.safe_dump(DATA), "utf-8")
    (source / "icon.svg").write_text("<svg/>", "utf-8")

    def make():
        # MyST-NB does so in every build
        (root / "_static/mystnb.1.css").touch()
        said = []
        site = Site(
            root=root,
            source=source,
            settings=settings,
            base=BASE,
            repository="https://example.org/code",
            favicon=source / "icon.svg",
            documents=tuple(documents),
            root_document="book/index",
            sections={f"{key}-sec": (f"book/{key}/one.html#sec", "1. One") for key in ("zh", "en")},
            demos=tuple(Demo(document, "waves", *output) for document in documents if document.edition),
            warn=said.append,
        )
        site.said = said
        return site

    return make


@pytest.fixture
def site(make):
    return make()


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def characters(address):
    """The characters that a font in a style sheet can draw."""
    return set(map(chr, TTFont(BytesIO(base64.b64decode(address.partition("base64,")[2]))).getBestCmap()))


def test_no_step_asks_sphinx():
    room = ROOT / "book/_ext/booksite"
    for path in [*(room / "finish").glob("*.py"), *(room / name for name in ("site.py", "settings.py"))]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if re.match("sphinx|docutils|myst", name)], path.name


def test_all_steps_finish_a_site_without_a_warning(site):
    run(site)
    assert site.said == []
    files = contents(site.root)
    assert {"404.html", "map.html", "sitemap.xml", "robots.txt", "course.zip", "embed/zh/waves.html"} <= files.keys()
    assert "pagefind/pagefind-entry.json" in files
    assert not [name for name in files if "fontawesome/webfonts" in name or name.startswith("_static/katex/fonts")]


def test_a_second_run_changes_no_file(make):
    site = make()
    run(site)
    first = contents(site.root)
    dates = {name: os.stat(site.root / name).st_mtime_ns for name in first if name.endswith(".html")}
    again = make()
    run(again)
    assert again.said == [] and contents(again.root) == first
    assert {name: os.stat(again.root / name).st_mtime_ns for name in dates} == dates


def test_each_page_is_read_once_and_written_once(make, monkeypatch):
    done = []

    def watch(name):
        real = getattr(Path, name)

        def watched(path, *args, **options):
            done.append((path.parent.name, path.name, name))
            return real(path, *args, **options)

        monkeypatch.setattr(Path, name, watched)

    for name in ("read_text", "read_bytes", "write_text", "write_bytes"):
        watch(name)
    run(make())
    pages = sorted(place for place in done if place[:2] == ("en", "one.html"))
    assert pages == [("en", "one.html", "read_text"), ("en", "one.html", "write_text")]


def test_the_archive_has_the_pages_as_they_are_published(site):
    run(site)
    html = (site.root / "book/en/one.html").read_text("utf-8")
    assert "Content-Security-Policy" in html and "joined.js?v=" in html
    with ZipFile(site.root / "course.zip") as packed:
        assert packed.read("course/book/en/one.html").decode() == archive.PARAGRAPH.sub("", html) != html
        names = {name.removeprefix("course/") for name in packed.namelist()}
    assert names == contents(site.root).keys() - {"course.zip"}


def test_the_policy_allows_the_scripts_as_they_are_published(site):
    run(site)
    for name in ("book/zh/one.html", "map.html", "embed/en/waves.html"):
        html = (site.root / name).read_text("utf-8")
        (content,) = re.findall('http-equiv="Content-Security-Policy" content="([^"]*)"', html)
        scripts = [text for kind, text in policy.SCRIPT.findall(html) if not policy.NOT_INLINE.search(kind)]
        assert scripts and all(policy.digest(script) in content for script in scripts), name


def test_the_policy_of_a_page_stays_the_same(site):
    policy.add_content_policy(site)
    first = dict(site.pages)
    policy.add_content_policy(site)
    assert site.pages == first
    assert all(html.count("Content-Security-Policy") == 1 for html in first.values())


def test_a_file_is_published_with_ordinary_rights_and_one_date(site, monkeypatch):
    odd = site.root / "_static/site.css"
    os.utime(odd, (0, 0))
    odd.chmod(0o400)
    packed = []
    for epoch in (None, "1700000000", "5"):
        if epoch:
            monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
        archive.pack_archive(site)
        packed.append((site.root / "course.zip").read_bytes())
        with ZipFile(site.root / "course.zip") as file:
            entries = file.infolist()
        assert {entry.external_attr >> 16 for entry in entries} == {stat.S_IFREG | 0o644}
        (date,) = {entry.date_time for entry in entries}
        assert date == ((2023, 11, 14, 22, 13, 20) if epoch == "1700000000" else (1980, 1, 1, 0, 0, 0))
        assert [entry.filename for entry in entries] == sorted(entry.filename for entry in entries)
        os.utime(site.root / "book/en/one.html")
    assert packed[0] == packed[2] != packed[1]


def test_copies_of_read_only_files_can_be_written_again(site):
    for _ in range(2):
        assets.copy_files(site)
        for name in ("_static/mount.js", "_static/katex/katex.min.css"):
            assert (site.root / name).stat().st_mode & stat.S_IWUSR, name


def joined(sheets, scripts):
    page = SimpleNamespace(name="one", path=lambda name: f"../{name}")
    page.context = {"css_files": sheets, "script_files": scripts}
    join_assets(page)
    return page.context.values()


def test_a_head_has_the_joined_files_and_its_own_scripts_once():
    sheets = [File("_static/site.css"), File("_static/mystnb.0a1b.css"), File("_static/styles/theme.css")]
    own = [File(None, body="let x;"), File(None, body="let x;"), File(None, body=f"{OPTIONS}x = 1;")]
    sheets, scripts = joined(sheets, [File("_static/print.js"), *own, File("_static/doctools.js")])
    assert [file.filename for file in sheets] == [assets.SHEET]
    assert [file.filename for file in scripts] == [None, None]
    assert scripts[0].attributes == {"body": "let x;"} and "../_static/joined.js" in scripts[1].attributes["body"]


def test_a_file_in_no_list_stays_in_the_head_and_is_named(monkeypatch):
    said = []
    monkeypatch.setattr("booksite.page.assets.log.warning", lambda text, *facts, type: said.append(text % facts))
    sheets, scripts = joined([File("_static/new-theme.css")], [File("_static/print.js"), File("_static/new.js")])
    for line, name in zip(said, ["new-theme.css", "new.js"], strict=True):
        assert line.startswith(f"one asks for {name}, which is in no list of assets.yml")
    assert [file.filename for file in sheets] == ["_static/new-theme.css", assets.SHEET]
    assert [file.filename for file in scripts] == ["_static/new.js", None]


def test_the_joined_files_have_all_files_in_their_order(site):
    assets.copy_files(site)
    (site.root / "_static/proof.css").write_text("a { b: url(x.svg) url(data:y) }", "utf-8")
    (site.root / "_static/styles/theme.css").write_text('@import "../site.css";\n.t { b: url("../i/z.png") }', "utf-8")
    (site.root / "_static/print.js").write_text("run();\n//# sourceMappingURL=print.js.map", "utf-8")
    assets.join_assets(site)
    sheet, script = site.read(assets.SHEET), site.read(assets.SCRIPT)
    assert site.said == []
    assert sheet.index("/* site.css */") < sheet.index("url(i/z.png)") < sheet.index("url(x.svg) url(data:y)")
    places = [script.index(f"/* {name} */") for name in ("documentation_options.js", "comments.js", "wide-boxes.js")]
    assert places == sorted(places) and "run();" in script and "sourceMappingURL" not in script


@pytest.mark.parametrize("name", ["copybutton.js", "pygments.css"])
def test_a_listed_file_that_is_missing_is_named(site, name):
    """By every step that reads it, before any step fails."""
    (site.root / f"_static/{name}").unlink()
    run(site)
    assert set(site.said) == {f"_static/{name} does not exist: remove it from the lists in assets.yml"}


def finished_sheet(site):
    for step in (assets.copy_files, assets.join_assets, unused_styles.drop_unused_rules, fonts.embed_fonts):
        step(site)
    return site.read(assets.SHEET)


def test_what_an_earlier_build_left_goes(make):
    site = make()
    kept = ["_images/a b.svg", "_static/widgets/0a.js", "notebooks/en/one.ipynb", "quiz/en.html", "genindex.html"]
    gone = ["_images/c.svg", "_static/widgets/1b.js", "notebooks/en/old.ipynb", "book/en/old.html", "embed/en/old.html"]
    # of two patterns
    gone.append("_static/scripts/fontawesome.js.map")
    for name in (*kept, *gone):
        site.write(name, PAGE.format(name=name, formula=""))
    names = ("_images/a%20b.svg", "_static/widgets/0a.js", "notebooks/en/one.ipynb")
    with (site.root / "book/en/one.html").open("a", encoding="utf-8") as page:
        page.write("".join(f'<a href="../../{name}?v=1"></a>' for name in names))
    # a page that lost its source names nothing
    site.write("book/en/old.html", f'<img src="../../{gone[0]}" />')
    run(make())
    files = contents(site.root)
    assert files.keys() >= {*kept, "embed/en/waves.html"} and files.keys().isdisjoint(gone)
    assert not [name for name in files if name.startswith("_static/mystnb")]
    with ZipFile(site.root / "course.zip") as packed:
        assert {f"course/{name}" for name in files} == {*packed.namelist(), "course/course.zip"}


def test_an_icon_that_the_list_lacks_is_named(site, monkeypatch):
    # a copy of this book may show fewer
    monkeypatch.setitem(assets.LISTS, "icons", {"f13d": "anchor"})
    finished_sheet(site)
    assert site.said == ["`icons` in assets.yml: f121 is on a page: add it"]


@pytest.mark.parametrize("name", ["code", "anchor"])
def test_icons_that_a_page_shows_are_left_and_no_others(site, name, monkeypatch):
    monkeypatch.setitem(assets.LISTS, "icons", {"f121": "code"} | ({"f13d": name} if name == "anchor" else {}))
    site.pages["book/en/one.html"] += f'<i class="fa-solid fa-{name} fa-lg"></i>'
    sheet = finished_sheet(site)
    assert site.said == [] and len(sheet) < 350_000
    assert set(re.findall(r"\.fa-([\w-]+):before", sheet)) == {"code", name}
    (solid,) = re.findall(r"@font-face\{[^}]*Awesome 6 Free[^}]*weight:900[^}]*url\((data:font/woff2[^)]+)\)", sheet)
    assert characters(solid) == {"\uf121"} | ({"\uf13d"} if name == "anchor" else set())


def test_fonts_of_formulas_have_the_characters_of_the_pages_and_no_others(site):
    sheet = finished_sheet(site)
    faces = {
        tuple(re.search(rf"font-{name}:([^;}}]+)", body)[1] for name in ("family", "style", "weight")): characters(data)
        for body, data in re.findall(r"@font-face\{([^}]*KaTeX[^}]*url\((data:[^)]+)\)[^}]*)\}", sheet)
    }
    # text that is bold, or in italics, is also in the plain font of its family
    assert faces == {
        ("KaTeX_Main", "normal", "400"): {"7", "w"},
        ("KaTeX_Main", "normal", "700"): {"w"},
        ("KaTeX_Math", "italic", "400"): {"x"},
    }


@pytest.mark.parametrize(
    ("tex", "font", "drawn"),
    [
        (r"\mathrm{y} \operatorname{z} \text{w}", "Main-Regular", "yzw"),
        # KaTeX sets the end of this name apart
        (r"\log", "Main-Regular", "log"),
        (r"\mathbf{y} \textbf{z}", "Main-Bold", "yz"),
        (r"\text{\textbf{\textit{y}}}", "Main-BoldItalic", "y"),
        (r"\boldsymbol{y}", "Math-BoldItalic", "y"),
        (r"\mathbb{E} \gtrsim", "AMS-Regular", "E≳"),
        (r"\mathcal{L} \mathbf{\mathcal{K}}", "Caligraphic-Regular", "LK"),
        (r"\textstyle\sum", "Size1-Regular", "∑"),
        (r"\displaystyle\sum", "Size2-Regular", "∑"),
        (r"\bigl( \Bigl( \biggl( \Biggl(", "Size3-Regular", "("),
        (r"\left\{\begin{matrix}1\\2\\3\\4\end{matrix}\right.", "Size4-Regular", "⎧⎨⎩"),
        # a smaller formula inside a large bracket is not the bracket
        (r"\Biggl(\frac{x_{7}}{8}\Biggr)", "Main-Regular", "78"),
    ],
)
def test_a_font_keeps_what_katex_draws_with_it(site, tex, font, drawn):
    site.pages = {"page.html": render(tex, True)}
    assert fonts.characters_of_formulas(site.pages.values())[f"KaTeX_{font}.woff2"] >= set(drawn)


def test_rules_and_variables_go_only_if_nothing_could_use_them(site):
    site.pages = {"page.html": '<p class="shown" style="color: var(--page)"></p><script>add("said")</script>'}
    site.write(assets.SCRIPT, 'toggle("joined"); style("--read")')
    kept = [".shown", ".said", ".joined{", "p:not(.gone)", ".bs-tooltip-top", "a:hover", "@keyframes fade", ":root"]
    site.write(
        assets.SHEET,
        # the rule with a list of selectors stays as long as one of them finds something
        """/*! licence */ .shown{animation:fade 1s} .said{color:red} .joined .gone{color:red} .joined{color:blue}
        p:not(.gone){color:red} .bs-tooltip-top{color:blue} a:hover,.gone{color:red} #gone{color:blue}
        @keyframes fade{to{color:red}} .fade{color:red} @media print{.gone{color:red}} :is(.shown, .gone){color:red}
        @media (min-width:9px){b{color:red}}
        :root{--page:1;--read:2;--first:3;--second:var(--first);--third:4} .gone{color:var(--second)}""",
    )
    unused_styles.drop_unused_rules(site)
    sheet = site.read(assets.SHEET)
    assert all(rule in sheet for rule in kept) and sheet.startswith("/*! licence */")
    assert "print" not in sheet and sheet.count("gone") == 3
    assert set(re.findall(r"--\w+", sheet)) == {"--page", "--read"}
    # older browsers do not understand (width>=9px)
    assert "(min-width:9px)" in sheet


def test_a_demo_has_a_page_made_of_the_output_and_its_ids(site, output):
    embeds.write_embeds(site)
    assert {name for name in site.pages if name.startswith("embed/")} == {"embed/zh/waves.html", "embed/en/waves.html"}
    html = site.pages["embed/zh/waves.html"]
    ids = {output[0], output[1][output[0]]["state"]["layout"].removeprefix("IPY_MODEL_")}
    assert set(re.findall(r"\b[0-9a-f]{32}\b", html)) == ids
    assert '<html lang="zh-Hans">' in html and "<h1>波</h1>" in html and embeds.STYLE in html
    assert f'<link href="{BASE}book/zh/one.html" rel="canonical">' in html
    assert '<a href="../../book/zh/one.html" target="_blank">Course › book/zh/one</a>' in html
    assert not re.search(r"^\s*//|<script>//", html, re.M)
    pages = dict(site.pages)
    embeds.write_embeds(site)
    assert site.pages == pages


def test_a_picture_that_a_chapter_shows_is_not_drawn_again(site, output, monkeypatch):
    view = f'<script>{{"model_id": "{output[0]}"}}</script><div><img alt="" src="../../_images/a.svg" /></div>'
    for name in ("book/zh/one.html", "book/en/one.html"):
        site.pages[name] += view
    site.write("_images/a.svg", "<svg>drawn</svg>")
    monkeypatch.setattr("npo_tutorial.explore.html.picture", None)
    embeds.write_embeds(site)
    assert ">drawn</svg>" in site.pages["embed/en/waves.html"]


def test_a_view_has_its_picture_in_the_language_of_the_page(output):
    model, models = output
    view = '<script type="application/vnd.jupyter.widget-view+json">{"model_id": "%s"}</script>'
    file = File(None, type=demos.STATE, body=json.dumps({"state": models | {"m": {"state": {}}}}))
    published, chinese = {}, SimpleNamespace(key="zh")
    page = SimpleNamespace(language=chinese, words=lambda part: "（）", path=lambda name: f"../{name}")
    page.publish = published.__setitem__
    page.context = {"script_files": [file], "body": view % model + "<p></p>" + view % "m"}
    demos.move_state(page)
    body = page.context["body"]
    assert "<strong>波</strong>（k = 1）" in body and body.count("<img") == 1 and page.context["script_files"] == []
    image = re.compile(r'<img loading="lazy" width="(\d+)" height="(\d+)" alt="波（k = 1）" src="../(\S+)"')
    ((width, height, name),) = image.findall(body)
    assert int(width) > int(height) > 100 and "<svg" in published[name]
    assert re.findall(r'data-src="../(.*?)"', body) == [name for name in published if "/widgets/" in name]


def test_students_get_the_homework_in_each_language(site, monkeypatch):
    def make_notebook(parts, kind, language, package):
        return new_notebook(cells=[new_markdown_cell(f"{parts} {kind} {language} {package}", id="c")])

    tasks = SimpleNamespace(read_assignment=Path.read_text, make_notebook=make_notebook)
    monkeypatch.setitem(sys.modules, "tasks", tasks)
    extra_pages.write_homework(site)
    assert not (site.root / "homework").exists()
    install = ["tiny @ {site}tiny.whl", "tiny @ {repository}/main.zip"]
    homework = {"sources": "tasks", "module": "tasks", "install": install}
    site.settings = replace(site.settings, homework=homework)
    (site.source / "tasks").mkdir()
    (site.source / "tasks/first.md").write_text("Task", "utf-8")
    (site.source / "tasks/notes.txt").touch()
    extra_pages.write_homework(site)
    made = {name: json.loads(text) for name, text in contents(site.root / "homework").items()}
    packages = [f"tiny @ {BASE}tiny.whl", "tiny @ https://example.org/code/main.zip"]
    assert {name: "".join(notebook["cells"][0]["source"]) for name, notebook in made.items()} == {
        f"{language}/first.ipynb": f"Task student {language} {packages}" for language in ("zh", "en")
    }


def test_without_scripts_the_system_chooses_the_colours(site):
    comment = "/* [data-theme=dark] { color: blue } */"
    site.write("_static/site.css", f"html[data-theme=light] a, b {{ color: blue }} p {{ color: green }} {comment}")
    without_scripts.write_sheet_without_scripts(site)
    sheet = site.read(f"_static/{without_scripts.SHEET}")
    assert sheet.startswith((ROOT / "book/_ext/booksite/templates" / without_scripts.SHEET).read_text("utf-8"))
    light, dark = (sheet.rpartition(f"@media {condition} {{")[2] for condition in without_scripts.CONDITION.values())
    light = light.removesuffix(dark)
    assert "html[data-theme=auto] a, b{ color: blue }" in light and "color: red" not in light
    assert "html[data-theme=auto] .k{ color: red }" in dark and "color: blue" not in dark
    assert "color: green" not in sheet and comment not in sheet


def test_scripts_are_corrected(site):
    for _ in range(2):
        assets.correct_scripts(site)
        for name, old, new in assets.LISTS["corrected"]:
            assert site.read(f"_static/{name}") == new != old


def test_the_map_shows_the_demo_of_the_chapter_and_its_formulas_in_their_fonts(site, output):
    tag = '<script type="application/vnd.jupyter.widget-state+json" data-src="../../%s.js" data-models="%s"></script>'
    site.pages["book/zh/one.html"] += tag % ("a", f"0 {output[0]}") + tag % ("b", output[0]) + tag % ("c", "0")
    concept_map.write_concept_map(site)
    html = site.pages["map.html"]
    assert site.said == [] and output[0] in html and "book/zh/one.html#sec" in html and "<math" in html
    assert re.findall(r'data-src="(.*?)" data-models="(.*?)"', html) == [("a.js", output[0]), ("b.js", output[0])]
    faces = dict(re.findall(r"font-family:(KaTeX_\w+)[^}]*?url\((data:[^)]+)\)", html))
    assert {name: characters(face) for name, face in faces.items()} == {"KaTeX_Main": {"2"}, "KaTeX_Math": {"x"}}
    assert ".woff2)" not in html


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"term": "learning"}, "no attribute 'learning'"),
        ({"formula": "\\nothing"}, "Undefined control sequence: \\nothing"),
        ({"section": "away"}, "no attribute 'zh-away'"),
        ({"relations": {"uses": ["nobody"]}}, "no attribute 'nobody'"),
        ({"relations": {"likes": ["first"]}}, "no attribute 'likes'"),
        ({"demo": "tides"}, "no attribute 'tides'"),
        ({"zh": None}, "no attribute 'zh'"),
    ],
)
def test_what_is_wrong_on_the_map_is_said(site, change, said):
    data = json.loads(json.dumps(DATA))
    first = data["concepts"]["first"] | change
    data["concepts"]["first"] = {name: value for name, value in first.items() if value is not None}
    site.source.joinpath("map.yml").write_text(yaml.safe_dump(data), "utf-8")
    concept_map.write_concept_map(site)
    (line,) = site.said
    assert line.startswith("concept map: map.yml lacks something, or has it wrong: ") and said in line
    assert "map.html" not in site.pages


def test_addresses_for_servers_and_search_engines(site):
    for step in (extra_pages.write_404, extra_pages.write_sitemap):
        step(site)
    assert '<base href="/course/">' in site.pages["404.html"] and 'href="book/zh/one.html"' in site.pages["404.html"]
    sitemap = site.read("sitemap.xml")
    assert re.findall("<loc>(.*?)</loc>", sitemap) == [
        f"{BASE}{page}.html" for page in ("book/en/one", "book/index", "book/zh/one", "map")
    ]
    assert f'hreflang="en" href="{BASE}book/zh/one.html"' in sitemap
    assert site.read("robots.txt").endswith(f"Sitemap: {BASE}sitemap.xml\n")


def test_the_search_index_follows_the_articles(make):
    search.index_for_search(make())
    folder = make().root / "pagefind"
    first = {path.name for path in folder.glob("fragment/*")}
    site = make()
    site.pages["book/en/one.html"] = site.pages["book/en/one.html"].replace("forgetting", "gone")
    search.index_for_search(site)
    assert site.said == []
    # nothing of the earlier index is left
    left = {path.name for path in folder.glob("fragment/*")}
    assert len(left) == len(first) and left != first
    assert list(json.loads((folder / "pagefind-entry.json").read_text("utf-8"))["languages"]) == ["en", "zh-hans"]


def test_pagefind_may_speak_any_encoding(site, tmp_path, monkeypatch):
    program = tmp_path / "python"
    program.write_bytes(b"#!/bin/sh\nprintf '\\264\\355\\316\\363'\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(search.sys, "executable", str(program))
    search.index_for_search(site)
    (said,) = site.said
    assert said.startswith("search: Pagefind made no index, or not of all pages:\n") and "\ufffd" in said
