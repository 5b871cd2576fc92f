"""Step metrics against plain loops over solutions, with the functions of `labels`."""

import math
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multirm.evaluation.outcome_metrics import outcome_metrics
from multirm.evaluation.step_metrics import ProcessBench, StepMetrics, StepScores, step_metrics
from multirm.text.labels import after_first_error, first_incorrect

Steps = list[tuple[float, int]]

REWARDS = st.sampled_from([math.nan, 0.0, 0.25, 0.5, 0.75, 1.0]) | st.floats(0, 1)
SOLUTIONS = st.lists(st.lists(st.tuples(REWARDS, st.integers(0, 1)), max_size=5), max_size=8)


def measure(solutions: list[Steps], before: int = 0, after: int = 0) -> StepMetrics:
    """Measure the solutions without some before and after, as a slice of the whole arrays."""
    steps = [step for solution in solutions for step in solution]
    offsets = np.cumsum([0, *map(len, solutions)])
    return step_metrics(
        np.array([reward for reward, _ in steps], dtype=np.float64),
        np.array([label for _, label in steps], dtype=np.int8),
        offsets[before : len(offsets) - after],
        np.arange(len(solutions))[before : len(solutions) - after],
    )


def without_intervals(found: StepScores | ProcessBench) -> dict[str, Any]:
    named = asdict(found)
    del named["intervals"], named["on_one_question"]
    return named


def plain_scores(steps: Steps) -> dict[str, Any]:
    """Through the outcome metrics, which are tested against plain loops."""
    of = outcome_metrics(
        np.array([reward for reward, _ in steps], dtype=np.float64),
        np.array([label for _, label in steps], dtype=bool),
        np.arange(len(steps)),
    )
    names = ("n_scored", "n_missing", "n_correct", "roc_auc", "pr_auc", "brier")
    return {name: getattr(of, name) for name in names}


def plain_process_bench(solutions: list[Steps]) -> dict[str, Any]:
    found: dict[bool, list[bool]] = {True: [], False: []}
    n_missing = 0
    for solution in solutions:
        prediction: int | str | None = None if solution else "unknown"
        for k, (reward, _) in enumerate(solution):
            if math.isnan(reward):
                prediction = "unknown"
                break
            if reward < 0.5:
                prediction = k
                break
        if prediction == "unknown":
            n_missing += 1
            continue
        truth = first_incorrect([label for _, label in solution])
        found[truth is not None].append(prediction == truth)
    erroneous, correct = (sum(x) / len(x) if x else None for x in (found[True], found[False]))
    f1 = None
    if erroneous is not None and correct is not None:
        f1 = 2 / (1 / erroneous + 1 / correct) if erroneous and correct else 0.0
    return {
        "n_erroneous": len(found[True]),
        "n_correct": len(found[False]),
        "n_missing": n_missing,
        "accuracy_erroneous": erroneous,
        "accuracy_correct": correct,
        "f1": f1,
    }


@given(solutions=SOLUTIONS)
def test_agrees_with_plain_loops(solutions: list[Steps]) -> None:
    found = measure(solutions)
    everything: Steps = []
    reached: Steps = []
    for solution in solutions:
        labels = after_first_error([label for _, label in solution])
        steps = [(reward, label) for (reward, _), label in zip(solution, labels, strict=True)]
        first = first_incorrect(labels)
        everything += steps
        reached += steps if first is None else steps[: first + 1]
    assert without_intervals(found.all_steps) == pytest.approx(plain_scores(everything))
    assert without_intervals(found.to_first_error) == pytest.approx(plain_scores(reached))
    assert without_intervals(found.process_bench) == pytest.approx(plain_process_bench(solutions))


@given(solutions=SOLUTIONS, before=st.integers(0, 3), after=st.integers(0, 3))
def test_a_slice_of_solutions_is_measured_alone(
    solutions: list[Steps], before: int, after: int
) -> None:
    before = min(before, len(solutions))
    after = min(after, len(solutions) - before)
    alone = measure(solutions[before : len(solutions) - after])
    assert measure(solutions, before, after) == alone


def test_known_figures() -> None:
    found = measure(
        [
            [(0.9, 1), (0.4, 0), (0.9, 1)],  # found
            [(0.9, 1), (0.5, 0), (0.4, 0)],  # found too late: 0.5 is not below the threshold
            [(0.9, 1), (0.9, 1)],  # no error, none predicted
            [(0.1, 1)],  # no error, one predicted
            [(0.7, 1)],  # no error, none predicted
        ]
    )
    bench = found.process_bench
    assert (bench.n_erroneous, bench.n_correct, bench.n_missing) == (2, 3, 0)
    assert (bench.accuracy_erroneous, bench.accuracy_correct) == (0.5, pytest.approx(2 / 3))
    assert bench.f1 == pytest.approx(4 / 7)
    assert (found.all_steps.n_scored, found.all_steps.n_correct) == (10, 6)
    assert (found.to_first_error.n_scored, found.to_first_error.n_correct) == (8, 6)


@pytest.mark.parametrize(
    ("rewards", "n_missing"),
    [
        ([0.4, math.nan], 0),
        ([math.nan, 0.4], 1),
        ([0.9, math.nan], 1),
        ([math.nan, math.nan], 1),
        ([], 1),
    ],
)
def test_a_missing_reward_matters_only_up_to_the_prediction(
    rewards: list[float], n_missing: int
) -> None:
    bench = measure([[(reward, 0) for reward in rewards]]).process_bench
    assert (bench.n_missing, bench.n_erroneous) == (n_missing, 1 - n_missing)


def test_all_correct() -> None:
    found = measure([[(0.9, 1), (0.8, 1)], [(0.4, 1)]])
    assert (found.process_bench.accuracy_erroneous, found.process_bench.f1) == (None, None)
    assert found.process_bench.accuracy_correct == 0.5
    assert (found.all_steps.roc_auc, found.all_steps.pr_auc) == (None, 1)


def test_none_correct() -> None:
    found = measure([[(0.9, 0)], [(0.4, 0)]])
    assert (found.process_bench.accuracy_correct, found.process_bench.f1) == (None, None)
    assert found.process_bench.accuracy_erroneous == 0.5
    assert (found.all_steps.roc_auc, found.all_steps.pr_auc) == (None, None)


def test_two_accuracies_of_zero_give_an_f1_of_zero() -> None:
    assert measure([[(0.9, 0)], [(0.4, 1)]]).process_bench.f1 == 0


def test_equal_rewards_are_uninformative() -> None:
    found = measure([[(0.5, 1), (0.5, 0), (0.5, 1)]])
    assert found.all_steps.roc_auc == found.to_first_error.roc_auc == 0.5


@pytest.mark.parametrize("solutions", [[], [[]], [[(math.nan, 1), (math.nan, 0)]]])
def test_without_any_reward_nothing_is_defined(solutions: list[Steps]) -> None:
    found = measure(solutions)
    assert found.all_steps.n_scored == 0
    assert (found.all_steps.roc_auc, found.all_steps.pr_auc, found.all_steps.brier) == (None,) * 3
    assert (found.process_bench.n_missing, found.process_bench.f1) == (len(solutions), None)


def test_intervals_contain_their_values_and_are_over_questions() -> None:
    generator = np.random.default_rng(0)
    solutions = []
    for _ in range(60):
        labels = generator.random(4) < 0.8
        rewards = np.clip(0.2 + 0.6 * labels + 0.3 * generator.normal(size=4), 0, 1)
        solutions.append(list(zip(rewards.tolist(), labels.astype(int).tolist(), strict=True)))
    steps = [step for solution in solutions for step in solution]
    rewards, labels = (np.array(part) for part in zip(*steps, strict=True))
    apart, together = (
        step_metrics(rewards, labels, 4 * np.arange(61), questions)
        for questions in (np.arange(60), np.arange(60) // 6)
    )
    for part in ("to_first_error", "all_steps", "process_bench"):
        for found in (getattr(apart, part), getattr(together, part)):
            named = without_intervals(found)
            measured = {name for name in named if not name.startswith("n_")}
            assert set(found.intervals) == measured
            for name, (low, high) in found.intervals.items():
                assert 0 <= low < named[name] < high <= 1
            assert found.on_one_question == []
        # Six solutions to each of ten questions count as ten questions only, however independent they are.
        wider = [
            np.diff(getattr(together, part).intervals[name])
            > 0.9 * np.diff(getattr(apart, part).intervals[name])
            for name in measured
        ]
        assert np.mean(wider) > 0.6


def test_a_perfect_score_on_few_solutions_has_an_interval() -> None:
    found = measure([[(0.9, 1), (0.1, 0)], [(0.9, 1)], [(0.2, 0)], [(0.8, 1), (0.9, 1)]])
    bench = found.process_bench
    assert (bench.accuracy_erroneous, bench.accuracy_correct, bench.f1) == (1, 1, 1)
    for low, high in bench.intervals.values():
        assert (low, high) == (pytest.approx(2 / (2 + 1.96**2), abs=1e-3), 1)
    one = measure([[(0.9, 1), (0.1, 0)], [(0.9, 1)]]).process_bench
    assert one.on_one_question == ["accuracy_erroneous", "accuracy_correct", "f1"]
