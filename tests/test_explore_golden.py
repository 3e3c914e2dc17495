"""The chart's schema, and the one file about it that a test in a browser reads as well."""

import json

import numpy as np
import pytest

from npo_tutorial import demos
from npo_tutorial.explore.chart import Chart
from npo_tutorial.explore.kinds import KINDS, kind_of
from tests.explore_golden import explorer_of, make, misfits, pixels, read, state_of


def close(one, other):
    """The same to rounding, text by text and number by number."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(close(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(close, one, other))
    return one == (pytest.approx(other, rel=1e-12) if isinstance(other, float) else other)


def test_the_state_is_that_of_the_file():
    state, golden = json.loads(json.dumps(state_of(make()))), read()["state"]
    # another version of Pillow packs the same pixels differently
    ours, theirs = state["chart"].pop("images"), golden["chart"].pop("images")
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(pixels(one), pixels(other))
    assert close(state, golden), (
        "the state of a chart has changed: if you meant it, run `python -m tests.explore_golden`, and see that "
        "explorer.js draws it"
    )


def test_python_reads_the_file_as_a_reader_sees_it():
    golden = read()
    explorer = explorer_of(golden)
    for seen in golden["seen"]:
        for panel, curves in enumerate(seen["curves"]):
            drawn = explorer.drawn(seen["index"], panel)
            assert list(drawn) == list(curves)
            for name, rows in curves.items():
                for row, expected in zip(np.atleast_2d(np.array(drawn[name], float)), rows, strict=True):
                    # on a logarithmic axis a step of 16 bits is a share of the number
                    np.testing.assert_allclose(row, expected, rtol=1e-4, atol=np.ptp(expected) / 131070)


def test_the_file_has_every_kind_of_curve_and_every_part():
    chart = read()["state"]["chart"]
    kinds = {curve["kind"] for panel in (chart, chart["beside"]) for curve in panel["curves"]}
    assert kinds == set(KINDS), (
        f"tests/explore_golden.py must have an example of each kind of curve; these differ: {kinds ^ set(KINDS)}"
    )
    optional = {"animate", "beside", "images", "passages", "sentences"}
    assert all(chart[name] for name in optional) and chart["beside"]["linear"]
    assert {bool(grid["names"]) for grid in chart["grids"]} == {True, False}


@pytest.mark.parametrize("name", ["golden", "divergence", "digits", "answers"])
def test_a_chart_fits_its_schema(name):
    chart = read()["state"]["chart"] if name == "golden" else getattr(demos, name)().chart
    found = misfits(json.loads(json.dumps(chart)), Chart)
    assert not found, f"explore/chart.py must have every field of a chart: {found}"


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda chart: chart.pop("grids"), "chart lacks grids"),
        (lambda chart: chart.update(legend=True), "chart has legend, which is not in the schema"),
        (lambda chart: chart["beside"]["x"].update(limits=["a", 1]), r"chart\.beside\.x\.limits\[0\] is 'a'"),
        (lambda chart: chart["grids"][0].update(start="1"), r"chart\.grids\[0\]\.start is '1'"),
        (lambda chart: chart["curves"][0]["label"].update(zh=3), r"chart\.curves\[0\]\.label\['zh'\] is 3"),
    ],
)
def test_a_chart_that_does_not_fit_is_noticed(damage, said):
    chart = read()["state"]["chart"]
    chart["curves"][0]["label"] = {"en": "a"}
    damage(chart)
    with pytest.raises(AssertionError, match=said):
        assert not misfits(chart, Chart), misfits(chart, Chart)


def test_every_kind_is_known_by_its_type_and_only_by_it():
    for name, kind in KINDS.items():
        if kind.type:
            assert kind_of(kind.type(*[[0.0]] * len(kind.channels))) == name
    assert kind_of(np.zeros(3)) == kind_of([0, 1]) == "line"
