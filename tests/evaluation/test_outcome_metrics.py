"""Outcome metrics against plain loops over solutions and over pairs of them."""

import math
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multirm.evaluation.outcome_metrics import OutcomeMetrics, outcome_metrics

# Tenths tie often, and are on the edges of bins and on the threshold.
REWARDS = st.sampled_from([k / 10 for k in range(11)]) | st.floats(0, 1, width=32)
SCORED = st.lists(st.tuples(REWARDS, st.booleans()), max_size=12)


def measure(pairs: list[tuple[float, bool]], probabilities: bool = True) -> OutcomeMetrics:
    rewards = np.array([reward for reward, _ in pairs], dtype=np.float64)
    outcomes = np.array([correct for _, correct in pairs], dtype=np.int8)
    return outcome_metrics(rewards, outcomes, np.arange(len(pairs)), probabilities)


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
def test_the_reliability_curve_has_each_scored_solution_once(
    pairs: list[tuple[float, bool]],
) -> None:
    curve = measure(pairs).reliability
    assert [(row.reward_low, row.reward_high) for row in curve] == [
        (k / 10, (k + 1) / 10) for k in range(10)
    ]
    assert sum(row.count for row in curve) == len(pairs)
    for row in curve:
        if row.count == 0:
            assert (row.mean_reward, row.share_correct) == (None, None)
        else:
            assert row.mean_reward is not None
            assert row.reward_low <= row.mean_reward + 1e-12
            assert row.mean_reward <= row.reward_high + 1e-12


def test_edges_belong_to_the_bin_above_except_the_last() -> None:
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


def test_none_correct_and_none_predicted_correct() -> None:
    found = measure([(0.25, False)])
    assert (found.precision, found.recall, found.specificity, found.f1) == (None, None, 1, None)


def test_equal_rewards_are_uninformative() -> None:
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
    counts = {"n_questions": 0, "n_scored": 0, "n_missing": len(pairs), "n_correct": 0}
    assert [row["count"] for row in found.pop("reliability")] == [0] * 10
    assert (found.pop("intervals"), found.pop("on_one_question")) == ({}, [])
    assert found == {**dict.fromkeys(found, None), **counts}


@pytest.mark.parametrize("rewards", [[7.5, -2.5, 0.5], [0.75, 0.25, 0.5]])
def test_scores_are_only_ranked(rewards: list[float]) -> None:
    found = asdict(
        measure(list(zip(rewards, [True, False, True], strict=True)), probabilities=False)
    )
    assert found.pop("reliability") == []
    assert list(found.pop("intervals")) == ["roc_auc", "pr_auc"]
    assert found.pop("on_one_question") == ["roc_auc"]
    ranked = {
        "n_questions": 3,
        "n_scored": 3,
        "n_missing": 0,
        "n_correct": 2,
        "roc_auc": 1,
        "pr_auc": 1,
    }
    assert found == {**dict.fromkeys(found, None), **ranked}


# Measures with an interval, whose truth is taken from a large sample.
INTERVALS = ("precision", "recall", "specificity", "f1", "roc_auc", "pr_auc", "brier")


def drawn(
    generator: np.random.Generator, questions: int, size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rewards, outcomes and questions: solutions to a question are about equally hard, and equally hard to judge."""
    easy = generator.normal(0, 1.2, (questions, 1))
    correct = easy + generator.normal(0, 1, (questions, size)) > 0
    misled = generator.normal(0, 1.2, (questions, 1))
    logit = 1.2 * (2 * correct - 1) + misled + generator.normal(0, 1, (questions, size))
    rewards = 1 / (1 + np.exp(-logit))
    ids = np.repeat(np.arange(questions), size)
    return rewards.ravel(), correct.ravel(), ids


def test_intervals_are_over_questions_and_cover_the_truth() -> None:
    """If solutions were treated as independent, they would cover it less often."""
    generator = np.random.default_rng(0)
    rewards, correct, _ = drawn(generator, 40_000, 8)
    truth = outcome_metrics(rewards, correct, np.arange(len(rewards)) // 2000)
    covered, without = dict.fromkeys(INTERVALS, 0), dict.fromkeys(INTERVALS, 0)
    for _ in range(100):
        rewards, correct, ids = drawn(generator, 30, 8)
        for held, questions in ((covered, ids), (without, np.arange(len(ids)))):
            found = outcome_metrics(rewards, correct, questions).intervals
            for name in INTERVALS:
                low, high = found[name]
                held[name] += low <= getattr(truth, name) <= high
    assert min(covered.values()) / 100 >= 0.88
    assert np.mean(list(covered.values())) / 100 > 0.92
    assert np.mean(list(without.values())) / 100 < 0.88


def test_repeated_solutions_do_not_narrow_intervals() -> None:
    rewards, correct, ids = drawn(np.random.default_rng(1), 12, 5)
    once = outcome_metrics(rewards, correct, ids)
    twice = outcome_metrics(np.tile(rewards, 2), np.tile(correct, 2), np.tile(ids, 2))
    for name, bounds in once.intervals.items():
        assert twice.intervals[name] == pytest.approx(bounds)
    for name in ("ece", "ece_null", "ece_debiased"):
        assert getattr(twice, name) == pytest.approx(getattr(once, name))


def test_the_order_of_solutions_and_the_names_of_questions_do_not_matter() -> None:
    rewards, correct, ids = drawn(np.random.default_rng(2), 15, 4)
    order = np.random.default_rng(3).permutation(len(ids))
    names = np.array([f"q{k}" for k in range(15)])[::-1][ids]
    found = outcome_metrics(rewards[order], correct[order], names[order])
    for name, bounds in outcome_metrics(rewards, correct, ids).intervals.items():
        assert found.intervals[name] == pytest.approx(bounds)


def test_a_perfect_model_has_a_width() -> None:
    """Wilson's interval for this number of right questions."""
    rewards, correct = np.tile([0.9, 0.1], 20), np.tile([True, False], 20)
    found = outcome_metrics(rewards, correct, np.arange(40) // 2)
    for name in ("precision", "recall", "specificity", "f1", "roc_auc", "pr_auc"):
        assert getattr(found, name) == 1
        assert found.intervals[name] == pytest.approx((0.8389, 1), abs=1e-4)
    assert found.on_one_question == []


def test_a_measure_based_on_one_question_is_named() -> None:
    rewards = np.array([0.9, 0.8, 0.7, 0.2])
    correct = np.array([True, True, True, False])
    found = outcome_metrics(rewards, correct, np.array(["a", "b", "c", "c"]))
    assert found.on_one_question == ["specificity", "roc_auc"]
    low, high = found.intervals["roc_auc"]
    assert (low, high) == (pytest.approx(0.2065, abs=1e-4), 1)
    alone = outcome_metrics(rewards, correct, np.zeros(4))
    assert set(alone.on_one_question) == set(INTERVALS)
    assert alone.intervals["ece"] == (0, 1)
    assert all(low < high for low, high in alone.intervals.values())


def test_a_calibration_error_is_reported_with_its_expectation_by_chance() -> None:
    """Rewards that are the true probabilities: the error is as large as by chance, and debiasing removes most of it."""
    generator = np.random.default_rng(4)
    found = []
    for _ in range(60):
        rewards = generator.random((20, 16))
        correct = generator.random((20, 16)) < rewards
        metrics = outcome_metrics(rewards.ravel(), correct.ravel(), np.arange(320) // 16)
        low, high = metrics.intervals["ece"]
        assert low <= 0.01
        assert metrics.ece is not None and high >= metrics.ece
        found.append([metrics.ece, metrics.ece_null, metrics.ece_debiased])
    ece, null, debiased = np.mean(found, axis=0)
    assert ece > 0.05
    assert null == pytest.approx(ece, rel=0.1)
    assert debiased < 0.55 * ece


def test_a_true_calibration_error_is_not_removed() -> None:
    generator = np.random.default_rng(5)
    correct = generator.random((300, 4)) < 0.5
    metrics = outcome_metrics(np.full(1200, 0.75), correct.ravel(), np.arange(1200) // 4)
    low, high = metrics.intervals["ece"]
    assert 0.15 < low < 0.25 < high < 0.31
    assert metrics.ece_debiased == pytest.approx(0.25, abs=0.05)


def test_the_interval_of_a_calibration_error_covers_a_true_one() -> None:
    generator = np.random.default_rng(6)
    held = 0
    for _ in range(60):
        rewards = np.repeat(0.9 * generator.random(100), 8)
        correct = generator.random(800) < rewards + 0.1
        low, high = outcome_metrics(rewards, correct, np.arange(800) // 8).intervals["ece"]
        held += low <= 0.1 <= high
    assert held >= 56


def test_bins_have_intervals_over_questions() -> None:
    rewards, correct, ids = drawn(np.random.default_rng(6), 30, 8)
    curve = outcome_metrics(rewards, correct, ids).reliability
    apart = outcome_metrics(rewards, correct, np.arange(240)).reliability
    widths = []
    for row, independent in zip(curve, apart, strict=True):
        if row.count:
            assert row.share_correct_low <= row.share_correct <= row.share_correct_high
            widths.append(
                [part.share_correct_high - part.share_correct_low for part in (row, independent)]
            )
        else:
            assert (row.share_correct_low, row.share_correct_high) == (None, None)
    assert np.mean(widths, axis=0)[0] > 1.05 * np.mean(widths, axis=0)[1]


def test_products_that_underflow_are_ranked_by_their_ranks() -> None:
    """All rewards are 0, but their logarithms differ."""
    correct, logs = np.array([True, False, True]), np.array([-900.0, -950.0, -920.0])
    found = outcome_metrics(np.zeros(3), correct, np.arange(3), ranks=logs)
    assert (found.roc_auc, found.pr_auc, found.brier) == (1, 1, pytest.approx(2 / 3))
    assert outcome_metrics(np.zeros(3), correct, np.arange(3)).roc_auc == 0.5
