"""Five quick questions close every chapter: an answer says at once whether it is right, and why."""

import re

import nbformat
import pytest
from booksite.finish.search_pieces import pieces

from tests.book.pages import CHAPTERS, EDITIONS, article, source

BOTH = [(edition, name) for edition in EDITIONS for name in CHAPTERS]
TITLES = {"en": "Quick questions", "zh": "五个小问题"}
EXERCISES = {"en": "Exercises", "zh": "习题"}
VERDICTS = {"en": {True: "Right", False: "No"}, "zh": {True: "对", False: "不对"}}
QUESTION = re.compile(r"^`{6}\{admonition\} (?P<title>.+)\n:class: quick\n(?P<options>(?:.*\n)*?)`{6}\n", re.M)
OPTION = re.compile(
    r"^`{4}\{admonition\} (?P<title>.+)\n:class: dropdown option(?P<right> right)?\n"
    r"\*\*(?P<verdict>\w+)(?:\.\*\* |\*\*。)(?P<reason>.+)\n`{4}\n",
    re.M,
)
FORM = (
    "a question is an admonition of class quick, between six backticks; each answer in it one of class “dropdown "
    "option”, between four, or “dropdown option right”; its text is one line that begins with its verdict, as in "
    "**No.** or **不对**。"
)
# as a notebook writes it; a short answer of an exercise has none
VERDICT = r"(?:<strong>|\*\*)(?:No|Right|不对|对)\b"
# an answer is read at a glance: English words, Han characters
LONGEST = {"en": (r"[^\s$]+|\$[^$]+\$", 12), "zh": (r"[\u4e00-\u9fff]", 26)}


def section(edition, name):
    """The source between the heading of the quick questions and that of the exercises."""
    label, text = f"({edition}-sec-{name}-quick)=\n## {TITLES[edition]}\n", source(edition, name)
    rule = f"book/{edition}/{name}.md must have its quick questions under {label!r}, directly before the exercises"
    assert text.count(label) == 1, rule
    found, _, rest = text.partition(label)[2].partition("\n## ")
    assert rest.startswith(f"{EXERCISES[edition]}\n"), rule
    # the exercises may have a label
    return re.sub(r"^\([\w-]+\)=\n?\Z", "", f"{found}\n", flags=re.M)


def questions(edition, name):
    """(title, options) of each question; an option has a title, a verdict and a reason, and may be right."""
    return [(match["title"], list(OPTION.finditer(match["options"]))) for match in matches(edition, name)]


def matches(edition, name):
    return QUESTION.finditer(section(edition, name))


def places(edition, name):
    return [[bool(option["right"]) for option in options] for _, options in questions(edition, name)]


@pytest.mark.parametrize(("edition", "name"), BOTH)
def test_every_chapter_has_five_questions_and_one_sentence_before_them(edition, name):
    where = f"book/{edition}/{name}.md"
    number = len(questions(edition, name))
    assert number == 5, f"{where} has {number} quick questions: a chapter must have five; {FORM}"
    before = QUESTION.sub("", section(edition, name)).strip()
    assert re.fullmatch(r"[^\n`]+[.。]", before), (
        f"{where}: one sentence comes before the questions; {FORM}; got {before}"
    )


@pytest.mark.parametrize(("edition", "name"), BOTH)
def test_a_question_has_short_answers_of_which_one_is_right(edition, name):
    for match, (title, options) in zip(matches(edition, name), questions(edition, name), strict=True):
        where = f"book/{edition}/{name}.md, “{title}”"
        assert not OPTION.sub("", match["options"]), f"{where}: {FORM}; got {OPTION.sub('', match['options'])!r}"
        assert title.endswith(("?", "？")), f"{where}: a question must end with a question mark"
        assert 2 <= len(options) <= 4, f"{where} has {len(options)} answers: a question must have two to four"
        right = sum(bool(option["right"]) for option in options)
        assert right == 1, f"{where} has {right} right answers: a question must have exactly one"
        for option in options:
            verdict = VERDICTS[edition][bool(option["right"])]
            assert option["verdict"] == verdict, (
                f"{where}, “{option['title']}” must begin with {verdict}, got {option['verdict']}"
            )
            pattern, limit = LONGEST[edition]
            length = len(re.findall(pattern, option["title"]))
            assert length <= limit, f"{where}, “{option['title']}” has {length} words: an answer has at most {limit}"


@pytest.mark.parametrize("name", CHAPTERS)
def test_both_editions_have_the_same_answers_in_the_same_places(name):
    zh, en = (places(edition, name) for edition in EDITIONS)
    assert zh == en, (
        f"book/zh/{name}.md and book/en/{name}.md: each question must have as many answers in both editions, and the "
        f"right one in the same place; got {zh} and {en}"
    )


@pytest.mark.parametrize(("edition", "name"), BOTH)
def test_the_right_answer_is_not_given_away_by_its_place_or_length(edition, name):
    found = [options.index(True) for options in places(edition, name)]
    where = f"book/{edition}/{name}.md"
    assert len(set(found)) > 1, f"{where}: the right answer must not always be in the same place, {found[0] + 1}"
    longest = [max(options, key=lambda each: len(each["title"])) for _, options in questions(edition, name)]
    assert not all(option["right"] for option in longest), f"{where}: the right answer must not always be the longest"


@pytest.mark.parametrize(("edition", "name"), BOTH)
def test_the_page_shows_closed_answers_and_bold_verdicts(site, edition, name):
    boxes = article(site, edition, name).select("div.quick")
    for box, (title, options) in zip(boxes, questions(edition, name), strict=True):
        rows = box.select(":scope > details.option")
        assert len(rows) == len(options), f"book/{edition}/{name}.md, “{title}”: {FORM}"
        for row, option in zip(rows, options, strict=True):
            assert not row.has_attr("open"), f"book/{edition}/{name}.md, “{title}”: an answer must be closed at first"
            shown = row.find("p").strong.get_text().strip(".。")
            assert shown == option["verdict"], f"book/{edition}/{name}.md, “{title}”: {option['verdict']} must be bold"
            assert "**" not in row.get_text(), f"book/{edition}/{name}.md, “{title}” shows a mark of emphasis as text"


@pytest.mark.parametrize(("edition", "name"), BOTH)
def test_a_search_finds_the_questions_and_no_answer(site, edition, name):
    page, where = article(site, edition, name), f"book/{edition}/{name}.md"
    (found,) = [piece for piece in pieces(str(page)) if TITLES[edition] in piece.title]
    for title in page.select("div.quick > p.admonition-title"):
        words = [text for text in title.find_all(string=True) if not text.find_parent(class_="math")]
        asked = max((" ".join(text.split()) for text in words), key=len)
        assert asked in found.text, f"{where}: a search must find the question “{title.get_text()}”"
    told = re.findall(rf"(?<!\w)(?:{'|'.join(VERDICTS[edition].values())})[.。]", found.text)
    assert not told, f"{where}: a search must not show the answers to quick questions, got {told}"


@pytest.mark.parametrize(("edition", "name"), BOTH)
def test_the_notebook_folds_the_answers_under_their_question(site, edition, name):
    notebook = nbformat.read(site / f"notebooks/{edition}/{name}.ipynb", as_version=4)
    whole = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    folded = re.findall(rf"^> <details>\n> <summary>.*</summary>\n>\n> {VERDICT}.*\n>\n> </details>$", whole, re.M)
    assert len(folded) == sum(len(options) for _, options in questions(edition, name)), (
        f"notebooks/{edition}/{name}.ipynb must fold each answer to a quick question, in the box of its question"
    )
