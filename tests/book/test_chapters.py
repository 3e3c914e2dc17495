"""The form that every chapter keeps: exercises with solutions, short cells, figures with caption and alt text."""

import re

import pytest
from booksite.document.reading_times import estimate

from tests.book.pages import CELL, CHAPTERS, EDITIONS, NAMES, article, cells, check_cell, page_numbers, source
from tests.conftest import ROOT

BOTH = [(edition, name) for edition in EDITIONS for name in CHAPTERS]
BREAK_IT = {"zh": "弄坏它", "en": "Break it"}
# a unit and methods: the only words that a figure may contain
NAMES_IN_FIGURES = {"nat", "GA", "NPO", "DPO", "IDK", "SimNPO"}
TEXT = re.compile(r"<!-- (.*?) -->")
# appendices have exercises too
EXERCISES = [name for name in NAMES if "{exercise}" in source("en", name)]
EFFORT = {"zh": r"(容易|中等|较难)，约 (\d+) 分钟。", "en": r"(Easy|Medium|Hard), (\d+) minutes\."}
LEVELS = {"容易": "Easy", "中等": "Medium", "较难": "Hard"}
# not a cell: an exercise shows them to be copied
LINES = "```python\n"
SHORT_ANSWER = {"zh": "简短答案", "en": "Short answer"}


@pytest.mark.parametrize(("edition", "name"), BOTH)
def test_exercises_have_collapsed_solutions_and_one_breaks_something(site, edition, name):
    page = article(site, edition, name)
    exercises, solutions = page.select("div.exercise"), page.select(".solution")
    where = f"book/{edition}/{name}.md"
    assert len(exercises) >= 3, f"{where} has {len(exercises)} exercises: a chapter must have three or more"
    assert len(solutions) == len(exercises), f"{where} has {len(solutions)} solutions for {len(exercises)} exercises"
    assert all("dropdown" in solution["class"] for solution in solutions), (
        f"{where}: a solution must have :class: dropdown"
    )
    titles = [exercise.select_one(".admonition-title").get_text() for exercise in exercises]
    assert any(BREAK_IT[edition] in title for title in titles), (
        f"{where}: one exercise must be titled “{BREAK_IT[edition]}”"
    )


@pytest.mark.parametrize("name", EXERCISES)
def test_exercises_say_how_hard_they_are_and_have_a_short_answer_and_a_solution(site, name):
    efforts = {}
    for edition in EDITIONS:
        path, efforts[edition] = f"book/{edition}/{name}.md", []
        boxes = article(site, edition, name).select("div.exercise, details.solution")
        kinds = ["exercise" if box.name == "div" else "solution" for box in boxes]
        assert kinds == ["exercise", "solution"] * (len(kinds) // 2), f"{path}: a solution must follow each exercise"
        for exercise in boxes[::2]:
            parts = exercise.section.find_all(True, recursive=False)
            first, last, where = parts[0].get_text(), parts[-1], f"{path}, {exercise['id']}"
            effort = re.fullmatch(EFFORT[edition], first)
            assert effort, (
                f"{where}: its first paragraph must say how hard it is and how long it takes, "
                f"“Easy, 5 minutes.” or “容易，约 5 分钟。” (Medium, Hard; 中等, 较难), got {first!r}"
            )
            level, minutes = effort.groups()
            assert int(minutes) % 5 == 0, f"{where}: its minutes must be a multiple of 5, got {minutes}"
            efforts[edition].append((LEVELS.get(level, level), int(minutes)))
            assert last.name == "details" and "short-answer" in last["class"], (
                f"{where}: its last part must be a box of :class: dropdown short-answer"
            )
            title = last.summary.get_text()
            assert title == SHORT_ANSWER[edition], f"{where}: “{title}” must be “{SHORT_ANSWER[edition]}”"
        counted = estimate(source(edition, name))[1]
        assert counted == [minutes for _, minutes in efforts[edition]], f"{path}: the reading times add up {counted}"
    assert efforts["zh"] == efforts["en"], f"{name}: an exercise is as hard and long in both editions: {efforts}"


@pytest.mark.parametrize("name", [name for name in CHAPTERS if LINES in source("en", name)])
def test_lines_to_copy_run_after_the_cells_above_them(name, monkeypatch):
    monkeypatch.setattr("myst_nb.glue", lambda *_, **__: None)
    above, _, below = source("en", name).partition(LINES)
    names = {}
    for cell in CELL.findall(above):
        exec(re.sub(r"^:.*\n", "", cell, flags=re.M), names)
    lines = below.partition("\n```")[0]
    try:
        exec(lines, names)
    except Exception as error:
        pytest.fail(f"book/en/{name}.md: lines to copy must run after the cells above them, got {error!r}:\n{lines}")


@pytest.mark.parametrize(("edition", "name"), BOTH)
def test_no_chapter_takes_more_than_45_minutes(edition, name):
    minutes, _ = estimate(source(edition, name))
    assert minutes <= 45, (
        f"book/{edition}/{name}.md takes {minutes} minutes by the book's own table, and a chapter at most 45: split it"
    )


@pytest.mark.parametrize(("edition", "name"), BOTH)
def test_an_exercise_takes_the_minutes_that_it_states_and_no_others(edition, name):
    chapter, exercise, rest = source(edition, name).partition("{exercise}")
    assert exercise and "\n## " not in rest, f"book/{edition}/{name}.md: nothing but exercises may follow the first one"
    alone, _ = estimate(chapter)
    read, _ = estimate(chapter + exercise + rest)
    assert read == alone, f"book/{edition}/{name}.md: the text of exercises must not count as reading"


@pytest.mark.parametrize("edition", EDITIONS)
def test_the_exercises_of_a_lecture_take_half_an_hour_at_most(edition):
    stated = rf"\{{exercise\}}[^\n]*\n:label: (\S+)\s+{EFFORT[edition]}"
    minutes = {label: int(takes) for name in EXERCISES for label, _, takes in re.findall(stated, source(edition, name))}
    plan = source(edition, "how-to-run").partition(f"({edition}-sec-lectures)=")[2].partition("\n(")[0]
    lectures = [re.findall(rf"`({edition}-ex-[\w-]+)`", lecture) for lecture in re.findall(r"^\d\. .*", plan, re.M)]
    assert len(lectures) == 8 and all(lectures), f"book/{edition}/how-to-run.md: a lecture must have exercises"
    for number, exercises in enumerate(lectures, 1):
        takes = sum(map(minutes.get, exercises))
        assert takes <= 30, f"book/{edition}/how-to-run.md: the exercises of lecture {number} take {takes} minutes"


@pytest.mark.parametrize(("edition", "name"), BOTH)
def test_cells_are_short_and_only_call_the_package(edition, name):
    found = cells(edition, name)
    assert found, f"book/{edition}/{name}.md has no code cell"
    for cell in found:
        check_cell(cell)


@pytest.mark.parametrize(("edition", "name"), BOTH)
def test_figures_contain_symbols_and_method_names_only(site, edition, name):
    # Matplotlib draws text as outlines and leaves the text itself in a comment
    pictures = {picture["src"] for picture in article(site, edition, name).select("figure img")}
    # test_drawings.py reads those drawn by hand
    pictures -= {src for src in pictures if (ROOT / "book/_static/drawings" / src.rpartition("/")[2]).exists()}
    texts = [text for src in pictures for text in TEXT.findall((site / f"book/{edition}" / src).read_text("utf-8"))]
    rule = "one figure serves both editions, so its text is symbols, units and method names only"
    for text in texts:
        words = re.findall(r"[^\W\d_]{3,}", re.sub(r"\$[^$]*\$", "", text))
        assert set(words) <= NAMES_IN_FIGURES, f"{name}: a figure says {text!r}: {rule}"
    assert texts, f"book/{edition}/{name}.md has no figure"


@pytest.mark.parametrize(("edition", "name"), BOTH)
def test_every_figure_has_a_number_a_caption_and_alt_text(site, edition, name):
    figures = article(site, edition, name).select("figure")
    for figure in figures:
        where = f"book/{edition}/{name}.md, figure {figure.get('id')}"
        assert figure.select_one("figcaption .caption-number"), f"{where}: a figure must have a number"
        text = figure.select_one("figcaption .caption-text")
        caption = text.get_text() if text else ""
        assert len(caption) > 15, f"{where}: a caption must say what to see, got {caption!r}"
        for picture in figure.select("img"):
            alt = picture.get("alt", "")
            assert len(alt) > 20, f"{where}: the alt text must say what the figure shows, got {alt!r}"
            assert picture["src"].endswith(".svg"), f"{where}: figures must be SVG, got {picture['src']}"


@pytest.mark.parametrize(("edition", "name"), BOTH)
def test_no_figure_is_outside_a_numbered_figure(site, edition, name):
    page = article(site, edition, name)
    # except the pictures that replace a demo
    loose = set(page.select("img")) - set(page.select("figure img, .widget-stand-in img"))
    assert not loose, f"book/{edition}/{name}.md: glue the figure, with a number and a caption: {loose}"


@pytest.mark.parametrize("edition", EDITIONS)
def test_the_first_page_lists_every_page_by_its_number(edition):
    rows = re.findall(r"^\| (\w+)\. \{doc\}`([\w-]+)` \|", source(edition, "index"), re.M)
    rule = "its tables must have a row for each numbered page of _toc.yml, in that order and with that number"
    assert [(name, number) for number, name in rows] == [*page_numbers(edition).items()], (
        f"book/{edition}/index.md: {rule}"
    )


# what a cell uses, and the licence under which others may use it
LICENCES = {"digits_split(": "CC BY 4.0", "language_model": "Apache 2.0", "data/world": "CC BY 4.0"}


@pytest.mark.parametrize("edition", EDITIONS)
def test_a_chapter_states_the_licence_of_its_data(edition):
    used = {(name, data) for name in CHAPTERS for cell in cells(edition, name) for data in LICENCES if data in cell}
    unused = set(LICENCES) - {data for _, data in used}
    assert not unused, f"no cell uses {unused}: remove it from LICENCES, or look for what cells now say instead"
    for name, data in used:
        says = LICENCES[data] in source(edition, name)
        assert says, f"book/{edition}/{name}.md uses {data.strip('(')}: say where it is from, and “{LICENCES[data]}”"


KINDS = {"zh": "定义|命题|定理|引理|习题", "en": "Definition|Proposition|Theorem|Lemma|Exercise"}
SOURCES = [path for folder in ("book", "npo_tutorial") for path in (ROOT / folder).rglob("*") if path.is_file()]
SOURCES = [path for path in SOURCES if path.suffix in {".md", ".py", ".toml", ".yml"} and path.name != "errata.md"]
# a paragraph that numbers what is in another text names it
OTHER_TEXT = re.compile(r"arXiv|paper|论文|\{cite")


def test_typed_numbers_belong_to_something(site):
    numbered = {
        " ".join(title.select_one(".caption-number").get_text().split())
        for edition in EDITIONS
        for name in NAMES
        for title in article(site, edition, name).select("p.admonition-title:has(.caption-number)")
    }
    theorems, appendix = page_numbers("en")["divergence"], page_numbers("en")["divergence-proof"]
    some = {f"Theorem {theorems}.1", f"定理 {theorems}.1", f"Lemma {appendix}.1", f"习题 {appendix}.1"}
    assert some | {f"Proposition {page_numbers('en')['gradient-ascent']}.1"} <= numbered, (
        "the chapters have these, so KINDS or the selector above no longer finds what has a number"
    )
    typed = re.compile(rf"(?<!\w)({'|'.join(KINDS.values())})s? ?(\d+(?:\.\d+)?|[A-Z]\.\d+)")
    for path in [*SOURCES, ROOT / "README.md", ROOT / "index.md"]:
        for paragraph in re.split(r"\n\s*\n", path.read_text("utf-8")):
            for kind, number in typed.findall(paragraph):
                elsewhere = "." not in number and OTHER_TEXT.search(paragraph)
                where = f"{path.relative_to(ROOT)} speaks of {kind} {number}"
                assert elsewhere or f"{kind} {number}" in numbered, f"{where}, which is nowhere in the book"
