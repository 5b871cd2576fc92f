"""Agreement of methods: what the figure shows."""

from typing import Any

from multirm.charts.palette import styles
from multirm.figures.agreement import MOST_SETS, chart
from multirm.figures.render import rendered
from multirm.tables.reward_model_rows import RewardModel
from multirm.tables.reward_models import Kind
from tests.figures.analysed import KINDS
from tests.figures.described import described

MODELS = described(KINDS)


def rows(*sets: tuple[list[str], int], methods: list[str] | None = None) -> list[dict[str, Any]]:
    return [
        {"category": "Overall", "n": 8, "rank": rank, "right": right, "n_questions": n}
        | {"methods": methods or [*KINDS, "MV"]}
        | {"share": 0.2, "share_low": 0.1, "share_high": 0.3}
        for rank, (right, n) in enumerate(sets, 1)
    ]


def test_bars_above_and_members_below() -> None:
    figure = chart("Law_test", rows((["dORM-8B", "MV"], 12), ([], 5)), MODELS).to_dict()
    bars, members = figure["vconcat"]
    values = figure["datasets"][bars["data"]["name"]]
    assert [(value["right"], value["questions"], value["share"]) for value in values] == [
        ("dORM-8B, MV", 12, 20),
        ("none", 5, 20),
    ]
    cells = figure["datasets"][members["data"]["name"]]
    inside = [(cell["set"], cell["method"]) for cell in cells if cell["is"]]
    assert inside == [(1, "dORM-8B"), (1, "Majority vote")]
    colour = members["layer"][1]["encoding"]["color"]["scale"]
    assert colour["domain"] == [*KINDS, "Majority vote"]
    assert colour["range"][0] == styles(MODELS)["dORM-8B"].colour
    said = " ".join(figure["title"]["subtitle"])
    assert "17 questions; best of N = 8." in said


def test_rare_sets_are_counted() -> None:
    sets = [(["MV"], 3)] * (MOST_SETS + 4)
    said = " ".join(chart("d", rows(*sets), MODELS).to_dict()["title"]["subtitle"])
    assert "4 other sets, of 12 questions, are not shown." in said


def test_means_and_aggregations_are_named() -> None:
    models = [
        RewardModel(model="a@mean", run_of="a", is_mean=True, kind=Kind.GORM),
        *(RewardModel(model=name, run_of="a", kind=Kind.GORM) for name in ("a", "a@43")),
    ]
    methods = ["a@mean mean", "a@mean max", "MV"]
    figure = chart("d", rows((["MV"], 3), methods=methods), models).to_dict()
    axis = figure["vconcat"][1]["layer"][0]["encoding"]["y"]
    assert axis["sort"] == ["a (2 seeds) mean", "a (2 seeds) max", "Majority vote"]


def test_no_questions_are_said() -> None:
    assert b"no questions" in rendered(chart("d", [], []), [".svg"])[".svg"]
