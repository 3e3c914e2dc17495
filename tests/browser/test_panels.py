"""Two panels and rows of buttons in a real browser: both are drawn, names can be chosen, everything fits a phone."""

import numpy as np
import pytest

from npo_tutorial._locale import LANGUAGES
from npo_tutorial.explore import Grid, Images, Panel, Path, Points, explore, save_html
from tests.book.pages import editions
from tests.browser.drawing import PAPER, THEMES, assert_drawn, drawing, opened, put, stand
from tests.browser.visit import PHONE, SMALL_PHONE, too_wide
from tests.colors import contrast

T = np.linspace(1, 50, 50)
RATES = {"GA": 0.08, "NPO": 0.04, "KL": 0.01}
METHOD = {"en": "method", "zh": "方法"}
TEXTS = {"GA": {"en": "gradient ascent", "zh": "梯度上升"}, "KL": {"en": "NPO with the KL term", "zh": "NPO 加 KL 项"}}


def run(t, method, power):
    forgotten = np.exp(-RATES[method] * t)
    here = Points(np.array([20.0, 40.0]), 1 - forgotten[[19, 39]] / power)
    return {"forget": forgotten, "retain": 1 - (1 - forgotten) ** power / 2, "way": here}


def plane(x, method, power):
    curves = run(T, method, power)
    way = Path(curves["retain"], 1 - curves["forget"])
    return {"way": way, "pictures": Images(np.array([0.5, 1 / power])), "retain": x ** (power / 2) + 0.01}


def run_and_plane():
    """Two panels, the second with logarithmic axes; three names, a slider."""
    return explore(
        run,
        T,
        title={"en": "A run, and its way through the plane", "zh": "一次运行，以及它在平面上的轨迹"},
        x_label={"en": "step", "zh": "步数"},
        y_label={"en": "probability", "zh": "概率"},
        beside=Panel(
            plane,
            np.linspace(0.4, 1, 5),
            x_label={"en": "utility", "zh": "效用"},
            y_label={
                "en": "quality, which takes more than one line where there is only room for one of these two charts",
                "zh": "质量",
            },
            x_scale="log",
            y_scale="log",
            y_limits="frame",
        ),
        labels={"way": {"en": "the way", "zh": "轨迹"}},
        images=np.eye(4)[:2],
        switch_axes=True,
        say=lambda method, power: {"en": f"{method}, {power:g}.", "zh": f"{method}，{power:g}。"},
        animate="method",
        method=Grid(list(RATES), label=METHOD, names=TEXTS, start="NPO"),
        power=Grid([1.0, 2.0, 3.0], label={"en": "power", "zh": "幂"}),
    )


@pytest.fixture(scope="module")
def explorer():
    return run_and_plane()


@pytest.fixture(scope="module")
def folder(explorer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("panels")
    for lang in LANGUAGES:
        save_html(explorer, folder / f"{lang}.html", title="Panels", language=lang)
    return folder


def chosen(page):
    assert page.locator("input:checked").count() == 1
    return page.locator("input:checked").get_attribute("value")


def pictures(page):
    return [chart.inner_html() for chart in page.locator(".npo-chart").all()]


@editions("zh", "lang")
def test_both_panels_draw_what_their_functions_return(browser, folder, explorer, lang):
    chart = explorer.chart
    with opened(browser, folder, f"{lang}.html") as page:
        figure, linear = page.locator(".npo-explorer"), False
        for i, method in enumerate(RATES):
            for j, power in enumerate(chart["grids"][1]["values"]):
                figure.locator(".npo-linear").click()
                linear = not linear
                stand(figure, [i, j])
                assert_drawn(figure, chart, [i, j], run(T, method, power), linear=False)
                returned = plane(np.array(chart["beside"]["x"]["values"]), method, power)
                assert_drawn(figure, chart, [i, j], returned, linear=linear, panel=1)
                assert method in figure.locator(".npo-sentence").inner_text()


def test_wrong_drawings_are_noticed(browser, folder, explorer):
    # a check that cannot fail is worthless
    x = np.array(explorer.chart["beside"]["x"]["values"])
    with opened(browser, folder) as page:
        figure = page.locator(".npo-explorer")
        stand(figure, [0, 0])
        returned = plane(x, "GA", 1.0)
        moved = returned | {"way": Path(returned["way"].x * 1.001, returned["way"].y)}
        turned = returned | {"way": Path(returned["way"].x[::-1], returned["way"].y[::-1])}
        for wrong in (moved, turned, plane(x, "GA", 2.0)):
            with pytest.raises(AssertionError):
                assert_drawn(figure, explorer.chart, [0, 0], wrong, panel=1)
        with pytest.raises(AssertionError):
            assert_drawn(figure, explorer.chart, [0, 0], run(T, "NPO", 1.0))


def test_linear_axes_apply_to_the_panel_that_has_logarithmic_ones(browser, folder):
    with opened(browser, folder) as page:
        first, second = pictures(page)
        page.locator(".npo-linear").click()
        assert pictures(page)[0] == first and pictures(page)[1] != second
        page.locator(".npo-reset").click()
        assert pictures(page) == [first, second]


@editions("en", "lang")
def test_panels_are_side_by_side_where_there_is_room_and_aligned(browser, folder, lang):
    # 688 pixels, the width of the book's text on a laptop, and a margin of 16
    with opened(browser, folder, f"{lang}.html", viewport={"width": 720, "height": 900}) as page:
        one, other = (chart.bounding_box() for chart in page.locator(".npo-chart").all())
        assert one["x"] + one["width"] < other["x"]
        assert one["y"] == pytest.approx(other["y"], abs=0.5) and one["height"] == pytest.approx(other["height"], abs=1)
        page.set_viewport_size({"width": 600, "height": 900})
        page.wait_for_function("document.querySelector('.npo-plot').width.baseVal.value > 400")
        one, other = (chart.bounding_box() for chart in page.locator(".npo-chart").all())
        assert one["x"] == other["x"] and one["y"] + one["height"] < other["y"]


def test_both_panels_share_one_legend(browser, folder):
    with opened(browser, folder) as page:
        entries = page.locator(".npo-legend li")
        assert entries.all_inner_texts() == ["forget", "retain", "the way"]
        assert [entry.locator("path").count() for entry in entries.all()] == [1, 1, 2]
        for panel in page.locator(".npo-panel").all():
            styles = {
                path.get_attribute("class"): (
                    path.get_attribute("style").rstrip(";"),
                    path.get_attribute("stroke-dasharray"),
                )
                for path in panel.locator("path.npo-curve").all()
            }
            assert ("--npo-color: var(--npo-curve-1)", "12 4") in styles.values()
            assert any(style == "--npo-color: var(--npo-curve-2)" for style, _ in styles.values())
        assert page.locator(".npo-sentence").count() == page.locator(".npo-buttons").count() == 1


@editions("zh", "lang")
def test_both_pictures_are_described_in_words(browser, folder, lang):
    name = {"en": "A run, and its way through the plane", "zh": "一次运行，以及它在平面上的轨迹"}[lang]
    retain, quality = plane(T, "GA", 1.0)["way"]
    first, last = (f"({retain[k]:.4g}, {quality[k]:.4g})" for k in (0, -1))
    told = {
        "en": [
            "method = gradient ascent. power = 1. ",
            f"the way: from {first} to {last}, across from {retain[-1]:.4g} to ",
        ],
        "zh": ["方法 = 梯度上升。幂 = 1。", f"轨迹：从 {first} 到 {last}，横向从 {retain[-1]:.4g} 到 "],
    }[lang]
    with opened(browser, folder, f"{lang}.html") as page:
        stand(page.locator(".npo-explorer"), [0, 0])
        texts = []
        for picture in page.get_by_role("img", name=name).all():
            texts.append(page.locator(f"[id='{picture.get_attribute('aria-describedby')}']").text_content())
        assert len(set(texts)) == 2
        assert all(words in texts[1] for words in told)
        assert {"en": "step: from ", "zh": "步数：从 "}[lang] in texts[0]
        assert told[0] in texts[0]
        stand(page.locator(".npo-explorer"), [2, 0])
        assert [page.locator(".npo-text").nth(i).text_content() != text for i, text in enumerate(texts)] == [True, True]


@editions("en", "lang")
def test_names_can_be_chosen_by_keyboard_and_by_mouse(browser, folder, lang):
    with opened(browser, folder, f"{lang}.html") as page:
        group = page.get_by_role("group", name=METHOD[lang], exact=True)
        buttons = [group.get_by_role("radio", name=TEXTS.get(name, {lang: name})[lang], exact=True) for name in RATES]
        assert [button.count() for button in buttons] == [1, 1, 1]
        assert chosen(page) == "NPO"
        seen = [pictures(page)]
        box = group.locator("label").nth(2).bounding_box()
        page.mouse.click(box["x"] + 3, box["y"] + box["height"] - 3)
        assert chosen(page) == "KL" and page.locator(".npo-sentence").inner_text().startswith("KL")
        seen.append(pictures(page))
        for key, name in (("ArrowLeft", "NPO"), ("ArrowUp", "GA"), ("ArrowRight", "NPO"), ("ArrowDown", "KL")):
            page.keyboard.press(key)
            assert chosen(page) == name and page.locator(".npo-sentence").inner_text().startswith(name)
            seen.append(pictures(page))
        assert seen[0] == seen[2] == seen[4] and seen[1] == seen[5] and seen[3] not in (seen[0], seen[1])
        # the next stop is the slider, not the next button
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.type") == "range"
        page.locator(".npo-reset").click()
        assert chosen(page) == "NPO" and pictures(page) == seen[0]


def test_play_runs_through_names_and_a_choice_stops_it(browser, folder):
    with opened(browser, folder) as page:
        play = page.locator(".npo-play")
        stand(page.locator(".npo-explorer"), [2, 0])
        play.click()
        assert chosen(page) == "GA"
        page.wait_for_function("document.querySelector('.npo-play').textContent === 'Play'")
        assert chosen(page) == "KL"
        # both in one task: on a busy machine play could arrive at the name first, and choosing it would change nothing
        page.evaluate("for (const it of ['.npo-play', 'input[value=NPO]']) document.querySelector(it).click()")
        assert play.inner_text() == "Play"
        page.wait_for_timeout(700)
        assert chosen(page) == "NPO"


@pytest.mark.parametrize("theme", THEMES)
def test_names_and_focus_are_visible_in_every_theme(browser, folder, theme):
    options, script = THEMES[theme]
    with opened(browser, folder, **options) as page:
        if script:
            page.evaluate(script)
        pairs = page.locator(".npo-explorer").evaluate(PAPER)
        assert all(contrast(ink, paper) >= 4.5 for ink, paper in pairs)
        style = """spans => spans.map(e => ["color", "backgroundColor"].map(name => getComputedStyle(e)[name]
          .match(/[\\d.]+/g).map((n, i) => i < 3 ? n / 255 : +n)))"""
        paper = pairs[0][1]
        for ink, ground in page.locator(".npo-choice span").evaluate_all(style):
            assert contrast(ink, paper if len(ground) == 4 else ground) >= 4.5
        checked = page.locator("input:checked")
        ground = page.locator("input:checked + span").evaluate_all(style)[0][1]
        assert len(ground) == 3 and contrast(ground, paper) >= 3
        outline = "e => getComputedStyle(e.nextElementSibling).outlineStyle"
        assert checked.evaluate(outline) == "none"
        page.locator(".npo-play").focus()
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Shift+Tab")
        assert checked.evaluate("e => e === document.activeElement") and checked.evaluate(outline) == "solid"


@editions("zh", "lang")
@pytest.mark.parametrize("phone", [PHONE, SMALL_PHONE], ids=["390 px", "320 px"])
def test_it_fits_a_phone_and_a_finger(browser, folder, lang, phone):
    with opened(browser, folder, f"{lang}.html", **phone) as page:
        assert not too_wide(page)
        labels = page.locator(".npo-choice label")
        boxes = [label.bounding_box() for label in labels.all()]
        assert all(box["height"] >= 40 and box["width"] >= 40 for box in boxes)
        assert all(box["x"] + box["width"] <= phone["viewport"]["width"] for box in boxes)
        assert all(input.bounding_box() == box for input, box in zip(labels.locator("input").all(), boxes, strict=True))
        labels.last.scroll_into_view_if_needed()
        box = labels.last.bounding_box()
        page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        assert chosen(page) == "KL"


def test_paper_shows_the_chosen_name(browser, folder):
    with opened(browser, folder) as page:
        page.emulate_media(media="print")
        assert [span.is_visible() for span in page.locator(".npo-choice span").all()] == [False, True, False]
        assert page.locator(".npo-choice legend").is_visible()


def test_without_scripts_the_picture_names_the_choice(browser, folder):
    with opened(browser, folder, "zh.html", java_script_enabled=False) as page:
        picture = page.locator("figure svg")
        assert picture.bounding_box()["height"] > 400
        assert "方法 = NPO；幂 = 2" in picture.get_attribute("aria-label")


def test_a_step_of_the_slider_moves_both_panels(browser, folder):
    with opened(browser, folder) as page:
        before = drawing(page.locator(".npo-panel").first), drawing(page.locator(".npo-panel").last)
        put(page.locator("input[type=range]"), 0)
        after = drawing(page.locator(".npo-panel").first), drawing(page.locator(".npo-panel").last)
        assert all(one != other for one, other in zip(before, after, strict=True))
