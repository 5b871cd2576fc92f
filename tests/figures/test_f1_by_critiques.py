"""F1 against the number of critiques."""

from multirm.figures.f1_by_critiques import chart
from multirm.figures.render import rendered
from tests.figures.measured import measured, measures, rows_of, shown, subtitle

EVERY = rows_of(["law"], threshold=0.5, **measured("f1", 0.6))


def test_critiques_rise_and_the_others_are_level() -> None:
    rows = [
        row
        for m in (1, 2, 4)
        for row in rows_of(["law"], ["gORM-14B"], n_critiques=m, **measured("f1", m / 10))
    ]
    figure = chart(measures(rows), measures(EVERY)).to_dict()
    lines: dict[str, list[tuple[int, float]]] = {}
    for row in shown(figure):
        lines.setdefault(row["method"], []).append((row["x"], row["value"]))
    assert lines == {
        "gORM-14B": [(1, 10), (2, 20), (4, 40)],
        "dPRM-14B": [(1, 60), (4, 60)],
        "mine": [(1, 60), (4, 60)],
    }
    assert "Level lines: models without critiques." in subtitle(figure)


def test_one_number_of_critiques_is_drawn() -> None:
    rows = rows_of(["law"], ["gORM-14B"], n_critiques=2, **measured("f1", 0.5))
    figure = chart(measures(rows), measures(EVERY))
    assert b"NaN" not in rendered(figure, [".svg"])[".svg"]


def test_without_critiques_it_says_so() -> None:
    drawn = rendered(chart(measures([]), measures(EVERY)), [".svg"])[".svg"]
    assert b"no model has several critiques of a solution" in drawn
