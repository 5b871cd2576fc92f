"""ProcessBench's F1: bars at one threshold, lines over all."""

from multirm.figures.process_bench import chart
from multirm.figures.render import rendered
from tests.figures.measured import measured, measures, panels, rows_of, shown, subtitle

COUNTS = {"n_erroneous": 6, "n_correct": 4}


def test_bars_at_one_half_and_lines_over_thresholds() -> None:
    rows = [
        row
        for k in (1, 10, 19)
        for row in rows_of(
            ["Overall", "gsm8k", "math"],
            ["mine"],
            threshold=k / 20,
            **COUNTS,
            **measured("f1", k / 20),
        )
    ]
    figure = chart(measures(rows, missing=["gORM"])).to_dict()
    assert {row["value"] for row in shown(figure)} == {50}
    (panel,) = panels(figure, 1)
    assert panel["title"]["text"] == ["Overall, by threshold"]
    assert [(row["x"], row["value"]) for row in shown(figure, 1)] == [
        *((0.05, 5), (0.5, 50), (0.95, 95))
    ]
    said = subtitle(figure)
    assert "12 erroneous and 8 correct solutions." in said
    assert "0.5 in the bars" in said
    assert "without step rewards that are probabilities: gORM." in said


def test_one_split_is_the_whole() -> None:
    rows = rows_of(["Overall", "gsm8k"], ["mine"], threshold=0.5, **COUNTS, **measured("f1", 0.4))
    figure = chart(measures(rows)).to_dict()
    assert [panel["title"]["text"] for panel in panels(figure)] == [["Gsm8k"]]
    assert panels(figure, 1)[0]["title"]["text"] == ["Gsm8k, by threshold"]


def test_without_labelled_steps_it_says_so() -> None:
    drawn = rendered(chart(measures([])), [".svg"])[".svg"]
    assert b"no step rewards of labelled steps to draw" in drawn
