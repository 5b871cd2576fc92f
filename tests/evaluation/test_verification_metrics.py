"""Outcome metrics against plain loops over solutions and over pairs of them."""

import math
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multirm.evaluation.verification_metrics import OutcomeMetrics, outcome_metrics

# Tenths tie often, and lie on the edges of bins and on the threshold.
REWARDS = st.sampled_from([k / 10 for k in range(11)]) | st.floats(0, 1, width=32)
SCORED = st.lists(st.tuples(REWARDS, st.booleans()), max_size=12)


def measure(pairs: list[tuple[float, bool]], probabilities: bool = True) -> OutcomeMetrics:
    rewards = np.array([reward for reward, _ in pairs], dtype=np.float64)
    outcomes = np.array([correct for _, correct in pairs], dtype=np.int8)
    return outcome_metrics(rewards, outcomes, probabilities)


def ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def plain_confusion(pairs: list[tuple[float, bool]]) -> dict[str, float | None]:
    tp = sum(1 for reward, correct in pairs if reward >= 0.5 and correct)
    fp = sum(1 for reward, correct in pairs if reward >= 0.5 and not correct)
    fn = sum(1 for reward, correct in pairs if reward < 0.5 and correct)
    tn = sum(1 for reward, correct in pairs if reward < 0.5 and not correct)
    return {
        "precision": ratio(tp, tp + fp),
        "recall": ratio(tp, tp + fn),
        "specificity": ratio(tn, tn + fp),
        "f1": ratio(tp, tp + (fp + fn) / 2),
    }


def plain_roc_auc(pairs: list[tuple[float, bool]]) -> float | None:
    right = [reward for reward, correct in pairs if correct]
    wrong = [reward for reward, correct in pairs if not correct]
    wins = sum((a > b) + (a == b) / 2 for a in right for b in wrong)
    return ratio(wins, len(right) * len(wrong))


def plain_average_precision(pairs: list[tuple[float, bool]]) -> float | None:
    n_correct = sum(correct for _, correct in pairs)
    if not n_correct:
        return None
    area = recall = 0.0
    for threshold in sorted({reward for reward, _ in pairs}, reverse=True):
        taken = [correct for reward, correct in pairs if reward >= threshold]
        area += (sum(taken) / n_correct - recall) * sum(taken) / len(taken)
        recall = sum(taken) / n_correct
    return area


def plain_calibration_error(pairs: list[tuple[float, bool]]) -> float | None:
    error = 0.0
    for k in range(10):
        inside = [
            (reward, correct)
            for reward, correct in pairs
            if k / 10 <= reward and (reward < (k + 1) / 10 or k == 9)
        ]
        if inside:
            rewards, outcomes = zip(*inside, strict=True)
            gap = abs(sum(outcomes) - sum(rewards)) / len(inside)
            error += len(inside) / len(pairs) * gap
    return error if pairs else None


@given(pairs=SCORED)
def test_agrees_with_plain_loops(pairs: list[tuple[float, bool]]) -> None:
    found = measure(pairs)
    expected = {
        **plain_confusion(pairs),
        "roc_auc": plain_roc_auc(pairs),
        "pr_auc": plain_average_precision(pairs),
        "brier": ratio(sum((reward - correct) ** 2 for reward, correct in pairs), len(pairs)),
        "ece": plain_calibration_error(pairs),
    }
    assert {name: getattr(found, name) for name in expected} == pytest.approx(expected, abs=1e-12)
    assert (found.n_scored, found.n_correct) == (len(pairs), sum(right for _, right in pairs))


@given(pairs=SCORED, missing=st.lists(st.tuples(st.integers(0, 12), st.booleans()), max_size=4))
def test_missing_rewards_are_left_out_and_counted(
    pairs: list[tuple[float, bool]], missing: list[tuple[int, bool]]
) -> None:
    mixed = list(pairs)
    for position, correct in missing:
        mixed.insert(position, (math.nan, correct))
    assert measure(mixed) == replace(measure(pairs), n_missing=len(missing))


@given(pairs=SCORED)
def test_reliability_curve_has_every_scored_solution_once(
    pairs: list[tuple[float, bool]],
) -> None:
    curve = measure(pairs).reliability
    assert [(row.low, row.high) for row in curve] == [(k / 10, (k + 1) / 10) for k in range(10)]
    assert sum(row.count for row in curve) == len(pairs)
    for row in curve:
        if row.count == 0:
            assert (row.mean_reward, row.share_correct) == (None, None)
        else:
            assert row.mean_reward is not None
            assert row.low <= row.mean_reward + 1e-12
            assert row.mean_reward <= row.high + 1e-12


def test_edges_of_bins_belong_to_the_bin_above_but_for_the_last() -> None:
    curve = measure([(k / 10, True) for k in range(11)]).reliability
    assert [row.count for row in curve] == [1] * 9 + [2]


def test_known_figures() -> None:
    found = measure([(0.9, True), (0.8, False), (0.8, True), (0.5, False), (0.2, True)])
    assert (found.precision, found.recall, found.specificity) == (0.5, pytest.approx(2 / 3), 0)
    assert found.f1 == pytest.approx(4 / 7)
    assert found.roc_auc == pytest.approx(3.5 / 6)
    assert found.pr_auc == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)
    assert found.brier == pytest.approx((0.01 + 0.64 + 0.04 + 0.25 + 0.64) / 5)
    assert found.ece == pytest.approx((0.1 + 0.6 + 0.5 + 0.8) / 5)


def test_all_correct() -> None:
    found = measure([(0.75, True), (0.25, True)])
    assert (found.precision, found.recall, found.f1) == (1, 0.5, pytest.approx(2 / 3))
    assert (found.specificity, found.roc_auc, found.pr_auc) == (None, None, 1)


def test_none_correct() -> None:
    found = measure([(0.75, False), (0.25, False)])
    assert (found.precision, found.recall, found.specificity, found.f1) == (0, None, 0.5, 0)
    assert (found.roc_auc, found.pr_auc) == (None, None)
    assert found.brier == pytest.approx((0.75**2 + 0.25**2) / 2)


def test_none_correct_and_none_predicted_so() -> None:
    found = measure([(0.25, False)])
    assert (found.precision, found.recall, found.specificity, found.f1) == (None, None, 1, None)


def test_all_rewards_equal_tell_nothing() -> None:
    found = measure([(0.3, True), (0.3, False), (0.3, False), (0.3, False)])
    assert (found.roc_auc, found.pr_auc) == (0.5, 0.25)
    assert (found.precision, found.recall, found.f1) == (None, 0, 0)


def test_one_solution() -> None:
    found = measure([(1.0, True)])
    assert (found.n_scored, found.precision, found.brier, found.ece) == (1, 1, 0, 0)
    assert found.roc_auc is None


@pytest.mark.parametrize("pairs", [[], [(math.nan, True), (math.nan, False)]])
def test_without_any_reward_nothing_is_defined(pairs: list[tuple[float, bool]]) -> None:
    found = asdict(measure(pairs))
    counts = {"n_scored": 0, "n_missing": len(pairs), "n_correct": 0}
    assert [row["count"] for row in found.pop("reliability")] == [0] * 10
    assert found == {**dict.fromkeys(found, None), **counts}


@pytest.mark.parametrize(
    ("rewards", "probabilities"), [([0.75, -0.25, 0.5], True), ([0.75, 0.25, 0.5], False)]
)
def test_what_is_no_probability_is_only_ranked(rewards: list[float], probabilities: bool) -> None:
    found = asdict(
        measure(list(zip(rewards, [True, False, True], strict=True)), probabilities=probabilities)
    )
    assert found.pop("reliability") == []
    ranked = {"n_scored": 3, "n_missing": 0, "n_correct": 2, "roc_auc": 1, "pr_auc": 1}
    assert found == {**dict.fromkeys(found, None), **ranked}
