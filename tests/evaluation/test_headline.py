"""The headline: what the primary family says of the majority vote."""

from typing import Any

import pytest

from multirm.evaluation.headline import headline_rows, verdict


def comparison(model: str, **columns: Any) -> dict[str, Any]:
    return {
        "category": "Overall",
        "selection": "best_of_n",
        "model": model,
        "aggregation": "min",
        "n": 16,
        "other_selection": "majority_vote",
        "difference": 1.0,
        "difference_low": 0.5,
        "difference_high": 1.5,
        "p": 0.001,
        "p_holm": 0.01,
        "family": "primary",
        "note": None,
        **columns,
    }


def test_only_the_vote_overall_at_the_largest_n() -> None:
    rows = [
        comparison("a"),
        comparison("a", other_selection="best_of_n"),
        comparison("b", selection="weighted_vote", p_holm=0.5),
        comparison("a", n=8, family="exploratory"),
        comparison("a", category="law", family="exploratory"),
    ]
    found = headline_rows(rows)
    assert [(row["model"], row["verdict"], row["n"]) for row in found] == [
        ("a", "better", 16),
        ("b", "not_shown", 16),
    ]
    assert {row["n_tests"] for row in found} == {3}


@pytest.mark.parametrize(
    ("difference", "p", "expected"),
    [
        (1.0, 0.0499, "better"),
        (-1.0, 0.0499, "worse"),
        (9.0, 0.05, "not_shown"),
        (-9.0, 1.0, "not_shown"),
        (9.0, None, "untested"),
    ],
)
def test_verdicts(difference: float, p: float | None, expected: str) -> None:
    assert verdict(comparison("a", difference=difference, p_holm=p)) == expected


def test_no_comparisons() -> None:
    assert headline_rows([]) == []
