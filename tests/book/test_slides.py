"""The slides of the lectures: the same in both editions, 45 minutes each, and every number from the chapters."""

import re
import shutil
import subprocess
import sys
from runpy import run_path

import pytest

from tests.book.pages import EDITIONS, parse, places, source
from tests.conftest import ROOT

slides = run_path(str(ROOT / "book/slides/__main__.py"))
LECTURES = [slides["read"](path) for path in slides["SOURCES"]]
MATH, MARKS = slides["MATH"], slides["MARKS"]
NUMBER = re.compile(r"(?<![\d.])\d+(?:\.\d+)?")
by_name = pytest.mark.parametrize("lecture", LECTURES, ids=lambda lecture: lecture["name"])


def texts(lecture, edition):
    """Every text of a lecture's source in one edition."""
    yield lecture["title"][edition]
    for slide in lecture["slides"]:
        parts = [slide["title"], *slide["lines"], *(slide[key] for key in ("notes", "board") if key in slide)]
        yield from (part[edition] for part in parts)


def typed(text, known):
    """The numbers of a text that are typed: any digit outside a formula, and in one a number that no chapter has."""
    outside = MARKS.sub(lambda match: "" if match[1] else match[0], MATH.sub("", text))
    inside = [number for formula in MATH.findall(text) for number in NUMBER.findall(formula)]
    return re.findall(r"(?<![A-Za-z])\d+", outside) + [n for n in inside if len(n) > 1 and n not in known]


def test_there_are_eight_lectures():
    assert len(LECTURES) == 8, "how-to-run plans eight lectures, each with a file book/slides/lecture-….md"


@by_name
def test_a_lecture_takes_45_minutes(lecture):
    where, minutes = f"book/slides/{lecture['name']}.md", sum(slide["minutes"] for slide in lecture["slides"])
    assert minutes == 45, f"{where}: the minutes of its slides must add up to 45, they add up to {minutes}"
    count = len(lecture["slides"])
    assert 14 <= count <= 18, f"{where} must have 14 to 18 slides, it has {count}: divide or join some"


@by_name
def test_a_slide_is_short_and_has_notes(lecture):
    for slide in lecture["slides"]:
        assert len(slide["lines"]) <= 5, f"{slide['title']['en']}: at most five lines"
        assert slide["lines"] or slide["from"], f"{slide['title']['en']} is empty"
        assert "notes" in slide, f"{slide['title']['en']} has no notes"
        for line in slide["lines"]:
            for edition, most in {"en": 120, "zh": 60}.items():
                length = len(re.sub(r"\{[^}]*\}", "x", MATH.sub("x", line[edition])))
                assert length <= most, f"a line must have at most {most} characters, got {length}: {line[edition]}"


@by_name
@pytest.mark.parametrize("edition", EDITIONS)
def test_no_number_is_typed(lecture, edition):
    known = {number for name in lecture["chapters"] for number in NUMBER.findall(source(edition, name))}
    found = [f"{typed(text, known)} in {text}" for text in texts(lecture, edition) if typed(text, known)]
    assert not found, f"name the number of the chapter in braces: {found}"


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("it is 0.5", ["0", "5"]),
        ("it is $0.52$", ["0.52"]),
        ("$0.5$ and $2$", []),
        ("{margin-0.5} nats", []),
        ("3 steps of SmolLM2", ["3"]),
    ],
)
def test_a_typed_number_is_found(text, numbers):
    assert typed(text, {"0.5"}) == numbers


def test_a_line_that_is_none_of_the_known_ones_is_an_error(tmp_path):
    path = tmp_path / "lecture-9.md"
    path.write_text("# A ‖ 甲\nchapters: npo\n\n## B ‖ 乙\nthree minutes\n", "utf-8")
    with pytest.raises(ValueError, match=r"lecture-9\.md has a line .*three minutes"):
        slides["read"](path)


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("3 min", (None, None, [None, None])),
        ("3 min: fig-models (tall)", ("fig-models", "tall", [None, None])),
        ("3 min: table npo a(?!b) (rows 2-5)", ("table npo a(?!b)", None, ["2", "5"])),
    ],
)
def test_a_slide_says_what_it_shows_and_how(tmp_path, head, expected):
    path = tmp_path / "lecture-9.md"
    path.write_text(f"# A ‖ 甲\nchapters: npo\n\n## B ‖ 乙\n{head}\n", "utf-8")
    (slide,) = slides["read"](path)["slides"]
    assert slide["minutes"] == 3
    assert (slide["from"], slide["layout"], slide["rows"]) == expected


def test_a_folder_without_a_site_is_an_error_in_one_sentence(tmp_path):
    command = [sys.executable, ROOT / "book/slides", "--site", tmp_path]
    ran = subprocess.run(command, capture_output=True, encoding="utf-8")
    assert ran.returncode == 2
    assert f"--site must be a built site, got {tmp_path}: run `jupyter-book build .` first" in ran.stderr


@pytest.fixture(scope="module")
def made(site, tmp_path_factory):
    """The chapters of the site with the slides; a label that no chapter has is an error."""
    copy = tmp_path_factory.mktemp("slides")
    for name in ("_static", "_images"):
        (copy / name).symlink_to(site / name)
    for edition in EDITIONS:
        shutil.copytree(site / f"book/{edition}", copy / f"book/{edition}")
    # which both editions share
    shutil.copy(site / "book/api.html", copy / "book/api.html")
    assert slides["write"](copy) == 8
    return copy


# reading the chapters takes half a minute
@pytest.mark.nightly
def test_every_deck_has_what_its_source_names(made):
    for lecture in LECTURES:
        decks = {edition: parse(made / f"slides/{edition}/{lecture['name']}.html") for edition in EDITIONS}
        kinds = {
            edition: [tag["class"] for tag in deck.select(".sheets > section > .sheet > .what")]
            for edition, deck in decks.items()
        }
        assert kinds["en"] == kinds["zh"]
        assert len(kinds["en"]) == len(lecture["slides"])
        for edition, deck in decks.items():
            assert deck.html["lang"] == EDITIONS[edition]
            assert not deck.select(".sheets section section"), "to reveal.js a section is a slide"
            ids = [tag["id"] for tag in deck.select("[id]")]
            assert len(ids) == len(set(ids))
            assert all(image.get("alt") for image in deck.select("img"))


@pytest.mark.nightly
@pytest.mark.parametrize("edition", EDITIONS)
def test_a_table_in_parts_is_shown_whole(made, edition):
    (whole,) = [
        table for table in parse(made / f"book/{edition}/synthetic.html").select("table") if "1.70" in table.get_text()
    ]
    parts = parse(made / f"slides/{edition}/lecture-8-experiments.html").select(".shows-table table")
    shown = [
        row.get_text()
        for table in parts
        if table.th.get_text() == whole.th.get_text()
        for row in table.select("tbody tr")
    ]
    assert shown == [row.get_text() for row in whole.select("tbody tr")]


@pytest.mark.nightly
@pytest.mark.parametrize("edition", EDITIONS)
def test_links_and_files_exist(made, edition):
    pages = sorted((made / "slides" / edition).glob("*.html"))
    assert len(pages) == 16
    for page in pages:
        for tag in parse(page).select("[href], [src], [data-src]"):
            address = tag.get("href") or tag.get("src") or tag.get("data-src")
            path, _, fragment = re.sub(r"\?[^#]*", "", address).partition("#")
            if re.match(r"[a-z]+:", address) or fragment.startswith("/"):
                continue
            target = (page.parent / path).resolve() if path else page
            assert target.is_file(), f"{page.name} refers to {address}"
            if fragment and "/book/" in target.as_posix():
                assert fragment in places(target), f"{page.name}: {address} has no such place"


@pytest.mark.nightly
@pytest.mark.parametrize("edition", EDITIONS)
def test_the_plan_links_to_each_lecture_once(made, edition):
    plan = made / f"book/{edition}/how-to-run.html"
    addresses = [link["href"] for link in parse(plan).select(".site-slides a")]
    names = [f"../../slides/{edition}/{lecture['name']}{end}.html" for lecture in LECTURES for end in ("", "-notes")]
    assert addresses == names
    before = plan.read_bytes()
    slides["write"](made)
    assert plan.read_bytes() == before, "a second run must change nothing"


@pytest.mark.nightly
def test_the_slides_are_light(made):
    assert sum(path.stat().st_size for path in (made / "slides").rglob("*")) < 4e6
