"""An explorer with everything in it, and the file that says what its state is and what a reader sees of it.

`tests/explore_golden.json` is read by a test of the package and by a test in a browser, so that Python and the script
agree on every field. After a change of the schema, `python -m tests.explore_golden` writes the state anew and leaves
the numbers and the words that a reader gets; read the difference.
"""

import base64
import io
import json
import types
import typing
from pathlib import Path as File

import numpy as np
from matplotlib.image import imread

from npo_tutorial.explore import Band, Explorer, Grid, Images, Marker, Panel, Passage, Path, Points, explore
from tests.benchmarks import make_parser

GOLDEN = File(__file__).with_suffix(".json")
NAMES = {"near": {"en": "near", "zh": "近"}}


def first(x, k, where):
    far = {"near": 0.0, "far": 8.0}[where]
    return {
        "line": k * x + far,
        "band": Band(-x, x + far),
        "points": Points(np.array([1.0, k + 1]), np.array([3.0, -4.0])),
        "marker": Marker(k),
        "row": Images(np.array([0.25, 1 / k])),
    }


def second(x, k, where):
    return {"way": Path(10.0 ** np.array([0, k, 1]), np.array([k, 0.0, -1.0])), "line": x}


def make():
    """The explorer; its numbers are exact on every machine."""
    return explore(
        first,
        [0.0, 1.0, 2.0, 4.0],
        title={"en": "Everything", "zh": "全部"},
        x_label="x",
        y_label={"en": "height", "zh": "高度"},
        y_limits="frame",
        say=lambda k, where: {"en": f"k is {k}.", "zh": f"k 为 {k}。"},
        animate="k",
        labels={"way": {"en": "the way", "zh": "路线"}},
        images=[[0, 1, 0, 1], [1, 1, 0, 0]],
        switch_axes=True,
        beside=Panel(second, [1.0, 100.0], x_label="across", y_label="up", x_scale="log"),
        passages=lambda k, where: [Passage("Which?", ["about", f" {k}"], [0.5, 1 / k])],
        passages_label={"en": "in per cent", "zh": "百分数"},
        k=Grid([1, 2, 4], label="k", scale="log"),
        where=Grid(["near", "far"], names=NAMES, start="far"),
    )


def read():
    return json.loads(GOLDEN.read_text("utf-8"))


def state_of(explorer):
    return {
        "chart": explorer.chart,
        "numbers": base64.b64encode(explorer.numbers).decode(),
        "ranges": base64.b64encode(explorer.ranges).decode(),
        "index": explorer.index,
    }


def explorer_of(golden):
    """The explorer that has the state in the file."""
    state = golden["state"]
    numbers, ranges = (base64.b64decode(state[name]) for name in ("numbers", "ranges"))
    return Explorer(chart=state["chart"], numbers=numbers, ranges=ranges, index=state["index"])


def pixels(address):
    return imread(io.BytesIO(base64.b64decode(address.partition(",")[2])))


def misfits(value, schema, place="chart"):
    """Where a value is not of a type: TypedDict, list, dict, union or a plain type."""
    if typing.is_typeddict(schema):
        if not isinstance(value, dict):
            return [f"{place} is not a dict"]
        fields = typing.get_type_hints(schema)
        wrong = [f"{place} lacks {name}" for name in schema.__required_keys__ - value.keys()]
        wrong += [f"{place} has {name}, which is not in the schema" for name in value.keys() - fields.keys()]
        common = [name for name in fields if name in value]
        return wrong + [line for name in common for line in misfits(value[name], fields[name], f"{place}.{name}")]
    origin, arguments = typing.get_origin(schema), typing.get_args(schema)
    if origin in (typing.Union, types.UnionType):
        found = [misfits(value, one, place) for one in arguments]
        # the deepest complaint is that of the type that was meant
        return [] if [] in found else max(found, key=lambda lines: len(lines[0].partition(" is ")[0]))
    if origin is list and isinstance(value, list):
        return [line for i, item in enumerate(value) for line in misfits(item, arguments[0], f"{place}[{i}]")]
    if origin is dict and isinstance(value, dict):
        return [line for key, item in value.items() for line in misfits(item, arguments[1], f"{place}[{key!r}]")]
    plain = {float: (int, float)}.get(schema, origin or schema)
    fits = isinstance(value, plain) and (schema is bool or not isinstance(value, bool))
    return [] if fits else [f"{place} is {value!r}, not {schema}"]


def main():
    make_parser("tests.explore_golden", __doc__).parse_args()
    golden = read() if GOLDEN.exists() else {}
    golden["state"] = state_of(make())
    GOLDEN.write_text(json.dumps(golden, ensure_ascii=False, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
