"""The headline's sentences."""

from typing import Any

import pytest

from multirm.tables.headline_sentences import headline_sentences, shown_p


def row(model: str, verdict: str, **columns: Any) -> dict[str, Any]:
    return {
        "dataset": "d",
        "selection": "best_of_n",
        "model": model,
        "aggregation": "min",
        "n": 16,
        "difference": 3.2,
        "difference_low": 1.1,
        "difference_high": 5.4,
        "p_holm": 0.01,
        "n_tests": 20,
        "verdict": verdict,
        "note": None,
        **columns,
    }


def test_who_beats_the_vote_who_is_not_shown_to_and_who_falls_behind() -> None:
    rows = [
        row("a", "better"),
        row(
            "b",
            "not_shown",
            difference=0.44,
            difference_low=-1.0,
            difference_high=2.0,
            p_holm=0.3333,
        ),
        row("c", "better", p_holm=0.0001),
        row("d", "worse", difference=-4.0, difference_low=-6.0, difference_high=-2.0),
    ]
    first, last = headline_sentences(rows, {"a": "a (2 seeds)"})
    assert first == (
        "Selecting the best of 16, a (2 seeds) (+3.2 [1.1, 5.4], p = 0.01) and c (+3.2 [1.1, 5.4], p < 0.001) "
        "beat the majority vote. b (+0.4 [-1.0, 2.0], p = 0.33) is not shown to beat it or to fall behind. "
        "d (-4.0 [-6.0, -2.0], p = 0.01) falls behind it."
    )
    assert last.endswith("p-values are corrected for 20 comparisons.")


def test_a_sentence_for_each_selection() -> None:
    rows = [row("a", "better"), row("a", "not_shown", selection="weighted_vote")]
    first, second, _ = headline_sentences(rows, {})
    assert first.startswith("Selecting the best of 16, a (")
    assert second.startswith("In a weighted vote of 16, no reward model is shown to beat")


def test_one_solution_is_no_choice() -> None:
    (only,) = headline_sentences([row("a", "untested", n=1), row("b", "untested", n=1)], {})
    assert only == "With one solution for each question, there is nothing to select."


def test_nothing_is_below_zero_by_a_rounding_error() -> None:
    ends = {"difference_low": -1e-15, "difference_high": 1e-15}
    first, _ = headline_sentences([row("a", "not_shown", difference=-1e-15, **ends)], {})
    assert "a (+0.0 [0.0, 0.0], " in first


def test_aggregations_are_told_apart() -> None:
    rows = [row("a", "better"), row("a", "better", aggregation="mean")]
    assert "a min (" in (first := headline_sentences(rows, {})[0])
    assert "a mean (" in first


def test_what_is_not_tested_has_no_p_value() -> None:
    (only,) = headline_sentences(
        [row("a", "untested", difference_low=None, difference_high=None, p_holm=None, n_tests=0)],
        {},
    )
    assert only.endswith("is shown to beat the majority vote. Not tested: a (+3.2).")
    assert headline_sentences([], {}) == []


@pytest.mark.parametrize(
    ("p", "expected"),
    [(1.0, "p = 1"), (0.0456, "p = 0.046"), (0.0012, "p = 0.0012"), (0.0009, "p < 0.001")],
)
def test_p_values_have_two_digits(p: float, expected: str) -> None:
    assert shown_p(p) == expected
