"""Verdicts at each threshold, against plain loops over solutions."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multirm.evaluation.estimates import Estimate, summaries
from multirm.evaluation.outcome_metrics import outcome_metrics
from multirm.evaluation.step_metrics import LabelledSteps, step_metrics
from multirm.evaluation.thresholds import (
    OUTCOME_MEASURES,
    STEP_MEASURES,
    THRESHOLDS,
    USUAL,
    measured,
    of_rewards,
    step_estimate,
)

REWARDS = st.sampled_from([0.0, 0.05, 0.3, 0.35, 0.5, 0.7, 0.95, 1.0, math.nan])
SOLUTIONS = st.lists(st.tuples(REWARDS, st.booleans(), st.integers(0, 3)), min_size=1, max_size=20)
STEPS = st.lists(
    st.tuples(st.lists(st.tuples(REWARDS, st.integers(0, 1)), max_size=4), st.integers(0, 3)),
    min_size=1,
    max_size=12,
)


def arrays(solutions: list[tuple[float, bool, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rewards, correct, questions = zip(*solutions, strict=True)
    return np.array(rewards), np.array(correct), np.unique(questions, return_inverse=True)[1]


def plain_f1(solutions: list[tuple[float, bool, int]], threshold: float) -> float:
    scored = [(reward >= threshold, right) for reward, right, _ in solutions if reward == reward]
    tp = sum(said and right for said, right in scored)
    either = sum(said for said, _ in scored) + sum(right for _, right in scored)
    return 2 * tp / either if either else math.nan


@given(solutions=SOLUTIONS)
def test_f1_is_that_of_plain_loops(solutions: list[tuple[float, bool, int]]) -> None:
    found = of_rewards(*arrays(solutions))
    f1 = measured(OUTCOME_MEASURES, found.value)["f1"]
    assert f1 == pytest.approx([plain_f1(solutions, t) for t in THRESHOLDS], nan_ok=True)
    questions = sorted({question for _, _, question in solutions})
    for k, question in enumerate(questions):
        others = [each for each in solutions if each[2] != question]
        without = measured(OUTCOME_MEASURES, found.without[k])["f1"]
        assert without == pytest.approx([plain_f1(others, t) for t in THRESHOLDS], nan_ok=True)


@given(solutions=SOLUTIONS)
def test_one_half_is_as_in_the_verification_table(solutions: list[tuple[float, bool, int]]) -> None:
    found = of_rewards(*arrays(solutions))
    same = outcome_metrics(*arrays(solutions))
    for name, values in measured(OUTCOME_MEASURES, found.value).items():
        expected = getattr(same, name)
        assert values[USUAL] == pytest.approx(
            math.nan if expected is None else expected, nan_ok=True
        )
    _, (_, _, summary) = summaries({"law": {"a": found}}, {})
    for name, ends in same.intervals.items():
        if name in OUTCOME_MEASURES:
            bounds = (measured(OUTCOME_MEASURES, end)[name] for end in (summary.low, summary.high))
            assert [float(bound[USUAL]) for bound in bounds] == pytest.approx(ends)
    assert found.counts["n_missing"][0] == same.n_missing
    assert found.counts["n_scored"][0] == same.n_scored


def labelled(solutions: list[tuple[list[tuple[float, int]], int]]) -> LabelledSteps:
    steps = [step for each, _ in solutions for step in each]
    return LabelledSteps(
        np.array([reward for reward, _ in steps]),
        np.array([label for _, label in steps], dtype=int),
        np.cumsum([0, *(len(each) for each, _ in solutions)]),
        np.unique([question for _, question in solutions], return_inverse=True)[1],
    )


@given(solutions=STEPS)
def test_process_bench_is_that_of_plain_loops(
    solutions: list[tuple[list[tuple[float, int]], int]],
) -> None:
    found = step_estimate(labelled(solutions))
    f1 = measured(STEP_MEASURES, found.value)["f1"]
    for k, threshold in enumerate(THRESHOLDS):
        hits: dict[bool, list[bool]] = {True: [], False: []}
        for steps, _ in solutions:
            said = next((i for i, (r, _) in enumerate(steps) if not r >= threshold), None)
            if not steps or (said is not None and math.isnan(steps[said][0])):
                continue
            true = next((i for i, (_, label) in enumerate(steps) if label == 0), None)
            hits[true is None].append(said == true)
        assert found.counts["n_missing"][k] == len(solutions) - sum(map(len, hits.values()))
        if not (hits[True] and hits[False]):
            assert math.isnan(f1[k])
            continue
        a, b = np.mean(hits[True]), np.mean(hits[False])
        assert f1[k] == pytest.approx(2 * a * b / (a + b) if a + b else 0)


@given(solutions=STEPS)
def test_one_half_is_as_in_the_step_verification_table(
    solutions: list[tuple[list[tuple[float, int]], int]],
) -> None:
    steps = labelled(solutions)
    same = step_metrics(steps.rewards, steps.labels, steps.offsets, steps.questions).process_bench
    found = step_estimate(steps)
    _, (_, _, summary) = summaries({"law": {"a": found}}, {})
    if same.f1 is not None:
        bounds = (measured(STEP_MEASURES, end)["f1"] for end in (summary.low, summary.high))
        assert [float(bound[USUAL]) for bound in bounds] == pytest.approx(same.intervals["f1"])
    for name, values in measured(STEP_MEASURES, found.value).items():
        expected = getattr(same, name)
        assert values[USUAL] == pytest.approx(
            math.nan if expected is None else expected, nan_ok=True
        )


def test_thresholds_are_the_numbers_as_written() -> None:
    assert [float(f"{threshold:.2f}") for threshold in THRESHOLDS] == THRESHOLDS.tolist()
    assert isinstance(of_rewards(np.array([0.5]), np.array([True]), np.array([0])), Estimate)
