"""Passages under a chart in a real browser: they follow the sliders, can be read without hovering, and fit a phone."""

import re

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe

from npo_tutorial._locale import LANGUAGES
from npo_tutorial.explore import Grid, Passage, explore, save_html
from npo_tutorial.explore.texts import in_language
from tests.book.pages import editions
from tests.browser.drawing import THEMES, assert_told, opened, put, stand
from tests.browser.visit import PHONE, SMALL_PHONE, too_wide
from tests.colors import contrast

X = np.linspace(0, 1, 11)
METHODS = ("GA", "NPO")
STEPS = range(12)
LABEL = {"en": "Above each token its probability in per cent", "zh": "每个词元上方是它的概率（百分数）"}
TITLES = (
    {"en": "What is the capital of France?", "zh": "法国的首都是哪里？"},
    "A long word",
    {"en": "Marks", "zh": "符号"},
)
# parts of words, other scripts, and characters that HTML would interpret
VOCABULARY = ("The", " capital", " of", "É", "to", "ile", " 巴黎", "，", " Paris", ".", "<b>&amp;", '"')


def answers(method, step):
    rng = np.random.default_rng([METHODS.index(method), step])
    answer = rng.choice(VOCABULARY, rng.integers(0, 20)).tolist()
    strengths = rng.random(len(answer))
    if answer:
        strengths[0] = step / 11
    marks = ["\n", " ", "", "a\r\nb", "\t ", " end"][: step + 1]
    return [
        Passage(TITLES[0], answer, strengths),
        Passage(TITLES[1], ["x" * 17 * step, "y" * 300], [0.123, 1]),
        Passage(TITLES[2], marks, np.linspace(0, 1, len(marks))),
    ]


def model_that_forgets():
    """A slider, two names, three passages: one that changes, one of long words, one of invisible characters."""
    return explore(
        lambda x, method, step: {"line": x * step * len(method)},
        X,
        title={"en": "A model forgets", "zh": "模型在遗忘"},
        x_label="x",
        y_label="y",
        say=lambda method, step: f"{method}, {step}",
        passages=answers,
        passages_label=LABEL,
        animate="step",
        method=Grid(METHODS, label={"en": "method", "zh": "方法"}),
        step=Grid(STEPS, label={"en": "step", "zh": "步"}, start=3),
    )


@pytest.fixture(scope="module")
def explorer():
    return model_that_forgets()


@pytest.fixture(scope="module")
def folder(explorer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("passages")
    for lang in LANGUAGES:
        save_html([explorer, model_that_forgets()], folder / f"{lang}.html", title="Passages", language=lang)
    return folder


@editions("zh", "lang")
def test_passages_show_what_python_says(browser, folder, explorer, lang, rng):
    with opened(browser, folder, f"{lang}.html") as page:
        figure = page.locator(".npo-explorer").first
        assert page.get_by_role("group", name=LABEL[lang], exact=True).count() == 2
        assert_told(figure, explorer.passages([0, 3]), lang)
        for _ in range(12):
            index = [int(rng.integers(len(METHODS))), int(rng.integers(len(STEPS)))]
            stand(figure, index)
            assert_told(figure, explorer.passages(index), lang)
            assert figure.locator(".npo-sentence").inner_text() == f"{METHODS[index[0]]}, {index[1]}"
        figure.locator(".npo-reset").click()
        assert_told(figure, explorer.passages([0, 3]), lang)


def test_wrong_passages_are_noticed(browser, folder, explorer):
    # a check that cannot fail is worthless
    with opened(browser, folder) as page:
        figure = page.locator(".npo-explorer").first
        first, *others = explorer.passages([0, 3])
        last = Passage(first.title, [*first.pieces[:-1], "?"], first.strengths)
        stronger = Passage(first.title, first.pieces, np.minimum(first.strengths + 0.01, 1))
        for wrong in (last, stronger, first._replace(title="?")):
            with pytest.raises(AssertionError):
                assert_told(figure, [wrong, *others], "en")


def test_a_reader_moves_them_by_keyboard_and_play(browser, folder, explorer):
    with opened(browser, folder) as page:
        figure, other = page.locator(".npo-explorer").all()
        before = other.locator(".npo-passages").inner_html()
        slider = figure.locator("input[type=range]")
        slider.focus()
        page.keyboard.press("ArrowRight")
        assert_told(figure, explorer.passages([0, 4]), "en")
        page.keyboard.press("End")
        assert_told(figure, explorer.passages([0, 11]), "en")
        figure.locator(".npo-play").click()
        page.wait_for_function("document.querySelector('.npo-play').textContent === 'Pause'")
        page.wait_for_function("document.querySelector('.npo-sentence').textContent === 'GA, 2'")
        figure.locator(".npo-play").click()
        assert_told(figure, explorer.passages([0, int(slider.input_value())]), "en")
        # the explorer below keeps its place, ids included
        assert other.locator(".npo-passages").inner_html() == before


def test_unchanged_passages_are_not_drawn_again(browser, folder):
    with opened(browser, folder) as page:
        figure = page.locator(".npo-explorer").first
        stand(figure, [0, 6])
        kept = "[...document.querySelector('.npo-explorer').querySelectorAll('dd')].map(e => e.firstChild)"
        page.evaluate(f"window.kept = {kept}")
        stand(figure, [1, 6])
        # the method changes the first passage only
        assert page.evaluate(f"{kept}.map((e, i) => e === window.kept[i])") == [False, True, True]


@editions("en", "lang")
@pytest.mark.parametrize("phone", [PHONE, SMALL_PHONE], ids=["390 px", "320 px"])
def test_they_fit_a_phone_and_need_no_hover(browser, folder, lang, phone):
    with opened(browser, folder, f"{lang}.html", **phone) as page:
        figure = page.locator(".npo-explorer").first
        for step in (0, 5, 11):
            stand(figure, [1, step])
            assert not too_wide(page)
            width = phone["viewport"]["width"]
            boxes = figure.locator(".npo-piece, .npo-strength").evaluate_all(
                "all => all.map(e => e.getBoundingClientRect()).map(box => [box.left, box.right, box.height])"
            )
            assert all(left >= 0 and right <= width and height >= 15 for left, right, height in boxes)
            # the long word is broken into several lines and fully visible
            long = figure.locator("dd").nth(1).locator(".npo-piece").last
            assert long.evaluate("e => e.scrollWidth <= e.clientWidth") and long.bounding_box()["height"] > 60
        for number in figure.locator(".npo-strength").all():
            assert number.is_visible() and number.evaluate("e => parseFloat(getComputedStyle(e).fontSize)") >= 11.99
        assert not page.locator(".npo-passages [title], .npo-passages [tabindex]").count()
        assert figure.locator(".npo-caption").is_visible()


@pytest.mark.parametrize("options", [{}, SMALL_PHONE], ids=["1280 px", "320 px"])
def test_content_below_keeps_its_place(browser, folder, options):
    with opened(browser, folder, **options) as page:
        figure, below = page.locator(".npo-explorer").all()
        tops = []
        for step in STEPS:
            put(figure.locator("input[type=range]"), step)
            tops.append(below.bounding_box()["y"])
        # rounding may move it by a fraction of a pixel
        assert max(tops) - min(tops) < 0.5, tops


def test_reserved_space_follows_the_width(browser, folder):
    with opened(browser, folder) as page:
        places = page.locator(".npo-explorer").first.locator("dd")
        wide = places.nth(1).bounding_box()["height"]
        page.set_viewport_size({"width": 400, "height": 900})
        page.wait_for_timeout(300)
        assert places.nth(1).bounding_box()["height"] > 1.5 * wide
        page.set_viewport_size({"width": 1280, "height": 900})
        page.wait_for_timeout(300)
        assert places.nth(1).bounding_box()["height"] == wide


def test_a_screen_reader_reads_words_and_is_not_interrupted(browser, folder, explorer):
    with opened(browser, folder) as page:
        figure = page.locator(".npo-explorer").first
        stand(figure, [0, 7])
        group = page.get_by_role("group", name=LABEL["en"], exact=True).first
        told = re.findall(r"- (\w+): (.*)", group.aria_snapshot())
        expected = [("paragraph", LABEL["en"])]
        for title, pieces, strengths in explorer.passages([0, 7]):
            expected.append(("term", in_language(title)))
            # as a whole, not piece by piece, with the numbers together
            expected.append(("paragraph", " ".join("".join(pieces).split())))
            expected.append(("paragraph", ", ".join(f"{100 * strength:.0f}" for strength in strengths)))
        assert told == expected
        live = page.locator("[aria-live], [role=status], [role=alert], output")
        assert live.count() and not group.locator("[aria-live], [role=status], [role=alert], output").count()
        assert not group.evaluate("e => e.closest('[aria-live]')")


# colours of title, piece, number and caption; the background of a piece as a share of the tint, over the paper
INKS = """figure => {
  const style = (e, name) => getComputedStyle(e)[name].match(/[\\d.]+/g).map(Number);
  const rgb = color => color.slice(0, 3).map(n => n / 255);
  const paper = rgb(style(figure, "backgroundColor"));
  const plain = [...figure.querySelectorAll("dt, .npo-caption")].map(e => [rgb(style(e, "color")), paper]);
  const pieces = [...figure.querySelectorAll(".npo-piece span")].map(e => {
    const ground = style(e.parentElement, "backgroundColor");
    const share = ground[3] ?? 1;
    return [rgb(style(e, "color")), rgb(ground).map((n, i) => share * n + (1 - share) * paper[i])];
  });
  return [plain, pieces];
}"""


@pytest.mark.parametrize("theme", THEMES)
def test_every_strength_can_be_read_in_every_theme(browser, folder, theme):
    options, script = THEMES[theme]
    with opened(browser, folder, **options) as page:
        if script:
            page.evaluate(script)
        figure = page.locator(".npo-explorer").first
        for step in (0, 11):
            stand(figure, [0, step])
            plain, pieces = figure.evaluate(INKS)
            assert all(contrast(ink, ground) >= 4.5 for ink, ground in plain + pieces)
        # strong and weak pieces differ in their backgrounds too
        grounds = {tuple(ground) for _, ground in pieces}
        assert len(grounds) > 3
        assert max(contrast(one, other) for one in grounds for other in grounds) > 1.5


@editions("zh", "lang")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser, folder, lang, scheme):
    with opened(browser, folder, f"{lang}.html", color_scheme=scheme) as page:
        for step in (0, 11):
            stand(page.locator(".npo-explorer").first, [0, step])
            found = Axe().run(page, None, {"resultTypes": ["violations"], "preload": False}).response["violations"]
            assert not [(violation["id"], violation["nodes"][0]["html"]) for violation in found]


def test_they_print(browser, folder, explorer):
    with opened(browser, folder, color_scheme="dark") as page:
        page.emulate_media(media="print")
        figure = page.locator(".npo-explorer").first
        assert_told(figure, explorer.passages([0, 3]), "en")
        assert all(number.is_visible() for number in figure.locator(".npo-strength, dt, .npo-caption").all())
        plain, pieces = figure.evaluate(INKS)
        assert sum(plain[0][1]) == 3 and all(contrast(ink, ground) >= 4.5 for ink, ground in plain + pieces)


def test_without_scripts_they_are_words(browser, folder, explorer):
    with opened(browser, folder, "zh.html", java_script_enabled=False) as page:
        figure = page.locator("figure").first
        passages = explorer.passages()
        assert figure.locator("dt").all_text_contents() == [in_language(title, "zh") for title, *_ in passages]
        texts = [text.replace("\r\n", "\n") for text in figure.locator("dd").all_text_contents()]
        assert texts == ["".join(passage.pieces).replace("\r\n", "\n") for passage in passages]
