"""Validation measures against plain loops over steps, and over pairs of steps."""

import math

import numpy as np
import pytest

from multirm.training.step_metrics import roc_auc, step_metrics


def pairs_won(scores: list[float], positive: list[bool]) -> float:
    """The share of pairs of a positive and a negative in which the positive has the higher score."""
    above = [a for a, is_positive in zip(scores, positive, strict=True) if is_positive]
    below = [b for b, is_positive in zip(scores, positive, strict=True) if not is_positive]
    won = [1.0 if a > b else 0.5 if a == b else 0.0 for a in above for b in below]
    return sum(won) / len(won)


@pytest.mark.parametrize("n_scores", [3, 1000])
def test_the_area_is_the_share_of_pairs_with_ties_as_halves(n_scores: int) -> None:
    generator = np.random.default_rng(n_scores)
    scores = generator.integers(0, n_scores, 60) / 7
    positive = generator.random(60) < 0.3
    expected = pairs_won(scores.tolist(), positive.tolist())
    assert roc_auc(scores, positive) == pytest.approx(expected, abs=1e-12)


def test_all_measures_equal_plain_counts() -> None:
    generator = np.random.default_rng(1)
    values = generator.choice([0, 0.25, 0.5, 1], 50)
    odds = np.round(generator.normal(0, 2, 50), 1)
    found = step_metrics(odds, values)
    cells = {(truth, said): 0 for truth in (True, False) for said in (True, False)}
    losses = []
    for odd, value in zip(odds.tolist(), values.tolist(), strict=True):
        probability = 1 / (1 + math.exp(-odd))
        cells[value >= 0.5, probability >= 0.5] += 1
        losses.append(-value * math.log(probability) - (1 - value) * math.log(1 - probability))
    tp, fn = cells[True, True], cells[True, False]
    fp, tn = cells[False, True], cells[False, False]
    precision, recall = tp / (tp + fp), tp / (tp + fn)
    npv, specificity = tn / (tn + fn), tn / (tn + fp)
    assert found == pytest.approx(
        {
            "n": 50,
            "n_positive": tp + fn,
            "loss": sum(losses) / 50,
            "accuracy": (tp + tn) / 50,
            "precision": precision,
            "recall": recall,
            "specificity": specificity,
            "npv": npv,
            "f1": 2 * precision * recall / (precision + recall),
            "f1_negative": 2 * npv * specificity / (npv + specificity),
            "roc_auc": pairs_won(odds.tolist(), (values >= 0.5).tolist()),
        }
    )


def test_undefined_measures_are_null() -> None:
    found = step_metrics(np.array([2.0, 1.0]), np.array([1.0, 1.0]))
    undefined = {name for name, value in found.items() if value is None}
    assert undefined == {"specificity", "npv", "f1_negative", "roc_auc"}
    assert (found["accuracy"], found["precision"], found["recall"], found["f1"]) == (1, 1, 1, 1)
    found = step_metrics(np.array([2.0, -1.0]), np.array([0.0, 1.0]))
    assert (found["f1"], found["npv"], found["roc_auc"]) == (0, 0, 0)


def test_the_order_of_extreme_probabilities_is_kept() -> None:
    """Where probabilities round to 1, log-odds still differ."""
    odds = np.array([40.0, 50.0])
    assert len(set(1 / (1 + np.exp(-odds)))) == 1
    assert roc_auc(odds, np.array([False, True])) == 1
