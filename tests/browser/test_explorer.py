"""Explorers in a real browser, from a file: what is drawn, sliders, buttons, languages, themes, phones, no script."""

import json
import re

import numpy as np
import pytest

from npo_tutorial._locale import LANGUAGES
from npo_tutorial.explore import Band, Grid, Images, Marker, Points, explore, save_html
from tests import explore_golden
from tests.book.pages import editions
from tests.browser.drawing import PAPER, THEMES, assert_drawn, drawing, opened, put, stand
from tests.browser.visit import DESKTOP, PHONE, SMALL_PHONE, Visit, too_wide
from tests.colors import contrast
from tests.conftest import nightly

U = np.linspace(-10, 6, 161)
STEPS = np.geomspace(1, 1e4, 60)


def losses(x, beta, shift):
    npo = 2 / beta * np.log1p(np.exp(beta * (x + shift)))
    return {"GA": x, "NPO": npo, "gap": Band(x - shift, npo + 1), "u": Marker(-shift - beta)}


def distances(x, k, n, eta):
    return {"GA": eta * x * k, "data": Points(STEPS[:n], eta * STEPS[:n] ** 0.5 * (1 + k))}


def waves(x, k):
    points = Points(np.array([-20.0, 0.0]), np.array([k, -3.0]))
    return {"sin": k * np.sin(x), "row": Images(np.array([0, k / 3])), "cos": np.cos(k * x), "points": points}


@pytest.fixture(scope="module")
def explorers():
    """Several kinds of curves and axes: the function and its explorer."""
    texts = {"x_label": {"en": "steps", "zh": "步数"}, "y_label": "y"}
    return {
        losses: explore(
            losses,
            U,
            title={"en": "Losses", "zh": "损失"},
            say=lambda beta, shift: {"en": f"beta is {beta:.3g}. " * (1 + shift), "zh": f"β 为 {beta:.3g}。"},
            y_limits="frame",
            beta=Grid(np.geomspace(0.02, 2, 9), label={"en": "temperature", "zh": "温度"}, scale="log"),
            shift=Grid([0, 1, 3], start=1),
            **texts,
        ),
        distances: explore(
            distances,
            STEPS,
            title={"en": "Distances", "zh": "距离"},
            say=lambda k, n, eta: f"k={k}",
            x_scale="log",
            y_scale="log",
            animate="k",
            switch_axes=True,
            k=range(1, 13),
            n=[20],
            eta=Grid([1e-6, 1e-2, 1], scale="log"),
            **texts,
        ),
        waves: explore(
            waves,
            U,
            title="Waves",
            y_limits=(-1.5, 1.5),
            labels={"sin": {"en": "the sine", "zh": "正弦"}},
            images=np.eye(4)[:2],
            k=[1, 2, 3],
            **texts,
        ),
    }


@pytest.fixture(scope="module")
def folder(explorers, tmp_path_factory):
    folder = tmp_path_factory.mktemp("explorers")
    for lang in LANGUAGES:
        save_html(explorers.values(), folder / f"{lang}.html", title="Explorers", language=lang)
    return folder


def place(page, explorers, fn):
    return page.locator(".npo-explorer").nth(list(explorers).index(fn))


def position(explorer, k):
    return int(explorer.locator("input").nth(k).input_value())


@pytest.mark.parametrize("n_positions", [4, *nightly(10)])
@pytest.mark.parametrize("fn", [losses, distances, waves])
def test_what_is_drawn_is_what_the_function_returns(browser, folder, explorers, fn, n_positions, rng):
    chart = explorers[fn].chart
    with opened(browser, folder) as page:
        explorer = place(page, explorers, fn)
        for turn in range(n_positions):
            index = [int(rng.integers(len(grid["values"]))) for grid in chart["grids"]]
            stand(explorer, index)
            values = {grid["name"]: grid["values"][i] for grid, i in zip(chart["grids"], index, strict=True)}
            if chart["linear"]:
                explorer.locator(".npo-linear").click()
            curves = fn(np.asarray(chart["x"]["values"]), **values)
            assert_drawn(explorer, chart, index, curves, linear=chart["linear"] and turn % 2 == 0)


def test_axes_become_linear_and_logarithmic_again(browser, folder, explorers):
    with opened(browser, folder) as page:
        explorer = place(page, explorers, distances)
        button, start = explorer.locator(".npo-linear"), drawing(explorer)
        assert button.get_attribute("aria-pressed") == "false"
        button.focus()
        page.keyboard.press("Space")
        assert button.get_attribute("aria-pressed") == "true"
        assert drawing(explorer) != start
        assert explorer.locator(".npo-chart text", has_text="8000").count() == 1
        explorer.locator(".npo-reset").click()
        assert button.get_attribute("aria-pressed") == "false"
        assert drawing(explorer) == start
        assert place(page, explorers, waves).locator(".npo-linear").count() == 0


@editions("zh", "lang")
def test_every_slider_moves_by_keyboard_and_by_mouse(browser, folder, explorers, lang):
    with opened(browser, folder, f"{lang}.html") as page:
        for fn, model in explorers.items():
            explorer = place(page, explorers, fn)
            for k, grid in enumerate(model.chart["grids"]):
                last = len(grid["values"]) - 1
                if not last:
                    continue
                slider = explorer.locator("input").nth(k)
                slider.focus()
                seen = set()
                for key, there in (("End", last), ("Home", 0), ("ArrowRight", 1)):
                    page.keyboard.press(key)
                    assert position(explorer, k) == there
                    seen.add(drawing(explorer))
                    assert slider.get_attribute("aria-valuetext") == explorer.locator("output").nth(k).inner_text()
                assert len(seen) == (3 if last > 1 else 2)
                box = slider.bounding_box()
                for share, there in ((0.02, 0), (0.98, last)):
                    page.mouse.click(box["x"] + share * box["width"], box["y"] + box["height"] / 2)
                    assert position(explorer, k) == there
                page.mouse.down()
                page.mouse.move(box["x"] + 2, box["y"] + box["height"] / 2, steps=5)
                page.mouse.up()
                assert position(explorer, k) == 0


def test_sliders_follow_a_finger(browser, folder, explorers):
    with opened(browser, folder, **PHONE) as page:
        explorer = place(page, explorers, distances)
        slider = explorer.locator("input").first
        slider.scroll_into_view_if_needed()
        box = slider.bounding_box()
        page.touchscreen.tap(box["x"] + 0.98 * box["width"], box["y"] + box["height"] / 2)
        assert position(explorer, 0) == 11
        assert min(box["height"], explorer.locator("button").first.bounding_box()["height"]) >= 24


@pytest.mark.parametrize("screen", [DESKTOP, SMALL_PHONE], ids=["wide", "phone"])
def test_a_slider_of_at_most_twelve_stops_shows_each_of_them(browser, folder, explorers, screen):
    with opened(browser, folder, **screen) as page:
        seen = {}
        for fn, widget in explorers.items():
            controls = place(page, explorers, fn).locator(".npo-control").all()
            sliders = [grid for grid in widget.chart["grids"] if not grid["names"]]
            for grid, control in zip(sliders, controls, strict=True):
                stops, n = control.locator(".npo-stops > i").all(), len(grid["values"])
                expected = n if 2 <= n <= 12 else 0
                assert len(stops) == expected, f"a slider of {n} stops must show {expected} ticks, got {len(stops)}"
                slider, where = control.locator("input"), f"{grid['name']} of {fn.__name__}"
                track = slider.bounding_box()
                for i, stop in enumerate(stops):
                    # the middle of the thumb, which is 16 px wide
                    off = stop.bounding_box()["x"] - (track["x"] + 8 + (track["width"] - 16) * i / (n - 1))
                    assert abs(off) < 1.5, f"{where}: tick {i} must be below the thumb, is {off:.1f} px off"
                values = control.locator(".npo-stops span").all()
                seen[where] = [value.inner_text() for value in values]
                boxes = [value.bounding_box() for value in values]
                edges = [x for box in boxes for x in (box["x"], box["x"] + box["width"])]
                assert edges == sorted(edges), f"{where}: values must not overlap"
                inside = all(track["x"] - 1 <= x <= track["x"] + track["width"] + 1 for x in edges)
                assert inside, f"{where}: values must stay within the slider's width"
        assert seen["shift of losses"] == ["0", "1", "3"] and seen["k of waves"] == ["1", "2", "3"]
        # nine long values have ticks, and words at both ends
        assert seen["beta of losses"] == []


def test_words_follow_the_state(browser, folder, explorers):
    with opened(browser, folder) as page:
        explorer = place(page, explorers, losses)
        put(explorer.locator("input").nth(0), 8)
        assert explorer.locator(".npo-sentence").inner_text().strip() == "beta is 2. beta is 2."
        text = explorer.locator(".npo-text").text_content()
        picture = explorer.locator(".npo-chart")
        assert picture.get_attribute("aria-describedby") == explorer.locator(".npo-text").get_attribute("id")
        for words in ("temperature = 2. ", "shift = 1. ", "GA: from −10 to 6, lowest −10, highest 6. ", "at −3. "):
            assert words in text
        put(explorer.locator("input").nth(1), 0)
        assert explorer.locator(".npo-text").text_content() != text


def test_the_page_s_language_decides(browser, folder, explorers):
    for lang, words in {
        "en": ["Losses", "temperature", "log scale"],
        "zh": ["损失", "温度", "对数刻度", "β 为"],
    }.items():
        with opened(browser, folder, f"{lang}.html") as page:
            shown = place(page, explorers, losses).inner_text()
            assert all(word in shown for word in words)
            names = place(page, explorers, distances).locator("button").all_inner_texts()
            assert names == {"en": ["Play", "Reset", "Linear axes"], "zh": ["播放", "重置", "线性坐标轴"]}[lang]
            assert {"en": "the sine", "zh": "正弦"}[lang] in place(page, explorers, waves).inner_text()


def test_room_for_the_longest_sentence_is_kept(browser, folder, explorers):
    with opened(browser, folder, **SMALL_PHONE) as page:
        below = place(page, explorers, distances)
        tops = set()
        for shift in range(3):
            put(place(page, explorers, losses).locator("input").nth(1), shift)
            tops.add(round(below.bounding_box()["y"]))
        assert len(tops) == 1


def test_play_runs_to_the_end_and_pauses(browser, folder, explorers):
    with opened(browser, folder) as page:
        explorer = place(page, explorers, distances)
        play, sentence = explorer.locator(".npo-play"), explorer.locator(".npo-sentence")
        put(explorer.locator("input").nth(2), 0)
        assert sentence.get_attribute("aria-live") == "polite"
        play.click()
        assert play.inner_text() == "Pause"
        assert sentence.get_attribute("aria-live") == "off"
        page.wait_for_function("Number(document.querySelectorAll('.npo-explorer')[1].querySelector('input').value) > 1")
        play.click()
        stopped = position(explorer, 0)
        page.wait_for_timeout(700)
        assert position(explorer, 0) == stopped and play.inner_text() == "Play"
        play.click()
        page.wait_for_function("document.querySelector('.npo-play').textContent === 'Play'")
        assert position(explorer, 0) == 11 and position(explorer, 2) == 0
        assert sentence.get_attribute("aria-live") == "polite" and sentence.inner_text() == "k=12"
        # again from the start; moving its slider takes over
        play.click()
        assert position(explorer, 0) < 4
        put(explorer.locator("input").nth(0), 5)
        assert play.inner_text() == "Play"


def test_less_motion_is_fewer_and_slower_pictures(browser, folder, explorers):
    with opened(browser, folder, reduced_motion="reduce") as page:
        explorer = place(page, explorers, distances)
        # a busy machine's clock is not the page's
        page.clock.install()
        page.clock.pause_at("2100-01-01")
        explorer.locator(".npo-play").click()
        page.clock.run_for(990)
        assert position(explorer, 0) == 0
        page.clock.run_for(10)
        assert position(explorer, 0) == 2


def test_reset_goes_back_to_the_start(browser, folder, explorers):
    with opened(browser, folder) as page:
        for fn, model in explorers.items():
            explorer = place(page, explorers, fn)
            start, before = [grid["start"] for grid in model.chart["grids"]], drawing(explorer)
            for k, grid in enumerate(model.chart["grids"]):
                put(explorer.locator("input").nth(k), len(grid["values"]) - 1)
            assert drawing(explorer) != before
            explorer.locator(".npo-reset").click()
            assert [position(explorer, k) for k in range(len(start))] == start
            assert drawing(explorer) == before


@pytest.mark.parametrize("theme", THEMES)
def test_all_can_be_read_in_every_theme(browser, folder, explorers, theme):
    options, script = THEMES[theme]
    with opened(browser, folder, **options) as page:
        if script:
            page.evaluate(script)
        for fn in explorers:
            pairs = place(page, explorers, fn).evaluate(PAPER)
            assert all(contrast(ink, paper) >= 4.5 for ink, paper in pairs)
            assert (sum(pairs[0][1]) < 1.5) == theme.startswith("dark")


@editions("en", "lang")
@pytest.mark.parametrize("phone", [PHONE, SMALL_PHONE], ids=["390 px", "320 px"])
def test_it_fits_a_phone(browser, folder, lang, phone):
    with opened(browser, folder, f"{lang}.html", **phone) as page:
        assert not too_wide(page)
        sizes = page.evaluate(
            """[...document.querySelectorAll(".npo-explorer *")].filter(e => e.textContent.trim() &&
            !e.matches(".npo-text")).map(e => parseFloat(getComputedStyle(e).fontSize) *
            (e.ownerSVGElement ? e.ownerSVGElement.getBoundingClientRect().width /
              e.ownerSVGElement.viewBox.baseVal.width : 1))"""
        )
        assert min(sizes) >= 11.99


def test_it_follows_its_container_s_width(browser, folder, explorers):
    with opened(browser, folder) as page:
        plot = place(page, explorers, losses).locator(".npo-plot")
        wide = float(plot.get_attribute("width"))
        page.evaluate("document.querySelector('main').style.width = '300px'")
        page.wait_for_timeout(200)
        assert float(plot.get_attribute("width")) < 300 < wide
        page.evaluate("document.querySelector('main').style.width = ''")
        page.wait_for_timeout(200)
        assert float(plot.get_attribute("width")) == wide


def test_focus_is_seen(browser, folder, explorers):
    with opened(browser, folder) as page:
        explorer = place(page, explorers, distances)
        for _ in range(6):
            page.keyboard.press("Tab")
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline == "solid"
        assert explorer.locator(":focus").count() == 1


def test_it_prints_as_a_picture(browser, folder, explorers):
    with opened(browser, folder, color_scheme="dark") as page:
        page.emulate_media(media="print")
        explorer = place(page, explorers, distances)
        assert not any(part.is_visible() for part in explorer.locator("input, button").all())
        assert explorer.locator("output").first.is_visible() and explorer.locator(".npo-chart").is_visible()
        assert sum(explorer.evaluate(PAPER)[0][1]) == 3


def test_without_scripts_a_picture_stands_in(browser, folder, explorers):
    with opened(browser, folder, java_script_enabled=False) as page:
        pictures = page.locator("figure svg")
        assert pictures.count() == len(explorers)
        for picture in pictures.all():
            assert picture.bounding_box()["height"] > 150
            assert picture.get_attribute("aria-label")
        assert "beta is 0.2. beta is 0.2." in page.inner_text("main")


def rewritten(folder, name, change):
    page = (folder / "en.html").read_text("utf-8")
    state = re.search(r'<script type="application/vnd.jupyter.widget-state\+json">(.*?)</script>', page)
    changed = change(page, state)
    assert changed != page
    (folder / name).write_text(changed, "utf-8")


def test_views_of_one_model_move_together(browser, folder, explorers):
    def twice(page, state):
        view = re.search(r'<script type="application/vnd.jupyter.widget-view\+json">.*?</script>', page)[0]
        return page.replace(view, view + view)

    rewritten(folder, "twice.html", twice)
    with opened(browser, folder, "twice.html") as page:
        one, other = (page.locator(".npo-explorer").nth(i) for i in range(2))
        put(one.locator("input").nth(0), 8)
        assert position(other, 0) == 8
        assert drawing(other) == drawing(one)


def test_mounting_twice_is_mounting_once(browser, folder, explorers):
    with opened(browser, folder) as page:
        script = page.locator("script:not([type])").last.text_content()
        page.evaluate(
            "code => document.body.append(Object.assign(document.createElement('script'), {text: code}))", script
        )
        page.wait_for_timeout(200)
        assert page.locator(".npo-explorer").count() == len(explorers)


def test_state_in_a_file_is_loaded_when_its_view_comes_near(browser, folder, explorers):
    def deferred(page, state):
        models = list(explorers.values())
        states = json.loads(state[1])
        for number, model in enumerate(models):
            part = states | {"state": {model.model_id: states["state"][model.model_id]}}
            (folder / f"state-{number}.js").write_text(f"npoWidgetState({json.dumps(part)});", "utf-8")
        tag = (
            '<script type="application/vnd.jupyter.widget-state+json" data-src="state-{}.js" data-models="{}"></script>'
        )
        tags = "".join(tag.format(number, model.model_id) for number, model in enumerate(models))
        return page.replace(state[0], tags).replace("<section>", '<section style="margin-bottom: 300vh">')

    rewritten(folder, "deferred.html", deferred)
    with opened(browser, folder, "deferred.html") as page:
        assert page.locator(".npo-explorer").count() == 1
        for number in (2, 3):
            page.locator("section").nth(number - 1).scroll_into_view_if_needed()
            page.wait_for_function(f"document.querySelectorAll('.npo-explorer').length === {number}")
        put(place(page, explorers, waves).locator("input"), 2)
        assert position(place(page, explorers, waves), 0) == 2


def state_edited(edit):
    def change(page, state):
        states = json.loads(state[1])
        edit(states["state"])
        return page.replace(state[1], json.dumps(states).replace("<", "\\u003c"))

    return change


def break_script(states):
    for model in states.values():
        if "_esm" in model["state"]:
            model["state"]["_esm"] = "export default { render() { throw new Error('no ink'); } }"


BROKEN = {
    "no state": (state_edited(lambda states: states.clear()), "its numbers are missing or damaged."),
    "another widget": (
        state_edited(lambda states: [model["state"].pop("_esm", 0) for model in states.values()]),
        "it only works in a running notebook.",
    ),
    "broken script": (state_edited(break_script), "its numbers are missing or damaged."),
    "no file": (
        lambda page, state: page.replace(state[0], state[0].split(">")[0] + ' data-src="absent.js"></script>'),
        "its numbers cannot be loaded.",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_goes_wrong_is_said_in_the_widget_s_place(browser, folder, case):
    change, words = BROKEN[case]
    rewritten(folder, "broken.html", change)
    own = folder.as_uri() + "/"
    with Visit(browser, own, **DESKTOP) as visit:
        page = visit.open(own + "broken.html")
        alert = page.locator("section [role=alert]").first
        assert alert.inner_text().startswith("This demo could not be started: " + words)
        assert visit.complaints


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_script_reads_the_file_as_python_does(browser, tmp_path, lang):
    golden = explore_golden.read()
    save_html(explore_golden.explorer_of(golden), tmp_path / "golden.html", title="Golden", language=lang)
    with opened(browser, tmp_path, "golden.html") as page:
        figure = page.locator(".npo-explorer")
        for seen in golden["seen"]:
            stand(figure, seen["index"])
            for panel, curves in enumerate(seen["curves"]):
                assert_drawn(figure, golden["state"]["chart"], seen["index"], curves, panel=panel)
            assert figure.locator(".npo-text").all_text_contents() == seen["words"][lang]
