"""The section of accuracies has every number of the tables, unrounded, in rows of known columns."""

from typing import Any

import pytest

from multirm.report.page.accuracy import ACCURACY_COLUMNS, GAIN_COLUMNS, accuracy_payload
from tests.report.page.rows import SCORERS, accuracy

ROWS = [
    accuracy("majority_vote", 1),
    accuracy("best_of_n", 1, "a"),
    accuracy("best_of_n", 4, "a", category="law", estimator="paper", std=1.5, accuracy_low=None),
    accuracy("best_of_n", 4, "hidden"),
    accuracy("pass", 4, dataset="another"),
]


def comparison(**columns: Any) -> dict[str, Any]:
    return {
        "dataset": "d",
        "category": "law",
        "selection": "best_of_n",
        "model": "a",
        "aggregation": "min",
        "n": 4,
        "other_selection": "majority_vote",
        "difference": 1 / 3,
        "difference_low": -1.0,
        "difference_high": 2.0,
        "p_holm": 0.5,
        "family": "exploratory",
        "note": None,
        **columns,
    }


def section(**tables: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    payload = accuracy_payload(tables, SCORERS)
    assert payload["accuracy_columns"] == ACCURACY_COLUMNS
    (dataset,) = payload["datasets"]
    return (
        [dict(zip(ACCURACY_COLUMNS, row, strict=True)) for row in dataset["accuracies"]],
        [dict(zip(GAIN_COLUMNS, row, strict=True)) for row in dataset["gains"]],
    )


def test_accuracies_of_shown_models_are_those_of_the_table() -> None:
    rows, gains = section(accuracy=ROWS)
    assert gains == []
    assert [(row["scorer"], row["n"]) for row in rows] == [(None, 1), (0, 1), (0, 4)]
    for row, source in zip(rows, ROWS, strict=False):
        assert row["accuracy"] == source["accuracy"]
        assert (row["low"], row["high"]) == (source["accuracy_low"], source["accuracy_high"])
        for name in ("category", "estimator", "selection", "n", "std", "n_questions"):
            assert row[name] == source[name]


def test_fewer_critiques_groups_and_seeds_are_accuracies_too() -> None:
    counts = accuracy("best_of_n", 4, "a", n_critiques=2)
    group = accuracy("best_of_n", 4, "a", group="texts") | {
        **{f"difference{end}": 2.5 for end in ("", "_low", "_high")},
        "p_holm": 0.01,
        "difference_note": None,
    }
    seeds = accuracy("best_of_n", 4, "a", minimum_over_seeds=40.0, maximum_over_seeds=41.0)
    rows, gains = section(
        critique_counts=[counts], category_groups=[group], accuracy_over_seeds=[seeds]
    )
    extremes, fewer, grouped = rows
    assert (extremes["estimator"], extremes["low"], extremes["high"]) == ("versaprm", 40.0, 41.0)
    assert (fewer["estimator"], fewer["n_critiques"]) == ("exact", 2)
    assert grouped["category"] == "texts"
    (gain,) = gains
    assert (gain["category"], gain["difference"], gain["family"]) == ("texts", 2.5, "exploratory")


def test_gains_are_over_the_majority_vote_alone() -> None:
    other = comparison(other_selection="best_of_n", difference=9.0)
    _, gains = section(accuracy=ROWS, comparisons=[comparison(), other])
    (gain,) = gains
    assert gain["scorer"] == 1
    assert gain["difference"] == 1 / 3
    assert (gain["low"], gain["high"], gain["p_holm"]) == (-1.0, 2.0, 0.5)


def test_means_come_before_groups_and_categories() -> None:
    names = ("law", "texts", "all questions", "Overall", "math")
    rows = [accuracy("pass", 1, category=name) for name in names]
    group = accuracy("pass", 1, group="texts", difference=None, difference_note=None)
    payload = accuracy_payload({"accuracy": rows, "category_groups": [group]}, SCORERS)
    assert payload["datasets"][0]["categories"] == [
        *("Overall", "all questions", "texts", "law", "math")
    ]


@pytest.mark.parametrize("tables", [{}, {"accuracy": []}])
def test_no_accuracies_are_no_error(tables: dict[str, list[dict[str, Any]]]) -> None:
    assert section(**tables) == ([], [])


def search_row(search: str, method: str, n: int | None = None, **columns: Any) -> dict[str, Any]:
    return {
        "dataset": "s",
        "category": "Overall",
        "search": search,
        "method": method,
        "measure": "best",
        "n": n,
        "accuracy": 100 / 3,
        "accuracy_low": 20.0,
        "accuracy_high": 45.0,
        "n_questions": 12,
        "policy_generated": 120.25,
        **columns,
    }


def search_gain(**columns: Any) -> dict[str, Any]:
    return {
        "dataset": "s",
        "category": "Overall",
        "search": "beam",
        "measure": "best",
        "baseline": "wide",
        "baseline_n": 3.5,
        "is_matched": True,
        "difference": -1 / 3,
        "difference_low": -2.0,
        "difference_high": 1.0,
        "note": None,
        **columns,
    }


def test_searches_have_their_accuracies_and_gains() -> None:
    rows = [
        search_row("wide", "best_of_n", 4),
        search_row("wide", "best_of_n"),
        search_row("beam", "beam_search"),
        search_row("beam", "beam_search", category="law"),
        search_row("beam", "beam_search", measure="covered"),
    ]
    payload = accuracy_payload({"search_accuracy": rows, "search_gains": [search_gain()]}, {})
    (dataset,) = payload["searches"]["datasets"]
    assert (dataset["name"], dataset["categories"]) == ("s", ["Overall", "law"])
    assert dataset["measures"] == ["best", "covered"]
    found = [dict(zip(payload["searches"]["columns"], row, strict=True)) for row in dataset["rows"]]
    assert len(found) == len(rows)
    for row, source in zip(found, rows, strict=True):
        assert row["accuracy"] == source["accuracy"] and row["tokens"] == 120.25
        assert (row["low"], row["high"], row["n"]) == (20.0, 45.0, source["n"])
    # Only the search, category and measure that were compared have a gain.
    assert [row["difference"] for row in found] == [None, None, -1 / 3, None, None]
    assert accuracy_payload({}, {})["searches"]["datasets"] == []
