"""The panel of simulated log-errors: lines, bounds and names."""

from itertools import pairwise
from typing import Any

import altair as alt

from multirm.evaluation.log_error_simulation import ASSUMPTIONS, simulation_rows
from multirm.figures.simulated_errors import apart, panel
from multirm.tables.log_errors import Case
from multirm.tables.schema import Row


def few_rows() -> list[Row]:
    return simulation_rows(ASSUMPTIONS, (1, 4, 32), 200)


def layers() -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Each layer with what it is drawn from."""
    drawn = alt.vconcat(panel(few_rows())).to_dict()
    above = drawn["vconcat"][0]
    return [
        (layer, drawn["datasets"][layer.get("data", above.get("data"))["name"]])
        for layer in above["layer"]
    ]


def of_mark(kind: str) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    return [(layer, values) for layer, values in layers() if layer["mark"]["type"] == kind]


def test_a_line_per_case_and_a_dotted_one_per_bound() -> None:
    (bounds, limits), (_, values) = of_mark("line")
    assert bounds["mark"]["strokeDash"] == [1, 2]
    assert len(values) == 3 * len(Case)
    # None bounds the mean of ten critiques.
    assert len(limits) == 3 * (len(Case) - 1)
    told = {(value["method"], value["steps"]): value for value in values}
    assert told["dORM and gORM", 32]["bound"] == "at most 0.500"
    assert told["dPRM prod, independent", 4]["bound"] == "at least 0.400"
    assert told["gPRM, 10 critiques", 4]["bound"] == "none"


def test_every_line_has_its_name_in_its_colour_at_its_end() -> None:
    ((layer, names),) = of_mark("text")
    assert len({name["method"] for name in names}) == len(Case)
    assert {name["steps"] for name in names} == {32}
    scale = layer["encoding"]["color"]["scale"]
    assert set(scale["domain"]) == {name["method"] for name in names}
    heights = sorted(name["rms"] for name in names)
    top = max(row["rms"] for row in few_rows())
    assert all(b - a > top / 30 for a, b in pairwise(heights))


def test_near_names_are_moved_apart() -> None:
    assert apart([0.0, 0.1, 3.0], 1.0) == [0.0, 1.0, 3.0]
    assert apart([], 1.0) == []
