"""Rows of the tables that a page is made from, of two data sets, two models and two categories."""

from typing import Any

from multirm.tables.accuracy import OVERALL

SCORERS = {
    "d": [
        {"model": "a", "aggregation": "last", "label": "a last", "model_label": "a"},
        {"model": "a", "aggregation": "min", "label": "a min", "model_label": "a"},
    ]
}


def accuracy(selection: str, n: int, model: str | None = None, **columns: Any) -> dict[str, Any]:
    return {
        "dataset": "d",
        "category": OVERALL,
        "estimator": "exact",
        "selection": selection,
        "model": model,
        "aggregation": model and "last",
        "n": n,
        "accuracy": 50.123456789 + n,
        "accuracy_low": 45.0,
        "accuracy_high": 60.0,
        "standard_error": 2.0,
        "std": None,
        "runs": None,
        "n_questions": 12,
        "n_short": 0,
        "note": None,
        **columns,
    }


def headline(model: str, selection: str = "best_of_n", **columns: Any) -> dict[str, Any]:
    return {
        "dataset": "d",
        "selection": selection,
        "model": model,
        "aggregation": "last",
        "n": 4,
        "difference": 3.25,
        "difference_low": 1.0,
        "difference_high": 5.5,
        "p_holm": 0.01,
        "n_tests": 2,
        "verdict": "better",
        "note": None,
        **columns,
    }


def ledger(category: str, model: str = "a", **columns: Any) -> dict[str, Any]:
    return {
        "dataset": "d",
        "category": category,
        "estimator": "exact",
        "model": model,
        "aggregation": "last",
        "n_questions": 6,
        "n_without_solution": None,
        "n_incomplete": None,
        "n_cut_off": None,
        "n_solutions": 1000,
        "n_unanswered": 0,
        "n_other_form": None,
        "n_unscored": 0,
        "n_unscored_pools": 0,
        "n_tied_pools": 0,
        "n_null_rewards": 0,
        "n_truncated": None,
        "unit": "step",
        "scale": "probability",
        "vote_weight": "reward",
        **columns,
    }
