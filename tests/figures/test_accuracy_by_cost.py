"""Accuracy against cost: what the figure shows, and what it says where costs are unknown."""

from pathlib import Path
from typing import Any

from multirm.charts.palette import MAJORITY_VOTE, styles
from multirm.figures.accuracy_by_cost import chart, front_line, read_costs
from multirm.figures.render import rendered
from multirm.tables import parquet
from multirm.tables.costs import COSTS
from multirm.tables.rewards import COST_COLUMNS
from tests.figures.described import described
from tests.figures.measured import KINDS, Measures, subtitle
from tests.origins import made_of

Row = dict[str, Any]


def row(method: str, n: int, selection: str = "best_of_n", **columns: Any) -> Row:
    """A row about a model whose solutions have 100 tokens and cost 1e9 operations each."""
    is_vote = method == MAJORITY_VOTE
    costs = dict.fromkeys(COST_COLUMNS, 0.0)
    if not is_vote:
        costs = {"n_tokens_read": 100.0 * n, "n_tokens_generated": 0.0, "flops": 1e9 * n}
    return {
        "method": method,
        "category": "Overall",
        "selection": "majority_vote" if is_vote else selection,
        "model": None if is_vote else method,
        "aggregation": None if is_vote else "min",
        "n": n,
        **costs,
        **{f"{name}_missing": 0 for name in COST_COLUMNS},
        "accuracy": 50.0 + n,
        "accuracy_low": 45.0 + n,
        "accuracy_high": 55.0 + n,
        "note": None,
        "n_questions": 9,
        **{f"{name}_pareto": False for name in COST_COLUMNS},
        **columns,
    }


def costs(models: list[str], **columns: Any) -> list[Row]:
    rows = [
        row(model, n, selection, **columns)
        for model in models
        for selection in ("best_of_n", "weighted_vote")
        for n in (1, 4)
    ]
    return [*rows, row(MAJORITY_VOTE, 1), row(MAJORITY_VOTE, 4, flops_pareto=True)]


def figure_of(rows: list[Row], **changes: Any) -> Row:
    known = {row["method"] for row in rows if row["model"]}
    looks = {name: look for name, look in styles(described(KINDS)).items() if name in known}
    figure = chart(Measures("MMLU", rows, looks, **changes))
    assert rendered(figure, [".svg"])
    found: Row = figure.to_dict()
    return found


def layers(figure: Row, panel: int) -> list[list[Row]]:
    """What the layers of a panel are drawn from."""
    shown = figure["vconcat"][0]["concat"][panel]
    return [figure["datasets"][layer["data"]["name"]] for layer in shown["layer"]]


def test_a_line_per_model_at_the_cost_of_n_solutions() -> None:
    rows = costs(["dPRM-14B", "gORM-14B"])
    rows[1] |= {"flops_pareto": True, "accuracy": 70.0}
    figure = figure_of(rows)
    for panel, selection in enumerate(("best_of_n", "weighted_vote")):
        _, steps, vote, lines, *_ = layers(figure, panel)
        expected = [each for each in rows if each["selection"] == selection]
        assert [(each["method"], each["n"], each["cost"], each["value"]) for each in lines] == [
            (each["method"], each["n"], each["flops"], each["accuracy"]) for each in expected
        ]
        assert [(each["n"], each["value"]) for each in vote] == [(4, 54.0)]
        # From the left end, 1e9 / 1.25, at the accuracy of what costs nothing, to the right end.
        assert steps == [
            {"cost": 0.8e9, "value": 54.0},
            {"cost": 4e9, "value": 70.0},
            {"cost": 5e9, "value": 70.0},
        ]
    said = subtitle(figure)
    assert "9 questions" in said and "N = 1, 4." in said and "majority vote of 4" in said
    assert "Bands: 95 % intervals over questions." in said
    assert "Pareto front" in said


def test_intervals_of_means_are_also_over_seeds() -> None:
    assert "seeds" in subtitle(figure_of(costs(["dPRM-14B"]), has_means=True))
    assert "seeds" not in subtitle(figure_of(costs(["dPRM-14B"])))


def test_without_operations_cost_is_in_tokens_and_has_no_front() -> None:
    figure = figure_of(costs(["dPRM-14B"], flops=None, flops_pareto=None, n_tokens_generated=7.0))
    _, steps, _, lines, *_ = layers(figure, 0)
    assert [each["cost"] for each in lines] == [107.0, 407.0]
    assert steps == []
    assert "tokens that the reward model reads and generates" in subtitle(figure)
    assert "Pareto" not in subtitle(figure)


def test_models_of_unknown_cost_are_named_and_left_out() -> None:
    rows = [*costs(["gORM-14B"], flops=None, n_tokens_read=None), *costs(["dPRM-14B"])]
    figure = figure_of(rows)
    assert {each["method"] for each in layers(figure, 0)[3]} == {"dPRM-14B"}
    assert "Not shown, cost unknown: gORM-14B." in subtitle(figure)


def test_solutions_of_unknown_cost_are_counted() -> None:
    figure = figure_of(costs(["dPRM-14B"], flops_missing=3))
    assert "Solutions of unknown cost are left out: 3 of dPRM-14B." in subtitle(figure)


def test_where_nothing_is_known_the_figure_says_so() -> None:
    unknown = costs(["dPRM-14B"], flops=None, n_tokens_generated=None)
    for rows in ([], unknown, costs([])):
        svg = rendered(chart(Measures("MMLU", rows, {})), [".svg"])[".svg"]
        assert b"what verification costs is not known" in svg


def test_one_n_and_no_vote() -> None:
    figure = figure_of([row("dPRM-14B", 1, note="one_question"), row("gORM-14B", 1)])
    assert figure["vconcat"][0]["concat"][0]["layer"][0]["mark"]["type"] == "rule"
    assert "Bars: 95 % intervals" in subtitle(figure) and "one question" in subtitle(figure)


def test_all_right() -> None:
    figure = figure_of(costs(["dPRM-14B"], accuracy=100.0, accuracy_low=97.0, accuracy_high=100.0))
    every = [row for rows in figure["datasets"].values() for row in rows if "value" in row]
    drawn = {row["value"] for row in every if row.get("method") == "dPRM-14B"}
    assert drawn == {100.0}


def test_a_front_without_points_is_empty() -> None:
    assert front_line([], [1.0, 2.0]) == []


def test_overall_rows_of_a_table_are_read_with_labels(tmp_path: Path) -> None:
    path = tmp_path / "costs.parquet"
    rows = costs(["dPRM@mean", "dPRM", "dPRM@43"])
    rows += [each | {"category": "law"} for each in rows]
    written = [{"dataset": "toy", **each} for each in rows]
    named = [{key: each[key] for key in each if key != "method"} for each in written]
    parquet.write(path, COSTS, named, made_of())
    found = read_costs(path)
    assert found.dataset == "toy" and found.has_means
    assert {each["category"] for each in found.rows} == {"Overall"}
    assert {each["method"] for each in found.rows} == {*found.styles, MAJORITY_VOTE}
    assert list(found.styles) == ["dPRM (2 seeds)"]
