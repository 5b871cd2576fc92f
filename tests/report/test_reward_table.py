"""The reward table: which accuracies, differences and marks it has."""

from pathlib import Path
from typing import Any

from multirm.report.reward_table import mark, sheets, table_rows, tabulate_reward_table
from multirm.tables import parquet
from multirm.tables.accuracy import ACCURACY
from multirm.tables.comparisons import COMPARISONS
from multirm.tables.reward_table import REWARD_TABLE
from tests.origins import made_of

CATEGORIES = ("Overall", "law", "computer_science")


def accuracy(category: str, selection: str, model: str | None, **columns: Any) -> dict[str, Any]:
    return {
        "dataset": "d",
        "category": category,
        "estimator": "exact",
        "selection": selection,
        "model": model,
        "aggregation": "min" if model else None,
        "n": 4,
        "accuracy": 60.04,
        "accuracy_low": 50.0,
        "accuracy_high": 70.0,
        "standard_error": 0.0,
        "std": None,
        "runs": None,
        "n_questions": 3,
        "n_short": 0,
        "note": None,
        **columns,
    }


def comparison(category: str, selection: str, model: str, p: float | None) -> dict[str, Any]:
    family = "primary" if category == "Overall" else "exploratory"
    return {
        "dataset": "d",
        "category": category,
        "selection": selection,
        "model": model,
        "aggregation": "min",
        "n": 4,
        "other_selection": "majority_vote",
        "other_model": "majority vote",
        "other_aggregation": None,
        "difference": 5.0,
        "difference_low": 1.0,
        "difference_high": 9.0,
        "p": p,
        "p_holm": p,
        "family": family,
        "n_families": 3,
        "note": None,
    }


ACCURACIES = [
    accuracy(category, *method)
    for category in CATEGORIES
    for method in (
        ("majority_vote", None),
        ("best_of_n", "a"),
        ("best_of_n", "b"),
        ("weighted_vote", "a"),
        ("pass", None),
    )
]
P = {"Overall": 0.01, "law": 0.04, "computer_science": 0.2}
DIFFERENCES = [comparison(category, "best_of_n", "a", p) for category, p in P.items()]


def test_only_the_largest_n_and_models_that_are_shown() -> None:
    smaller = accuracy("law", "best_of_n", "a", n=2)
    rows = table_rows([smaller, *ACCURACIES], DIFFERENCES, {"a": "a"})
    assert {row["n"] for row in rows} == {4}
    assert {row["model"] for row in rows} == {None, "a"}
    assert len(rows) == 4 * 3
    by_key = {(row["category"], row["selection"]): row for row in rows}
    assert by_key["law", "best_of_n"]["p_holm"] == 0.04
    assert by_key["law", "best_of_n"]["difference_low"] == 1.0
    assert by_key["law", "weighted_vote"]["difference"] is None


def test_marks_say_how_sure_a_difference_is() -> None:
    rows = table_rows(ACCURACIES, DIFFERENCES, {"a": "a", "b": "b"})
    best, weighted = sheets(rows, {"a": "a (2 seeds)", "b": "b"})
    assert best.header == ["category", "majority vote", "a (2 seeds)", "b"]
    assert weighted.header == ["category", "majority vote", "a (2 seeds)"]
    assert [line[0] for line in best.rows] == ["Overall", "law", "computer science"]
    assert [line[2] for line in best.rows] == [
        *("60.0* [50.0, 70.0]", "60.0† [50.0, 70.0]", "60.0 [50.0, 70.0]"),
    ]
    text = " ".join(best.notes)
    assert "*: differs" in text and "†: p <" in text and text.startswith("3 questions.")
    assert "*" not in " ".join(weighted.notes)


def test_a_p_value_that_is_not_known_has_no_mark() -> None:
    assert mark(comparison("Overall", "best_of_n", "a", None)) == ""


def test_several_aggregations_and_what_is_missing() -> None:
    rows = [*ACCURACIES, accuracy("law", "best_of_n", "a", aggregation="mean", accuracy_low=None)]
    best, _ = sheets(table_rows(rows, [], {"a": "a"}), {"a": "a"})
    assert best.header[2:] == ["a min", "a mean"]
    assert [line[3] for line in best.rows] == ["–", "60.0", "–"]


def test_no_reward_models_and_nothing_at_all() -> None:
    votes = [row for row in ACCURACIES if row["model"] is None]
    (only,) = sheets(table_rows(votes, [], {}), {})
    assert only.header == ["category", "majority vote"]
    assert sheets([], {}) == []


def test_notes_are_explained() -> None:
    rows = [row | {"note": "no_spread"} for row in ACCURACIES]
    best, _ = sheets(table_rows(rows, [], {"a": "a"}), {"a": "a"})
    assert "Where all questions came out alike" in " ".join(best.notes)


def test_every_format_is_written(tmp_path: Path) -> None:
    paths = [tmp_path / "accuracy.parquet", tmp_path / "comparisons.parquet"]
    parquet.write(paths[0], ACCURACY, ACCURACIES, made_of())
    parquet.write(paths[1], COMPARISONS, DIFFERENCES, made_of())
    output = [tmp_path / f"t.{suffix}" for suffix in ("parquet", "tex", "md", "csv")]
    tabulate_reward_table(*paths, output)
    assert parquet.read(output[0], REWARD_TABLE).num_rows == len(ACCURACIES)
    assert output[1].read_text().count(r"\begin{table}") == 2
    assert len(output[3].read_text().splitlines()) == 1 + len(ACCURACIES)
