"""plots.py: contrast on light and on inverted dark paper, letters for phones, curves that differ in dash too."""

import io
import itertools

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from npo_tutorial import plots
from tests.colors import contrast, in_dark_mode, linear
from tests.figures import smallest_letter

# dark background of the book's theme
DARK_PAGE = "#14181e"


def lab(linear_rgb):
    """CIELAB, in which a distance of about 2 is just visible."""
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ linear_rgb.clip(
        0, 1
    )
    xyz = xyz / [0.9505, 1, 1.089]
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("color", [*plots.COLORS, plots.STYLE["text.color"], plots.STYLE["xtick.color"]])
def test_contrast_on_light_and_dark_pages(color):
    assert contrast(to_rgb(color), to_rgb("white")) >= 4.5
    assert contrast(in_dark_mode(to_rgb(color)), to_rgb(DARK_PAGE)) >= 4.5


def test_no_two_curves_differ_by_colour_alone():
    assert len({str(d) for d in plots.DASHES}) == len(plots.COLORS) == len(plots.DASHES)


# Machado, Oliveira, Fernandes (2009), severity 1, linear RGB
COLOUR_BLIND = {
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
}


@pytest.mark.parametrize("kind", COLOUR_BLIND)
def test_first_four_colours_are_distinct_for_colour_blind_readers(kind):
    seen = [lab(np.array(COLOUR_BLIND[kind]) @ linear(to_rgb(color))) for color in plots.COLORS[:4]]
    for one, other in itertools.combinations(seen, 2):
        assert np.linalg.norm(one - other) > 25


def test_the_numbers_of_a_symlog_axis_do_not_touch():
    x = np.linspace(1, 10, 5)
    curves = {"GA": 100 * (x - 2)}
    figure = plots.lines(x, curves, x_label="$t$", y_label="$d$", y_scale="symlog", y_limits=(-100, 1000))
    figure.draw_without_rendering()
    boxes = [label.get_window_extent() for label in figure.axes[0].get_yticklabels() if label.get_text()]
    assert len(boxes) == 8
    assert all(below.y1 <= above.y0 for below, above in itertools.pairwise(boxes))


def test_lines_draws_what_it_is_given():
    x = np.linspace(1, 10, 5)
    figure = plots.lines(
        x, {"GA": x, "NPO": (x[:3], x[:3] ** 2)}, x_label="$t$", y_label="$d$", x_scale="log", y_limits=(0, 9)
    )
    (axes,) = figure.axes
    assert [line.get_label() for line in axes.lines] == ["GA", "NPO"]
    np.testing.assert_array_equal(axes.lines[1].get_ydata(), x[:3] ** 2)
    assert (axes.get_xscale(), axes.get_yscale(), axes.get_ylim()) == ("log", "linear", (0, 9))
    assert figure.legends


def test_runs_are_thin_and_their_mean_is_bold():
    x, runs = np.linspace(1, 10, 5), np.array([[1.0, 2, 3, 4, 5], [3.0, 2, 1, 0, 7], [2.0, 2, 2, 2, 9]])
    (axes,) = plots.lines(x, {"GA": x, "NPO": runs}, x_label="$t$", y_label="$d$").axes
    _, mean, *thin = axes.lines
    np.testing.assert_allclose(mean.get_ydata(), runs.mean(axis=0))
    np.testing.assert_array_equal([line.get_ydata() for line in thin], runs)
    assert all(line.get_linewidth() < mean.get_linewidth() for line in thin)
    assert {line.get_color() for line in thin} == {mean.get_color()} == {plots.COLORS[1]}
    (band,) = axes.collections
    edges = band.get_paths()[0].vertices
    deviation = np.sqrt(((runs - runs.mean(axis=0)) ** 2).sum(axis=0) / 2)
    for edge in (runs.mean(axis=0) - deviation, runs.mean(axis=0) + deviation):
        for point in zip(x, edge, strict=True):
            assert np.isclose(edges, point).all(axis=1).any()


def test_on_a_logarithmic_axis_the_mean_of_runs_is_geometric():
    x, runs = np.array([1.0, 2.0]), np.array([[1.0, 10.0], [100.0, 1000.0]])
    (axes,) = plots.lines(x, {"GA": runs}, x_label="$t$", y_label="$d$", y_scale="log").axes
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [10, 100])
    edges = axes.collections[0].get_paths()[0].vertices
    factor = 10 ** np.sqrt(2)  # the deviation of log10, 0 and 2, is √2
    assert np.isclose(edges, [1, 10 * factor]).all(axis=1).any() and np.isclose(edges, [2, 100 / factor]).all(1).any()
    with pytest.raises(ValueError, match=r"curves\['GA'\] must be positive on a logarithmic axis, got 0"):
        plots.lines(x, {"GA": runs * [0, 1]}, x_label="$t$", y_label="$d$", y_scale="log")


def test_runs_with_their_own_abscissae_have_a_mean_in_the_plane_and_no_band():
    x, y = np.array([[1.0, 2, 3], [3.0, 4, 5]]), np.array([[0.0, 1, 4], [2.0, 3, 0]])
    (axes,) = plots.lines(None, {"GA": (x, y)}, x_label="$x$", y_label="$y$").axes
    mean, *thin = axes.lines
    np.testing.assert_array_equal(mean.get_xydata(), [[2, 1], [3, 2], [4, 2]])
    np.testing.assert_array_equal([line.get_xydata() for line in thin], np.stack([x, y], axis=-1))
    assert not axes.collections


def test_panels_are_below_each_other_and_share_their_style_and_one_legend():
    x = np.linspace(0, 1, 3)
    upper = {"x": x, "curves": {"GA": x, "NPO": 2 * x}, "x_label": "$t$", "y_label": "$a$"}
    lower = {"x": x, "curves": {"NPO": x, "DPO": x}, "x_label": "$s$", "y_label": "$b$"}
    figure = plots.panels(upper, lower)
    looks = [{line.get_label(): (line.get_color(), str(line.get_linestyle())) for line in a.lines} for a in figure.axes]
    assert looks[0]["NPO"] == looks[1]["NPO"] and looks[0]["GA"] != looks[1]["DPO"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["GA", "NPO", "DPO"]
    assert [(a.get_xlabel(), a.get_ylabel()) for a in figure.axes] == [("$t$", "$a$"), ("$s$", "$b$")]
    first, second = (axes.get_position() for axes in figure.axes)
    assert first.y0 > second.y1 and (first.x0, first.x1) == (second.x0, second.x1)


def runs_of(*labels, y_label="$d$"):
    curves = {label: 10.0 ** np.arange(i, i + 6).reshape(2, 3) for i, label in enumerate(labels)}
    return {"x": [1, 2, 3], "curves": curves, "x_label": "$t$", "y_label": y_label, "y_scale": "log"}


@pytest.mark.parametrize("labels", [("GA", "NPO", "DPO", "IDK"), ("GA", "NPO", "DPO")])
def test_multiples_show_one_label_each_before_the_means_of_the_others(labels):
    chart = runs_of(*labels)
    figure = plots.multiples(chart)
    assert [axes.get_title() for axes in figure.axes] == list(labels)
    for label, axes in zip(labels, figure.axes, strict=True):
        grey = [line for line in axes.lines if line.get_color() == plots.GREY]
        assert len(grey) == len(labels) - 1
        mean, *thin = (line for line in axes.lines if line not in grey)
        np.testing.assert_array_equal([line.get_ydata() for line in thin], chart["curves"][label])
        assert mean.get_label() == label and mean.get_zorder() > max(line.get_zorder() for line in grey)
        assert axes.get_ylim() == figure.axes[0].get_ylim()
    # what the panels share is named at the edge, below each column and beside each row
    assert [axes.get_ylabel() for axes in figure.axes] == ["$d$", "", "$d$", ""][: len(labels)]
    assert [axes.get_xlabel() for axes in figure.axes] == ["", "", "$t$", "$t$"] if labels[3:] else ["", "$t$", "$t$"]


def test_multiples_of_two_charts_have_a_row_for_each_label():
    figure = plots.multiples(runs_of("GA", "NPO", y_label="$a$"), runs_of("GA", "NPO", y_label="$b$"))
    assert [(axes.get_title(), axes.get_ylabel()) for axes in figure.axes] == [
        ("GA", "$a$"),
        ("GA", "$b$"),
        ("NPO", "$a$"),
        ("NPO", "$b$"),
    ]


SIX = [rf"NPO $\beta={beta:g}$" for beta in (0.01, 0.1, 0.2, 0.5, 1, 2)]
WIDE = runs_of(*SIX, y_label=r"KL$(\pi_\theta\Vert\pi_{\mathrm{ref}})$ (nat)")
FIGURES = {
    "lines": lambda: plots.lines(**WIDE),
    "panels": lambda: plots.panels(WIDE, WIDE),
    "multiples": lambda: plots.multiples(WIDE, WIDE),
    "images": lambda: plots.images(np.eye(64)[:7], 7 * [r"$0.93 \to 0.02$"]),
}


@pytest.mark.parametrize("kind", FIGURES)
def test_no_letter_is_smaller_than_9_px_on_a_phone_and_none_is_cut_off(kind, tmp_path):
    figure = FIGURES[kind]()
    figure.savefig(tmp_path / "figure.svg")
    assert 340 * smallest_letter(tmp_path / "figure.svg") >= 9
    # in inches, of which a hundredth is less than a pixel of a phone: older versions of Matplotlib round differently
    needed, there = figure.get_tightbbox().padded(-0.01), figure.get_size_inches()
    assert needed.x0 >= 0 and needed.y0 >= 0 and needed.x1 <= there[0] and needed.y1 <= there[1]


def test_a_band_is_behind_its_curve_in_its_colour_and_dashes():
    x = np.linspace(1, 10, 5)
    figure = plots.lines(x, {"GA": x, "NPO": x / 2}, bands={"NPO": (x / 3, x)}, x_label="$t$", y_label="$d$")
    (axes,) = figure.axes
    _, curve, *edges = axes.lines
    np.testing.assert_array_equal([edge.get_ydata() for edge in edges], [x / 3, x])
    (band,) = axes.collections
    assert band.get_zorder() < curve.get_zorder()
    assert {line.get_color() for line in (curve, *edges)} == {plots.COLORS[1]}
    np.testing.assert_array_equal(band.get_facecolor()[0, :3], to_rgb(plots.COLORS[1]))
    dashes = {str(line.get_linestyle()) for line in (curve, *edges)}
    assert len(dashes) == 1 and all(edge.get_linewidth() < curve.get_linewidth() for edge in edges)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["GA", "NPO"]


def segments(collection):
    """The ends of bars, in pixels."""
    return np.array([collection.get_transform().transform(ends) for ends in collection.get_segments()])


def test_bars_over_one_abscissa_are_next_to_each_other():
    x = np.linspace(1, 10, 5)
    bars = {"GA": (x - 1, x + 1), "NPO": (x / 2, x)}
    figure = plots.lines(x, {"GA": x, "NPO": x / 2, "DPO": x / 3}, bars=bars, x_label="$t$", y_label="$d$")
    (axes,) = figure.axes
    figure.draw_without_rendering()
    one, other = map(segments, axes.collections)
    for pixels, edges, drawn, color in zip((one, other), bars.values(), axes.collections, plots.COLORS, strict=False):
        at = np.array([axes.transData.transform(np.transpose([x, edge])) for edge in edges])
        np.testing.assert_allclose(pixels[:, :, 1], at[:, :, 1].T)
        assert abs(pixels[:, :, 0] - at[:, :, 0].T).max() < 2
        np.testing.assert_array_equal(drawn.get_color()[0, :3], to_rgb(color))
    # a phone shows the figure 340 px wide
    assert (other[:, 0, 0] - one[:, 0, 0]).min() * 340 / figure.bbox.width > 2
    assert axes.bbox.x0 < one[:, 0, 0].min() and other[:, 0, 0].max() < axes.bbox.x1
    assert all(line.get_linewidth() < axes.lines[0].get_linewidth() for line in axes.collections)
    assert axes.get_ylim()[0] < 0 and axes.get_ylim()[1] > 11


def test_bars_of_a_way_through_the_plane_lie_and_stand_at_its_points():
    x, y = np.array([-0.9, -0.5, 0.6]), np.array([0.9, 0.1, 0.0])
    around = ((x - [0.1, 0.2, 1.1], x + 0.16), (y - 0.02, y + 0.05))
    figure = plots.lines(None, {"GA": (x, y)}, bars={"GA": around}, x_label="$x$", y_label="$y$")
    (axes,) = figure.axes
    lying, upright = (np.array(collection.get_segments()) for collection in axes.collections)
    np.testing.assert_allclose(lying, np.transpose([[around[0][0], y], [around[0][1], y]], (2, 0, 1)))
    np.testing.assert_allclose(upright, np.transpose([[x, around[1][0]], [x, around[1][1]]], (2, 0, 1)))
    figure.draw_without_rendering()
    numbers = [label.get_window_extent() for label in axes.get_xticklabels() if label.get_text()]
    assert len(numbers) > 3
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(numbers))


def test_images_puts_each_image_under_its_title():
    figure = plots.images(np.eye(9)[:7], [str(i) for i in range(7)], columns=3)
    assert [axes.get_title() for axes in figure.axes] == [str(i) for i in range(7)]


def test_a_single_image_is_a_grid_too():
    assert len(plots.images(np.zeros((1, 4)), ["3"], columns=1).axes) == 1


def test_style_does_not_change_the_user_s_settings():
    import matplotlib

    before = dict(matplotlib.rcParams)
    plots.lines([0, 1], {"GA": [0, 1]}, x_label="$x$", y_label="$y$").savefig(io.BytesIO(), format="svg")
    assert dict(matplotlib.rcParams) == before


BAD = [
    (
        lambda: plots.lines([0, 1], {}, x_label="x", y_label="y"),
        ValueError,
        "curves must have 1 to 6 labels, got 0",
    ),
    (
        lambda: plots.lines([0, 1], {"GA": [0, np.nan]}, x_label="x", y_label="y"),
        ValueError,
        r"curves\['GA'\] must be finite, got nan at index 1",
    ),
    (
        lambda: plots.lines([0, 1], {"GA": [0]}, x_label="x", y_label="y"),
        ValueError,
        r"curves\['GA'\] must have the shape of its x",
    ),
    (
        lambda: plots.lines([0], {"GA": [0]}, x_label="x", y_label="y", x_scale="ln"),
        ValueError,
        "x_scale must be one of .* got 'ln'",
    ),
    (lambda: plots.lines([0], [[0]], x_label="x", y_label="y"), TypeError, "curves must be a dict .* got list"),
    (lambda: plots.lines([0], {"GA": ([0], [0], [0])}, x_label="x", y_label="y"), ValueError, "got a tuple of 3"),
    (
        lambda: plots.lines([0], {"GA": [0]}, bands={"NPO": ([0], [0])}, x_label="x", y_label="y"),
        ValueError,
        r"bands must have labels among \['GA'\], got \['NPO'\]",
    ),
    (
        lambda: plots.lines([0], {"GA": [0]}, bands={"GA": [[0]]}, x_label="x", y_label="y"),
        ValueError,
        r"bands\['GA'\] must be a pair \(lower, upper\), got \[\[0\]\]",
    ),
    (
        lambda: plots.lines([0], {"GA": [0]}, bands={"GA": ([0, 1], [0, 1])}, x_label="x", y_label="y"),
        ValueError,
        r"bands\['GA'\] must have the shape of its x",
    ),
    (
        lambda: plots.lines([0], {"GA": [0]}, bands={"GA": 3}, x_label="x", y_label="y"),
        ValueError,
        r"bands\['GA'\] must be a pair \(lower, upper\), got 3",
    ),
    (
        lambda: plots.lines([0], {"GA": [0]}, bands=[0], x_label="x", y_label="y"),
        TypeError,
        "bands must be a dict .* list",
    ),
    (
        lambda: plots.lines([0], {"GA": [0]}, bars={"NPO": ([0], [0])}, x_label="x", y_label="y"),
        ValueError,
        r"bars must have labels among \['GA'\], got \['NPO'\]",
    ),
    (
        lambda: plots.lines([0], {"GA": [0]}, bars={"GA": ([0, 1], [0, 1])}, x_label="x", y_label="y"),
        ValueError,
        r"bars\['GA'\] must have the shape of its x",
    ),
    (
        lambda: plots.lines(None, {"GA": ([0], [0])}, bars={"GA": 3}, x_label="x", y_label="y"),
        ValueError,
        r"bars\['GA'\] must be a pair \(x, y\), got 3",
    ),
    (
        lambda: plots.lines(None, {"GA": ([0], [0])}, bars={"GA": (3, ([0], [0]))}, x_label="x", y_label="y"),
        ValueError,
        r"x of bars\['GA'\] must be a pair \(lower, upper\), got 3",
    ),
    (
        lambda: plots.lines([0], {None: [0]}, x_label="x", y_label="y"),
        TypeError,
        "each label of curves must be a str",
    ),
    (lambda: plots.lines([0], {"GA": [0]}, x_label=3, y_label=""), TypeError, "x_label must be a str, got 3"),
    (
        lambda: plots.lines(None, {"GA": (None, [0])}, x_label="x", y_label="y"),
        TypeError,
        r"x of curves\['GA'\] must be",
    ),
    (
        lambda: plots.lines([0], {"GA": [0]}, x_label="x", y_label="y", y_limits=(1, 1)),
        ValueError,
        r"y_limits must be a pair of two numbers, got \[1.0, 1.0\]",
    ),
    (
        lambda: plots.lines([0], {"GA": [0]}, x_label="x", y_label="y", y_limits="ab"),
        TypeError,
        "y_limits must be an array",
    ),
    (lambda: plots.images(np.zeros((2, 64)), ["", ""], columns=0), ValueError, "columns must be at least 1, got 0"),
    (lambda: plots.images(np.zeros((2, 63)), ["", ""]), ValueError, "pixels must hold square images, got rows of 63"),
    (lambda: plots.panels([0]), TypeError, "each chart must be a dict of arguments of lines, got list"),
    (lambda: plots.panels(), ValueError, "pass at least one chart"),
    (lambda: plots.lines([0], {"GA": [0]}, x_label="x", y_label=""), ValueError, "y_label must be a non-empty str"),
    (lambda: plots.multiples(*3 * [runs_of("GA")]), ValueError, "pass one chart or two, got 3"),
    (
        lambda: plots.multiples(runs_of("GA"), runs_of("GA", "NPO")),
        ValueError,
        r"same labels, got .*'GA'\] and \['GA', ",
    ),
    (lambda: plots.images(np.zeros((2, 64)), "ab"), TypeError, "titles must be a sequence of str, got 'ab'"),
    (lambda: plots.images(np.zeros((2, 64)), [""]), ValueError, "titles must have one for each of the 2 images, got 1"),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD, ids=[m for _, _, m in BAD])
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
