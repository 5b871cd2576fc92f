"""How often the last step has the lowest reward: bars of correct and of incorrect solutions."""

from multirm.figures.minimum_position import chart
from multirm.figures.render import rendered
from tests.figures.measured import measured, measures, panels, rows_of, shown, subtitle


def test_bars_by_outcome_with_what_is_by_chance() -> None:
    rows = rows_of(["law"], ["mine"], correct=True, by_chance=0.25, **measured("share", 0.2))
    rows += rows_of(["law"], ["mine"], correct=False, by_chance=0.3, **measured("share", 0.7))
    figure = chart(measures(rows, missing=["gORM-14B"])).to_dict()
    assert [(row["outcome"], row["value"], row["chance"]) for row in shown(figure)] == [
        ("correct", 20, 25),
        ("incorrect", 70, 30),
    ]
    tick = panels(figure)[0]["layer"][-1]
    assert tick["mark"]["type"] == "tick"
    assert tick["encoding"]["y"]["field"] == "chance"
    said = subtitle(figure)
    assert "pale bars: incorrect" in said
    assert "Not shown, without step rewards: gORM-14B." in said


def test_all_right_leaves_the_other_bar_away() -> None:
    rows = rows_of(["law"], ["mine"], correct=True, by_chance=0.25, **measured("share", 0.2))
    rows += rows_of(["law"], ["mine"], correct=False, by_chance=None, **measured("share", None))
    assert len(list(shown(chart(measures(rows)).to_dict()))) == 1


def test_nothing_at_all_is_said() -> None:
    assert b"no step rewards to draw" in rendered(chart(measures([])), [".svg"])[".svg"]
