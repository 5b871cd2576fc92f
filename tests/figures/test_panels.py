"""Panels with one y axis: its ticks, and what is left out."""

import pytest

from multirm.figures.panels import doublings, ticks_of


@pytest.mark.parametrize(
    ("ends", "ticks"),
    [
        ((41.0, 59.0), [40, 45, 50, 55, 60]),
        ((32.0, 94.0), [20, 40, 60, 80, 100]),
        ((38.0, 81.0), [30, 40, 50, 60, 70, 80, 90]),
        ((100.0, 100.0), [80, 85, 90, 95, 100]),
        ((0.0, 0.0), [0, 5, 10, 15, 20]),
        ((0.0, 100.0), [0, 20, 40, 60, 80, 100]),
    ],
)
def test_ticks_are_around_all_values_and_intervals(
    ends: tuple[float, float], ticks: list[float]
) -> None:
    low, high = ends
    rows = [{"value": sum(ends) / 2, "low": low, "high": high}]
    assert ticks_of(rows) == ticks
    assert ticks_of([*rows, {"value": sum(ends) / 2, "low": None, "high": None}]) == ticks


def test_ticks_of_bars_begin_at_zero() -> None:
    assert ticks_of([{"value": 50.0, "low": 41.0, "high": 59.0}], from_zero=True) == [
        *(0, 10, 20, 30, 40, 50, 60),
    ]
    assert ticks_of([]) == [0, 20, 40, 60, 80, 100]


def test_each_doubling_is_as_long() -> None:
    x = doublings([1, 2, 10], "M").to_dict()
    assert (x["scale"]["type"], x["scale"]["base"]) == ("log", 2)
    assert (x["axis"]["values"], x["axis"]["title"]) == ([1, 2, 10], "M")
