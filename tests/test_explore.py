"""explore/: what is drawn is what the function returned, what cannot be drawn is refused, pages stand alone."""

import base64
import gzip
import io
import json
import re
import subprocess
import sys

import numpy as np
import pytest
from ipywidgets import embed
from matplotlib.image import imread
from traitlets import TraitError

from npo_tutorial import plots
from npo_tutorial.explore import (
    Band,
    Explorer,
    Grid,
    Images,
    Marker,
    Panel,
    Passage,
    Path,
    Points,
    explore,
    html,
    save_html,
)
from npo_tutorial.explore.kinds import KINDS
from npo_tutorial.explore.scripts import FILES, drawing_script
from tests.colors import contrast, in_dark_mode

STYLE, MOUNT = ((FILES / name).read_text("utf-8") for name in ("explorer.css", "mount.js"))
SCRIPT = drawing_script()
X = np.linspace(0.5, 8, 40)
WORDS = {"title": {"en": "Waves", "zh": "波"}, "x_label": "x", "y_label": {"en": "height", "zh": "高度"}}


def curves(x, k, a=1.0):
    return {
        "line": a * np.sin(k * x),
        "band": Band(-a * x, a + 0 * x),
        "points": Points(np.array([1.0, k + 1]), a * np.array([3.0, -4.0])),
        "marker": Marker(k),
    }


def positive(x, k):
    return {
        "line": np.exp(-k * x),
        "band": Band(x**-2, k + x),
        "points": Points(x[:3] * 10, x[:3] * 1e-9),
        "marker": Marker(k),
    }


PICTURES = np.linspace(0, 1, 8).reshape(2, 4)


def with_images(x, k):
    return {"images": Images(np.array([0.25, 1 / k])), "line": k * x}


def plane(x, k, a=1.0):
    t = np.linspace(0, 6, 30)
    return {"way": Path(a * np.cos(k * t), t**2 - k), "line": a * x, "points": Points(x[:2], x[:2] * k)}


def lengths(x, method):
    """Something for each name."""
    return {"way": Path(x[::-1], x * len(method)), "line": x ** len(method)}


def made(fn=curves, x=X, **options):
    return explore(fn, x, **WORDS | {"k": [1, 2, 5]} | options)


def answers(k):
    """Two passages: one that changes, of k words, and one that every grid point but the last repeats."""
    words = ["a", " wave", "\n", "", " 波"][:k]
    certain = Passage("Certain?", ["yes", "."], np.array([1, 0.994])) if k < 5 else Passage("Certain?", [], [])
    return [Passage({"en": "Which?", "zh": "哪个？"}, words, np.arange(len(words)) / 7 + 0.1), certain]


def with_passages(passages=answers, **options):
    return made(**{"passages": passages, "passages_label": {"en": "in per cent", "zh": "百分数"}} | options)


def beside(fn=plane, x=X, **options):
    return Panel(fn, x, **{"x_label": "across", "y_label": {"en": "up", "zh": "纵向"}} | options)


def flat(curve):
    """A curve as rows of numbers."""
    return np.atleast_2d(np.array(curve, float))


GRIDS = {
    "one grid": (curves, {}),
    "three kinds of numbers": (curves, {"k": np.linspace(0.1, 3, 7), "a": Grid([1e-3, 1, 1e6], scale="log")}),
    "logarithmic axes": (positive, {"x_scale": "log", "y_scale": "log"}),
    "logarithmic down": (positive, {"y_scale": "log", "y_limits": "frame"}),
    "images": (with_images, {"images": PICTURES, "y_scale": "log"}),
    "path": (lambda x, k: {"way": Path(x[:k] ** 2, np.exp(-x[:k]))} | {"n": Marker(k)}, {"k": [3], "y_scale": "log"}),
    "names": (lambda x, k: lengths(x, k), {"k": ["GA", "NPO", "gradient descent"]}),
    "two panels": (curves, {"a": [0.5, 2], "beside": beside()}),
    "two panels with images": (
        with_images,
        {"images": PICTURES, "beside": beside(with_images, X[:9], y_scale="log", y_limits="frame")},
    ),
}


@pytest.mark.parametrize("case", GRIDS)
def test_drawn_is_what_the_function_returned_to_16_bits(case):
    fn, options = GRIDS[case]
    explorer = made(fn, **options)
    grids = [grid["values"] for grid in explorer.chart["grids"]]
    names = [grid["name"] for grid in explorer.chart["grids"]]
    functions = [(fn, X, explorer.chart)]
    if "beside" in options:
        functions.append((options["beside"].fn, options["beside"].x, explorer.chart["beside"]))
    for index in np.ndindex(*map(len, grids)):
        values = {name: grid[i] for name, grid, i in zip(names, grids, index, strict=True)}
        for number, (function, x, panel) in enumerate(functions):
            assert_same(panel, explorer.drawn(list(index), number), function(x, **values))


def assert_same(panel, drawn, expected):
    """To 16 bits of each channel's range."""
    assert set(drawn) == set(expected)
    for curve in panel["curves"]:
        label, kind = curve["name"], curve["kind"]
        assert type(drawn[label]) is type(expected[label])
        for axis, got, want in zip(KINDS[kind].channels, flat(drawn[label]), flat(expected[label]), strict=True):
            if axis in "xy" and panel[axis]["scale"] == "log":
                got, want = np.log10(got), np.log10(want)
            precision = np.ptp(want) / 131070
            assert np.abs(got - want).max() <= precision * 1.000001 + 1e-12 * np.abs(want).max()


def test_position_values_and_sentence_go_together():
    explorer = made(a=[0.5, 1.5], say=lambda k, a: {"en": f"k={k} a={a}", "zh": f"{k}，{a}"})
    assert explorer.index == [1, 0]
    assert explorer.values == {"k": 2, "a": 0.5}
    assert explorer.sentence == {"en": "k=2 a=0.5", "zh": "2，0.5"}
    seen = []
    explorer.observe(lambda change: seen.append(change["new"]), names="index")
    explorer.index = [2, 1]
    assert seen == [[2, 1]]
    assert explorer.values == {"k": 5, "a": 1.5}
    assert explorer.sentence["en"] == "k=5 a=1.5"
    np.testing.assert_array_equal(explorer.drawn()["line"], explorer.drawn([2, 1])["line"])
    assert made().sentence is None


@pytest.mark.parametrize("index", [[], [3], [-1], [0, 0], ["1"], [[1]], 1, "1", np.array(1)])
def test_positions_outside_the_grid_are_refused(index):
    explorer = made()
    with pytest.raises(ValueError, match=r"index must contain one position for each grid, of lengths \[3\], got "):
        explorer.drawn(index)
    with pytest.raises((ValueError, TraitError), match="index"):
        explorer.index = index
    assert explorer.index == [1]


def test_where_sliders_start():
    start = lambda **options: made(**options).chart["grids"][0]["start"]  # noqa: E731
    assert start(k=[1, 2, 3, 4, 5]) == 2
    assert start(k=[1, 2, 3, 4, 5], animate="k") == 0
    assert start(k=Grid([1, 2, 3], start=3), animate="k") == 2
    # 0.1 + 0.2 is not 0.3
    assert start(k=Grid(np.arange(1, 5) * 0.1, start=0.3)) == 2


def test_numbers_reach_the_function_as_they_were_given():
    seen = []

    def fn(x, k, a):
        seen.append((type(k), type(a)))
        x *= 0  # its own copy
        return {"line": x + k}

    explorer = made(fn, k=range(2), a=[0.5])
    assert set(seen) == {(int, float)}
    assert explorer.chart["x"]["values"] == X.tolist()


def test_labels_may_come_in_another_order():
    explorer = made(lambda x, k: {"a": x, "b": -x} if k == 1 else {"b": -x, "a": x}, k=[1, 2])
    np.testing.assert_allclose(explorer.drawn([1])["b"], -X, atol=1e-3)


def test_limits_hold_all_that_is_drawn():
    explorer = made(k=np.linspace(0.1, 3, 7))
    lo, hi = explorer.y_limits
    assert lo < -8 < lo + 1 and 3 < hi < 4
    lo, hi = explorer.chart["x"]["limits"]
    assert lo < 0.1 and 8 < hi < 9
    assert made(y_limits=(-1, 2)).y_limits == [-1, 2]
    by_frame = made(lambda x, k: {"line": k * x}, y_limits="frame")
    assert len(by_frame.chart["y"]["limits"]) == 3
    by_frame.index = [2]
    assert 40 < by_frame.y_limits[1] < 42
    # a flat curve is drawn in the middle, not its rounding errors
    lo, hi = made(lambda x, k: {"line": 0.3 + 1e-17 * x}).y_limits
    assert lo == pytest.approx(0.27) and hi == pytest.approx(0.33)
    assert made(lambda x, k: {"at": Marker(k)}).y_limits[0] < 0 < 1 < made(lambda x, k: {"at": Marker(k)}).y_limits[1]


def test_labels_are_names_unless_others_are_given():
    explorer = made(labels={"line": {"en": "a wave", "zh": "一列波"}})
    assert [curve["label"] for curve in explorer.chart["curves"]] == [
        {"en": "a wave", "zh": "一列波"},
        "band",
        "points",
        "marker",
    ]
    assert {"a wave", "一列波"} <= set(re.findall(">([^<]+)<", html.picture(explorer)["image/svg+xml"]))
    assert "line" in explorer.drawn()


def test_images_are_ink_on_transparent_ground_and_take_no_colour():
    explorer = made(with_images, images=PICTURES)
    # the only curve with a colour comes first
    assert [curve["name"] for curve in explorer.chart["curves"]] == ["line", "images"]
    assert len(explorer.chart["images"]) == 2
    for address, pixels in zip(explorer.chart["images"], PICTURES, strict=True):
        kind, data = address.split(",")
        assert kind == "data:image/png;base64"
        picture = imread(io.BytesIO(base64.b64decode(data)))
        assert (picture[..., :3] == 0).all()
        np.testing.assert_allclose(picture[..., 3].ravel(), pixels, atol=1 / 255)
    assert "<svg" in html.picture(explorer)["image/svg+xml"]


def test_axes_that_can_be_switched_have_linear_limits_for_each_grid_point():
    assert made().chart["linear"] is None
    explorer = made(lambda x, k: {"line": x**k}, x_scale="log", y_scale="log", switch_axes=True)
    linear = explorer.chart["linear"]
    assert linear["x"][0] < 0.5 and 8 < linear["x"][1] < 8.3
    assert len(linear["y"]) == 3
    for (lo, hi), k in zip(linear["y"], [1, 2, 5], strict=True):
        assert lo < 0.5**k and 8**k < hi < 1.05 * 8**k
    assert explorer.linear is False
    explorer.linear = True
    with pytest.raises(ValueError, match="linear must be False for an explorer made without switch_axes"):
        made().linear = True
    mixed = made(lambda x, k: {"line": -x}, x_scale="log", switch_axes=True).chart["linear"]
    assert mixed["y"][0][0] < -8 and mixed["x"][0] < 0.5


def test_names_are_values_like_any_other():
    heard, seen = [], []

    def fn(x, method, beta):
        heard.append(method)
        return lengths(x, method)

    names = {"GA": {"en": "gradient ascent", "zh": "梯度上升"}}
    explorer = explore(
        fn,
        X,
        **WORDS,
        say=lambda method, beta: f"{method} with {beta}",
        animate="method",
        method=Grid(np.array(["GA", "NPO"]), label="loss", names=names, start="NPO"),
        beta=[0.1, 1],
    )
    assert heard == ["GA", "GA", "NPO", "NPO"] and {type(name) for name in heard} == {str}
    method, beta = explorer.chart["grids"]
    assert method["values"] == ["GA", "NPO"] and method["names"] == [names["GA"], "NPO"] and method["label"] == "loss"
    assert beta["names"] is None
    assert explorer.values == {"method": "NPO", "beta": 0.1}
    assert explorer.sentence == "NPO with 0.1"
    assert repr(explorer) == "Explorer('Waves · 波', method='NPO', beta=0.1)"
    explorer.observe(lambda change: seen.append((change["new"], explorer.values["method"])), names="index")
    explorer.index = [0, 1]
    assert seen == [([0, 1], "GA")]
    json.dumps(explorer.chart)


def test_where_names_start():
    start = lambda names, **options: explore(lengths, X, **WORDS, method=names, **options).chart["grids"][0]["start"]  # noqa: E731
    assert start(["a", "b", "c"]) == 0
    assert start(("a", "b", "c"), animate="method") == 0
    assert start(Grid(["a", "b", "c"], start="c"), animate="method") == 2


def test_curves_of_one_name_look_alike_in_both_panels():
    explorer = made(beside=beside(), labels={"way": {"en": "a way", "zh": "路线"}, "line": "the line"})
    first, second = (
        {curve["name"]: curve for curve in panel["curves"]} for panel in (explorer.chart, explorer.chart["beside"])
    )
    assert [curve["look"] for curve in first.values()] == [0, 1, 2, 3]
    assert {name: curve["look"] for name, curve in second.items()} == {"way": 4, "line": 0, "points": 2}
    assert first["line"]["label"] == second["line"]["label"] == "the line"
    assert second["way"]["label"] == {"en": "a way", "zh": "路线"}
    with_rows = made(with_images, images=PICTURES, beside=beside(with_images))
    assert [curve.get("look") for curve in with_rows.chart["beside"]["curves"]] == [0, None]


def test_panels_have_limits_and_texts_of_their_own():
    explorer = made(y_limits=(-1, 1), beside=beside(x=[-50, 50], y_limits="frame"))
    panel = explorer.chart["beside"]
    assert explorer.y_limits == [-1, 1] and len(panel["y"]["limits"]) == 3
    assert panel["x"]["label"] == "across" and panel["y"]["label"] == {"en": "up", "zh": "纵向"}
    assert panel["x"]["limits"][0] < -50 and panel["x"]["values"] == [-50, 50]
    assert made().chart["beside"] is None


def test_axes_are_switched_in_the_panels_that_have_logarithmic_ones():
    log = {"x_scale": "log", "y_scale": "log"}
    explorer = made(switch_axes=True, beside=beside(positive, **log))
    assert explorer.chart["linear"] is None and len(explorer.chart["beside"]["linear"]["y"]) == 3
    explorer.linear = True
    both = made(positive, switch_axes=True, beside=beside(positive, **log), **log)
    assert both.chart["linear"] == both.chart["beside"]["linear"]


def test_the_picture_shows_both_panels_and_each_name_once():
    explorer = made(beside=beside(), labels={"points": "the points"})
    words = re.findall(">([^<]+)<", html.picture(explorer)["image/svg+xml"])
    for word in ("height · 高度", "across", "up · 纵向", "line", "band", "the points", "marker", "way"):
        assert words.count(word) == 1, word


def test_a_saved_page_names_what_is_chosen(tmp_path):
    method = Grid(["a", "b"], label="loss", names={"a": {"en": "first", "zh": "第一"}})
    save_html(explore(lengths, X, **WORDS, method=method), tmp_path / "page.html", title="T", language="zh")
    page = (tmp_path / "page.html").read_text("utf-8")
    assert "（loss = 第一）" in page and 'aria-label="波（loss = 第一）"' in page


def test_what_a_saved_page_says_has_the_punctuation_of_its_language(tmp_path):
    explorer = explore(lambda x, u, v: {"line": x * u + v}, X, **WORDS, u=[-2.0, -1.0], v=[1.0, 2.0])
    for language, said in {"en": " (u = −2; v = 1) ", "zh": "（u = −2；v = 1）"}.items():
        save_html(explorer, tmp_path / "page.html", title="T", language=language)
        page = (tmp_path / "page.html").read_text("utf-8")
        assert f"</strong>{said}" in page and f"{WORDS['title'][language]}{said}" in page


def assert_told(shown, passages):
    """What a reader sees is what the function returned, strengths to a whole per cent."""
    assert len(shown) == len(passages)
    for one, other in zip(shown, passages, strict=True):
        assert type(one) is Passage and one.title == other.title and one.pieces == list(other.pieces)
        np.testing.assert_allclose(one.strengths, np.asarray(other.strengths, float), rtol=0, atol=0.005 + 1e-12)
        assert one.strengths.tolist() == [round(100 * strength) / 100 for strength in one.strengths]


def test_passages_are_what_the_function_returned_to_a_per_cent():
    two = {"a": [0.5, 2.0]}
    explorer = with_passages(lambda k, a: answers(k if a > 1 else 5), **two)
    for index in np.ndindex(3, 2):
        k, a = [1, 2, 5][index[0]], two["a"][index[1]]
        assert_told(explorer.passages(list(index)), answers(k if a > 1 else 5))
    explorer.index = [1, 1]
    assert_told(explorer.passages(), answers(2))
    assert explorer.passages()[1].strengths.tolist() == [1, 0.99]
    assert made().passages() == [] and made().chart["passages"] is None
    with pytest.raises(ValueError, match="index must contain one position for each grid"):
        explorer.passages([0])
    json.dumps(explorer.chart)


def test_passages_and_pieces_that_come_again_are_kept_once():
    described = with_passages(lambda k: answers(2), k=range(50)).chart["passages"]
    assert described["texts"] == [[[0, 1], [10, 24]], [[2, 3], [100, 99]]]
    assert described["pieces"] == ["a", " wave", "yes", "."] and described["frames"] == [0, 1] * 50
    # the most frequent piece has the shortest number
    described = with_passages(lambda k: [Passage("", ["x", *"yz"[:k], "y"], np.ones(k + 2))], k=[1, 2]).chart[
        "passages"
    ]
    assert described["pieces"] == ["y", "x", "z"]


def test_room_is_for_the_longest_passage_of_each_title():
    # each piece has a number of up to three digits over it
    words = {1: "aaaa", 2: "a b c", 3: "aaaaaaaa"}
    told = lambda k: [  # noqa: E731
        Passage("one", words[k].split(" "), np.ones(len(words[k].split(" ")))),
        Passage("two", ["a"] * (4 - k), np.ones(4 - k)),
    ]
    described = with_passages(told, k=[1, 2, 3]).chart["passages"]
    longest = [described["texts"][number][0] for number in described["longest"]]
    texts = ["".join(described["pieces"][place] for place in places) for places in longest]
    assert texts == ["abc", "aaa"]


def test_pieces_may_be_an_array_and_strengths_a_list():
    explorer = with_passages(lambda k: (Passage("t", np.array(["a", " b"]), [0, 1]),))
    (passage,) = explorer.passages()
    assert passage.pieces == ["a", " b"] and {type(piece) for piece in passage.pieces} == {str}
    assert passage.strengths.tolist() == [0, 1]


def test_passages_of_a_language_model_s_answers_are_light(rng):
    # 8 methods, 7 steps, 6 questions, 20 tokens, of which none follows from those before
    vocabulary = np.array([f"{' ' * (i % 2)}{np.base_repr(7919 * i % 46_656, 36).lower()}" for i in range(1500)])
    chances = 1 / np.arange(3, 1503)

    def told(k, a):
        pieces = rng.choice(vocabulary, (6, 20), p=chances / chances.sum())
        return [Passage(str(i), row, rng.random(20)) for i, row in enumerate(pieces)]

    explorer = with_passages(told, k=range(8), a=range(7))
    state = json.dumps(explorer.chart["passages"], ensure_ascii=False)
    assert 15_000 < len(gzip.compress(state.encode())) < 26_000


def test_a_saved_page_has_its_passages_where_no_script_runs(tmp_path):
    told = lambda k: [Passage({"en": "Q", "zh": "问"}, ["</dl>", " yes"], [0, 1]), Passage("&", [], [])]  # noqa: E731
    save_html(with_passages(told), tmp_path / "page.html", title="T", language="zh")
    figure = re.search("<figure.*</figure>", (tmp_path / "page.html").read_text("utf-8"), re.S)[0]
    assert "<dl><dt>问</dt><dd>&lt;/dl&gt; yes</dd><dt>&amp;</dt><dd></dd></dl></figcaption>" in figure


def replaced(kind):
    return lambda x, k: curves(x, k) | {"line": kind if k == 2 else x}


def bad(value, at=3):
    def fn(x, k):
        y = x.copy()
        y[at] = value if k == 5 else 1
        return {"NPO": y}

    return fn


def bad_beside(fn=None, **options):
    return lambda: made(beside=beside(fn or plane, **options))


def named(*names, **options):
    return lambda: explore(lengths, X, **WORDS, method=Grid(names, **options))


def told(*parts, **options):
    """Passages of which the second is made of these parts."""
    return lambda: with_passages(lambda k: [Passage("t", [], []), Passage(*parts)], **options)


SEVEN = {str(i): Marker(i) for i in range(7)}
BAD = {
    "fn": (lambda: made(3), TypeError, "fn must be a function, got 3"),
    "say": (lambda: made(say="k"), TypeError, "say must be a function, got 'k'"),
    "NaN": (lambda: made(bad(np.nan)), ValueError, r"fn\(x, k=5\)\['NPO'\] must be finite, got nan at index \(?3"),
    "infinite": (lambda: made(bad(-np.inf)), ValueError, r"fn\(x, k=5\)\['NPO'\] must be finite, got -inf at index"),
    "huge": (lambda: made(bad(1e300)), ValueError, r"\['NPO'\] must lie between -1e\+250 and 1e\+250 .*got 1e\+300"),
    "log of zero": (
        lambda: made(bad(0), y_scale="log"),
        ValueError,
        r"fn\(x, k=5\)\['NPO'\] must lie between 1e-250 and 1e\+250 on a log scale, got 0 at index 3",
    ),
    "log of x": (lambda: made(x=X - 1, x_scale="log"), ValueError, "x must lie between .* on a log scale, got -0.5"),
    "log of marker": (
        lambda: made(lambda x, k: {"u": Marker(-k)}, x_scale="log"),
        ValueError,
        r"fn\(x, k=1\)\['u'\] must lie .* got -1",
    ),
    "x": (lambda: made(x=[]), ValueError, "x must not be empty"),
    "words": (lambda: made(x="abc"), TypeError, "x must be an array of real numbers"),
    "length": (lambda: made(lambda x, k: {"a": x[k:]}), ValueError, r"\['a'\] must be of length 40, got 39"),
    "band": (lambda: made(lambda x, k: {"a": Band(x, x[1:])}), ValueError, r"\['a'\] must be of length 40, got 39"),
    "points": (lambda: made(lambda x, k: {"a": Points(x, x[1:])}), ValueError, r"\['a'\] must be of length 40, got 39"),
    "no dict": (lambda: made(lambda x, k: x), TypeError, r"fn\(x, k=1\) must be a dict from labels .*, got ndarray"),
    "names": (lambda: made(lambda x, k: {1: x}), TypeError, "must be a dict from labels"),
    "no curve": (lambda: made(lambda x, k: {}), ValueError, "must have 1 to 6 curves, got 0"),
    "images only": (
        lambda: made(lambda x, k: {"images": Images([0, 1])}, images=PICTURES),
        ValueError,
        "must have 1 to 6 curves, got 0",
    ),
    "many curves": (lambda: made(lambda x, k: SEVEN), ValueError, "must have 1 to 6 curves, got 7"),
    "kind changes": (
        lambda: made(replaced(Marker(1))),
        ValueError,
        r"fn\(x, k=2\) must have the curves of the first grid point, line \(line of 40\).*got line \(marker of 1\)",
    ),
    "points change": (
        lambda: made(lambda x, k: {"a": Points(x[:k], x[:k])}),
        ValueError,
        r"first grid point, a \(points of 1\), got a \(points of 2\)",
    ),
    "label changes": (
        lambda: made(lambda x, k: {f"k{k}": x}),
        ValueError,
        r"first grid point, k1 \(line of 40\), got k2",
    ),
    "no grid": (lambda: explore(curves, X, **WORDS), ValueError, "explore takes 1 to 3 parameters, got 0"),
    "many grids": (lambda: made(a=[1], b=[1], c=[1]), ValueError, "explore takes 1 to 3 parameters, got 4"),
    "empty grid": (lambda: made(k=[]), ValueError, "k must not be empty"),
    "no numbers": (lambda: made(k=[None]), TypeError, "k must be an array of real numbers"),
    "a word": (lambda: made(k="abc"), TypeError, "k must be an array of real numbers"),
    "one value": (lambda: made(k=np.array(1.0)), ValueError, r"k must have 1 dimension, got shape \(\)"),
    "far apart": (lambda: made(k=[1e308, -1e308]), ValueError, r"k must increase, got 1e\+308 before -1e\+308"),
    "unsorted grid": (lambda: made(k=[1, 3, 2]), ValueError, "k must increase, got 3 before 2"),
    "repeated value": (lambda: made(k=[1, 1]), ValueError, "k must increase, got 1 before 1"),
    "grid scale": (lambda: made(k=Grid([1], scale="ln")), ValueError, "k.scale must be one of 'linear', 'log'"),
    "grid from zero": (lambda: made(k=Grid([0, 1], scale="log")), ValueError, "k must lie .* on a log scale, got 0"),
    "start": (lambda: made(k=Grid([1, 2], start=1.5)), ValueError, "k.start must be one of its values, got 1.5"),
    "start word": (lambda: made(k=Grid([1, 2], start="1")), TypeError, "k.start must be a real number"),
    "animate": (lambda: made(animate="t"), ValueError, "animate must be one of 'k', got 't'"),
    "x_scale": (lambda: made(x_scale="ln"), ValueError, "x_scale must be one of 'linear', 'log', got 'ln'"),
    "y_scale": (lambda: made(y_scale="symlog"), ValueError, "y_scale must be one of .*got 'symlog'"),
    "y_limits word": (lambda: made(y_limits="grid"), ValueError, "y_limits must be one of 'frame', got 'grid'"),
    "y_limits order": (lambda: made(y_limits=(1, 0)), ValueError, "y_limits must be a pair .*got .1.0, 0.0"),
    "y_limits log": (lambda: made(positive, y_limits=(0, 1), y_scale="log"), ValueError, "y_limits must lie between"),
    "path": (lambda: made(lambda x, k: {"a": Path(x, x[1:])}), ValueError, r"\['a'\] must be of length 40, got 39"),
    "path changes": (
        lambda: made(lambda x, k: {"a": Path(x[:k], x[:k])}),
        ValueError,
        r"first grid point, a \(path of 1\), got a \(path of 2\)",
    ),
    "beside": (lambda: made(beside=plane), TypeError, "beside must be a Panel, got <function plane"),
    "beside.fn": (bad_beside(3), TypeError, "beside.fn must be a function, got 3"),
    "beside.x": (bad_beside(x=[]), ValueError, "beside.x must not be empty"),
    "beside.x_label": (bad_beside(x_label=3), TypeError, "beside.x_label must be a str or a dict"),
    "beside.y_scale": (bad_beside(y_scale="ln"), ValueError, "beside.y_scale must be one of 'linear', 'log', got 'ln'"),
    "beside.y_limits": (bad_beside(y_limits=(1, 0)), ValueError, "beside.y_limits must be a pair .*got .1.0, 0.0"),
    "beside.y_limits word": (bad_beside(y_limits="grid"), ValueError, "beside.y_limits must be one of 'frame'"),
    "NaN beside": (
        bad_beside(bad(np.nan)),
        ValueError,
        r"^beside.fn\(x, k=5\)\['NPO'\] must be finite, got nan at index \(?3",
    ),
    "no dict beside": (bad_beside(lambda x, k: x), TypeError, r"^beside.fn\(x, k=1\) must be a dict"),
    "no curve beside": (
        bad_beside(lambda x, k: {}),
        ValueError,
        r"^beside.fn\(x, k=1\) must have 1 to 6 curves, got 0",
    ),
    "kind changes beside": (
        bad_beside(replaced(Marker(1))),
        ValueError,
        r"^beside.fn\(x, k=2\) must have the curves of the first grid point, line \(line of 40\)",
    ),
    "many curves in both": (
        bad_beside(lambda x, k: {name: x for name in "abc"}),
        ValueError,
        "fn and beside.fn must have 1 to 6 curves, got 7",
    ),
    "names and numbers": (
        named("GA", 1),
        TypeError,
        "method must contain numbers or names, not both, got 1 at index 1",
    ),
    "blank name": (named("GA", " "), ValueError, "method must not contain a blank name, got ' ' at index 1"),
    "repeated name": (named("GA", "NPO", "GA"), ValueError, "method must contain each name once, got 'GA' again"),
    "scale of names": (named("GA", scale="log"), ValueError, "method.scale must be 'linear' for a grid of names"),
    "start of names": (named("GA", start="ga"), ValueError, "method.start must be one of 'GA', got 'ga'"),
    "texts of names": (named("GA", names=["a"]), TypeError, "method.names must be a dict from values of method to"),
    "text of no name": (
        named("GA", names={"ga": "a"}),
        ValueError,
        "must have only values of method as keys, GA, got 'ga'",
    ),
    "text of a name": (named("GA", names={"GA": 1}), TypeError, r"method.names\['GA'\] must be a str or a dict"),
    "names of numbers": (lambda: made(k=Grid([1], names={})), ValueError, "k.names must be None for a grid of numbers"),
    "NaN for a name": (
        lambda: explore(lambda x, method: {"a": x * np.nan}, X, **WORDS, method=["GA"]),
        ValueError,
        r"^fn\(x, method='GA'\)\['a'\] must be finite",
    ),
    "labels": (lambda: made(labels=["line"]), TypeError, "labels must be a dict from names of curves to texts"),
    "label of nothing": (
        lambda: made(labels={"lines": "a"}),
        ValueError,
        "labels must have only names of curves as keys, line, band, points, marker, got 'lines'",
    ),
    "label": (lambda: made(labels={"line": 3}), TypeError, r"labels\['line'\] must be a str or a dict"),
    "images": (lambda: made(with_images, images=PICTURES[:, :3]), ValueError, "images must be square .* rows of 3"),
    "dark images": (lambda: made(with_images, images=2 * PICTURES), ValueError, "images must .* between 0 and 2"),
    "no images": (lambda: made(with_images), ValueError, r"\['images'\] must be of length 0, got 2"),
    "strength": (
        lambda: made(lambda x, k: {"images": Images(np.array([k - 2.0, 0]))}, images=PICTURES),
        ValueError,
        r"fn\(x, k=1\)\['images'\] must lie between 0 and 1, got \[-1.0, 0.0\]",
    ),
    "say array": (lambda: made(say=X), TypeError, "say must be a function, got array"),
    "switch_axes word": (lambda: made(switch_axes="no"), TypeError, "switch_axes must be True or False, got 'no'"),
    "switch_axes": (lambda: made(switch_axes=True), ValueError, "switch_axes needs a logarithmic axis"),
    "title": (lambda: made(title=3), TypeError, "title must be a str or a dict"),
    "no English": (lambda: made(x_label={"zh": "步"}), ValueError, 'x_label must have a text for "en", got .*步'),
    "grid label": (lambda: made(k=Grid([1], label={"en": 1})), TypeError, "k.label must be a str or a dict"),
    "sentence": (lambda: made(say=lambda k: k), TypeError, r"say\(k=1\) must be a str or a dict .*got 1"),
    "passages": (lambda: with_passages(["a"]), TypeError, r"passages must be a function, got \['a'\]"),
    "no label of passages": (
        lambda: made(passages=answers),
        ValueError,
        "passages_label must say what the numbers in passages are, got None",
    ),
    "label of passages": (
        lambda: with_passages(passages_label=3),
        TypeError,
        'passages_label must be a str or a dict {"en": …, "zh": …}, got 3',
    ),
    "label of no passages": (
        lambda: made(passages_label="per cent"),
        ValueError,
        "passages_label must be None without passages, got 'per cent'",
    ),
    "one passage": (
        lambda: with_passages(lambda k: answers(k)[0]),
        TypeError,
        r"^passages\(k=1\) must be a sequence of Passage, got Passage",
    ),
    "a generator of passages": (
        lambda: with_passages(lambda k: iter(answers(k))),
        TypeError,
        r"^passages\(k=1\) must be a sequence of Passage, got list_iterator",
    ),
    "no passages": (
        lambda: with_passages(lambda k: answers(k) if k < 2 else []),
        ValueError,
        r"^passages\(k=2\) must contain at least one Passage, got \[\]",
    ),
    "no passage": (
        lambda: with_passages(lambda k: [*answers(k), "a"]),
        TypeError,
        r"^passages\(k=1\)\[2\] must be a Passage, got 'a'",
    ),
    "titles change": (
        lambda: with_passages(lambda k: [Passage(f"t{k // 2}", [], [])]),
        ValueError,
        r"^passages\(k=2\) must have the titles of the first grid point, \['t0'\], got \['t1'\]",
    ),
    "more titles": (
        lambda: with_passages(lambda k: answers(5)[: k // 2 + 1]),
        ValueError,
        r"^passages\(k=2\) must have the titles .*, \[{'en': 'Which\?', 'zh': '哪个？'}\], got \[.*, 'Certain\?'\]",
    ),
    "title of a passage": (told(3, [], []), TypeError, r"^passages\(k=1\)\[1\].title must be a str or a dict"),
    "no English title": (told({"zh": "问"}, [], []), ValueError, r'\[1\].title must have a text for "en"'),
    "pieces": (told("t", "abc", [1] * 3), TypeError, r"\[1\].pieces must be a sequence of str, got 'abc'"),
    "pieces of none": (told("t", None, []), TypeError, r"\[1\].pieces must be a sequence of str, got None"),
    "a piece": (told("t", ["a", 7], [1, 1]), TypeError, r"\[1\].pieces must contain only str, got 7 at index 1"),
    "fewer strengths": (
        told("t", ["a", "b"], [1]),
        ValueError,
        r"\[1\].strengths must have the length of pieces, 2, got 1",
    ),
    "more strengths": (told("t", [], [1]), ValueError, r"\[1\].strengths must have the length of pieces, 0, got 1"),
    "no strengths": (told("t", ["a"], []), ValueError, r"\[1\].strengths must not be empty"),
    "words for strengths": (told("t", ["a"], ["b"]), TypeError, r"\[1\].strengths must be an array of real numbers"),
    "table of strengths": (told("t", ["a"], [[1]]), ValueError, r"\[1\].strengths must have 1 dimension"),
    "NaN strength": (told("t", ["a"], [np.nan]), ValueError, r"\[1\].strengths must be finite, got nan at index 0"),
    "per cent": (
        told("t", ["a", "b"], [1, 97]),
        ValueError,
        r"^passages\(k=1\)\[1\].strengths must lie between 0 and 1, got 97 at index 1",
    ),
    "negative strength": (told("t", ["a"], [-0.1]), ValueError, "must lie between 0 and 1, got -0.1 at index 0"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named(case):
    call, error, message = BAD[case]
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("panel", [-1, 1, 2, "0", None, 0.0, [0, 0]])
def test_panels_that_are_not_there_are_refused(panel):
    with pytest.raises(ValueError, match="panel must be the number of one of 1, from 0, got "):
        made().drawn(panel=panel)


def test_both_panels_count_when_a_state_is_too_large():
    wide = np.arange(100.0)
    options = {"x": wide, "k": range(3000)}
    made(lambda x, k: {"line": k + x}, **options)
    with pytest.raises(ValueError, match="3000 grid points × 300 numbers"):
        made(
            lambda x, k: {"line": k + x},
            beside=beside(lambda x, k: {"way": Path(x, x)}, wide),
            **options,
        )


def test_a_grid_that_is_too_large_is_refused_after_one_point():
    calls = []

    def fn(x, k, a, b):
        calls.append(k)
        return {"line": x}

    grid = range(1000)
    with pytest.raises(ValueError, match=r"1000000000 grid points × 40 numbers .* MB .*fewer values of k or a or b"):
        made(fn, k=grid, a=grid, b=grid)
    assert len(calls) == 1


def in_page(explorer):
    """Bytes that an explorer's numbers, ranges, sentences and passages take in a page."""
    texts = [json.dumps(explorer.chart[name]) for name in ("sentences", "passages") if explorer.chart[name]]
    return (len(explorer.numbers) + len(explorer.ranges)) * 4 / 3 + sum(map(len, texts))


def test_the_largest_grid_that_is_taken_makes_less_than_2_mb():
    x = np.arange(100.0)
    say = lambda k: {"en": "a sentence", "zh": "一句话"}  # noqa: E731
    options = {"x": x, "say": say}
    explorer = made(lambda x, k: {"line": k + x}, k=range(5800), **options)
    assert 1_900_000 < in_page(explorer) <= 2_000_000
    with pytest.raises(ValueError, match="6000 grid points × 100 numbers"):
        made(lambda x, k: {"line": k + x}, k=range(6000), **options)


def test_passages_count_when_a_state_is_too_large():
    def told(n, length=40):
        return lambda k: [Passage("t", [f"{n * k + i:0{length}}" for i in range(n)], np.ones(n))]

    options = {"x": X[:2], "fn": lambda x, k: {"line": k + x}, "k": range(1000)}
    assert 1_900_000 < in_page(with_passages(told(34), **options)) <= 2_000_000
    with pytest.raises(ValueError, match=r"1000 grid points × 2 numbers and their passages .* or shorter passages"):
        with_passages(told(36), **options)
    # the same text everywhere is one text
    with_passages(lambda k: told(300)(1), **options)


def test_progress_is_shown_after_a_second_only(monkeypatch):
    import tqdm.auto

    asked = {}

    def bar(points, **options):
        asked.update(options)
        return points

    monkeypatch.setattr(tqdm.auto, "tqdm", bar)
    made()
    assert asked["delay"] == 1 and asked["total"] == 3


def test_scripts_fit_their_budget():
    assert len(gzip.compress((SCRIPT + MOUNT).encode())) <= 15_000
    # or a page that holds the script would end there
    assert "</script" not in MOUNT


def test_the_script_has_the_tables_of_the_package():
    kinds = json.loads(re.match(r"const KINDS = (.*);\n", SCRIPT)[1])
    assert list(kinds) == list(KINDS)
    assert all(
        kinds[name]["channels"] == kind.channels and kinds[name]["words"] == kind.words for name, kind in KINDS.items()
    )
    ours = [[] if dash == "-" else [2 * length for length in dash[1]] for dash in plots.DASHES]
    dashes = json.loads(re.search(r"^const DASHES = (.*);$", SCRIPT, re.M)[1])
    assert [[float(number) for number in dash.split()] for dash in dashes] == ours
    # a path for each kind that has a sample, a symbol for each colour
    paths = re.search(r"const PATHS = \{(.*?)\n\};", SCRIPT, re.S)[1]
    assert set(re.findall(r"^  (\w+): ", paths, re.M)) == {
        name for name, kind in KINDS.items() if kind.sample is not None
    }
    assert SCRIPT.count('\n  "m') == len(plots.COLORS)


def test_colours_are_those_of_the_figures_and_can_be_read():
    light, *dark = (
        dict(re.findall(r"--npo-([\w-]+): ([^;]+);", block))
        for block in re.findall(r"\{([^{}]*--npo-ink[^{}]*)\}", STYLE)
    )
    assert len(dark) == 2 and dark[0] == dark[1] and set(light) == set(dark[0])
    rgb = lambda color: np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255  # noqa: E731
    for i, color in enumerate(plots.COLORS):
        assert light[f"curve-{i}"] == color
        assert np.abs(rgb(dark[0][f"curve-{i}"]) - in_dark_mode(rgb(color))).max() < 0.005
    for colors, papers in ((light, ["#ffffff"]), (dark[0], ["#14181e", "#111111", "#1e1e1e"])):
        for name in ("ink", "soft", "accent", *(f"curve-{i}" for i in range(6))):
            for paper in papers:
                assert contrast(rgb(colors[name]), rgb(paper)) >= 4.5, (name, paper)


def test_mime_bundle_has_a_widget_a_picture_and_words():
    explorer = made(title={"en": "Costs $5", "zh": "价格"}, say=lambda k: "x")
    data, _ = explorer._repr_mimebundle_()
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == explorer.model_id
    assert data["text/plain"] == "Explorer('Costs $5 · 价格', k=2)"
    picture = data["image/svg+xml"]
    assert "height · 高度" in picture and "marker" in picture
    assert len(gzip.compress(picture.encode())) < 10_000
    assert picture == html.picture(explorer)["image/svg+xml"]


def test_a_host_that_draws_its_own_pictures_gets_none(monkeypatch):
    monkeypatch.setenv("NPO_TUTORIAL_PICTURES", "0")
    explorer = made()
    assert set(explorer._repr_mimebundle_()[0]) == {"text/plain", "application/vnd.jupyter.widget-view+json"}
    assert "<svg" in html.picture(explorer)["image/svg+xml"]


@pytest.mark.parametrize("options", [{"x_scale": "log", "y_scale": "log"}, {"y_limits": "frame"}])
def test_picture_shows_every_kind_on_every_scale(options):
    assert "<svg" in html.picture(made(positive, **options))["image/svg+xml"]


def test_without_matplotlib_there_is_no_picture(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    explorer = made()
    assert set(explorer._repr_mimebundle_()[0]) == {"text/plain", "application/vnd.jupyter.widget-view+json"}
    save_html(explorer, tmp_path / "page.html", title="No picture", language="en")
    assert "<figcaption><strong>Waves</strong> (k = 2) </figcaption>" in (tmp_path / "page.html").read_text("utf-8")


def test_saved_page_holds_its_widgets_and_nothing_foreign(tmp_path):
    one, two, other = made(say=lambda k: "</script><b>"), made(positive), made()
    save_html([one, two], tmp_path / "page.html", title="A < B", language="zh")
    page = (tmp_path / "page.html").read_text("utf-8")
    assert '<html lang="zh">' in page and "<title>A &lt; B</title>" in page
    assert one.model_id in page and two.model_id in page and other.model_id not in page
    assert page.count("<figure") == 2 and "<strong>波</strong>（k = 2）&lt;/script&gt;&lt;b&gt;" in page
    # tags that were written, and those of mount.js
    assert page.count("</script>") == 4
    assert not re.findall(r'(?:src|href)="(?!data:|#)[^"]*"', page)


def test_an_explorer_comes_back_from_its_output_with_the_same_ids():
    explorer = with_passages(say=lambda k: f"k is {k}", beside=beside(), y_scale="linear")
    explorer.index = [1]
    models = json.loads(json.dumps(embed.dependency_state([explorer], drop_defaults=False)))
    id, drawn, page = explorer.model_id, repr(explorer.drawn(panel=1)), html.page([explorer], title="T", lang="zh")
    told = repr(explorer.passages())
    explorer.close()
    explorer.layout.close()
    # as often as an output is shown, one at a time
    for _ in range(2):
        with html.revived(models, id) as again:
            assert again.model_id == id and again.sentence == "k is 2" and repr(again.passages()) == told
            assert html.page([again], title="T", lang="zh") == page
            assert repr(again.drawn(panel=1)) == drawn
        assert again.comm is None


def test_it_speaks_the_language_of_the_environment(monkeypatch, tmp_path):
    monkeypatch.delenv("NPO_TUTORIAL_LANG", raising=False)
    assert made().language == ""
    monkeypatch.setenv("NPO_TUTORIAL_LANG", "zh")
    explorer = made()
    assert explorer.language == explorer.get_state()["language"] == "zh"
    # a page has a language of its own
    for lang in (None, "zh", "en"):
        save_html(explorer, tmp_path / "page.html", title="T", language=lang)
        page = (tmp_path / "page.html").read_text("utf-8")
        assert f'<html lang="{lang or "zh"}">' in page and '"language": ""' in page
    explorer.language = "en"
    with pytest.raises(ValueError, match="language must be one of '', 'en', 'zh', got 'fr'"):
        explorer.language = "fr"
    monkeypatch.setenv("NPO_TUTORIAL_LANG", "fr")
    with pytest.raises(ValueError, match="NPO_TUTORIAL_LANG must be one of 'en', 'zh', got 'fr'"):
        made()


def test_save_html_names_what_it_cannot_save(tmp_path):
    path = tmp_path / "page.html"
    for widgets, options, error, message in (
        ([], {}, ValueError, "widgets must not be empty"),
        (["a"], {}, TypeError, "widgets must be made by explore, got 'a'"),
        (None, {}, TypeError, "widgets must be made by explore, got None"),
        (made(), {"title": 3}, TypeError, "title must be a str, got 3"),
        (made(), {"language": "fr"}, ValueError, "language must be one of 'en', 'zh', got 'fr'"),
    ):
        with pytest.raises(error, match=message):
            save_html(widgets, path, **{"title": "T"} | options)
    with pytest.raises(TypeError, match="path must be a str or a path, got 3"):
        save_html(made(), 3, title="T")
    assert not path.exists()


def test_import_without_anywidget_names_the_extra():
    code = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == sys.argv[1]:
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Absent())
try:
    from npo_tutorial.explore import explore
    explore(lambda x, k: {"a": x}, [1, 2], title="", x_label="", y_label="", k=[1])
except ImportError as error:
    print(error)
"""
    for package in ("anywidget", "tqdm"):
        said = subprocess.check_output([sys.executable, "-c", code, package], encoding="utf-8")
        assert said == f"this needs {package}: pip install 'npo-tutorial[widgets]'\n"


def test_public_names_are_documented():
    for thing in (Explorer, explore, save_html, Grid, Path, Band, Points, Marker, Images, Panel, Passage):
        assert thing.__doc__
