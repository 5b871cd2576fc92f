"""Simulated log-errors against closed forms, and the bounds that hold whatever the errors are."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from multirm.evaluation.log_error_simulation import (
    ASSUMPTIONS,
    N_STEPS,
    Assumptions,
    aggregated_errors,
    anticorrelated,
    bound,
    correlated,
    expected,
    simulate_log_errors,
    simulated,
    simulation_rows,
)
from multirm.tables import parquet
from multirm.tables.accuracy import Aggregation
from multirm.tables.log_errors import LOG_ERROR_SIMULATION, BoundKind, Case

OTHERS = replace(ASSUMPTIONS, step=0.3, critique=0.1, bias=-0.2, correlation=0.4, reversal=0.45)


def mean_square(errors: np.ndarray) -> tuple[float, float]:
    """The mean square of simulated errors and its standard error."""
    squares = np.square(errors)
    return float(squares.mean()), float(squares.std(ddof=1) / np.sqrt(len(squares)))


@pytest.mark.parametrize("given", [ASSUMPTIONS, OTHERS], ids=["assumed", "others"])
@pytest.mark.parametrize("case", Case)
def test_simulations_agree_with_formulas_and_bounds(case: Case, given: Assumptions) -> None:
    for steps, errors in zip(N_STEPS, simulated(case, given, N_STEPS, 20_000).T, strict=True):
        found, error = mean_square(errors)
        known = expected(case, given, steps)
        if known is not None:
            assert found == pytest.approx(known**2, abs=4.5 * error, rel=0)
        if limit := bound(case, given, steps):
            kind, value = limit
            slack = 4.5 * error + 0.02 * found
            if kind is BoundKind.LOWER:
                assert found >= value**2 - slack
            else:
                assert found <= value**2 + slack


def test_bounds_of_process_models_grow_and_that_of_outcome_models_does_not() -> None:
    def growth(case: Case) -> float:
        first, last = (bound(case, ASSUMPTIONS, steps) for steps in (8, 32))
        assert first and last
        return last[1] / first[1]

    roots = (Case.INDEPENDENT, Case.ANTICORRELATED, Case.CORRELATED, Case.BIASED, Case.ONE_CRITIQUE)
    assert [growth(case) for case in roots] == pytest.approx([2] * 5)
    assert growth(Case.MANY_CRITIQUES) == pytest.approx(4)
    assert growth(Case.OUTCOME) == 1
    assert growth(Case.LOWEST) < 1.2


def test_few_critiques_may_be_below_the_bound_for_their_expectation() -> None:
    """Theorem A.4 is about the expected reward over critiques."""
    few, many = (
        np.abs(simulated(case, ASSUMPTIONS, [32], 20_000)).mean()
        for case in (Case.TEN_CRITIQUES, Case.MANY_CRITIQUES)
    )
    assert few < many
    assert bound(Case.TEN_CRITIQUES, ASSUMPTIONS, 32) is None


def test_many_critiques_differ_from_infinitely_many() -> None:
    """As in docs/figures.md."""
    for steps, found, limit in ((1, 0.0410, 0.0400), (32, 1.2787, 1.2800)):
        assert expected(Case.MANY_CRITIQUES, ASSUMPTIONS, steps) == pytest.approx(found, abs=5e-5)
        assert bound(Case.MANY_CRITIQUES, ASSUMPTIONS, steps) == (
            BoundKind.LOWER,
            pytest.approx(limit),
        )


def test_the_assumed_covariances() -> None:
    generator = np.random.default_rng(5)
    matrix = np.cov(anticorrelated(OTHERS, 200_000, 4, generator), rowvar=False)
    variance = OTHERS.step**2
    neighbours = -OTHERS.reversal * variance * (np.eye(4, k=1) + np.eye(4, k=-1))
    assert matrix == pytest.approx(variance * np.eye(4) + neighbours, abs=0.002)
    matrix = np.cov(correlated(OTHERS, 200_000, 4, generator), rowvar=False)
    shared = variance * OTHERS.correlation
    assert matrix == pytest.approx(shared + (variance - shared) * np.eye(4), abs=0.002)


@pytest.mark.parametrize("n_steps", [1, 3, 40])
def test_bounded_errors_of_steps_bound_those_of_solutions(n_steps: int) -> None:
    largest = 0.7
    errors = np.random.default_rng(n_steps).uniform(-largest, largest, (5_000, n_steps))
    errors[0], errors[1] = largest, -largest
    for aggregation, most in (
        (Aggregation.PROD, n_steps * largest),
        (Aggregation.MIN, largest),
        (Aggregation.MEAN, largest),
    ):
        found = np.abs(aggregated_errors(errors, aggregation))
        assert found.max() == pytest.approx(most)


def test_the_bounds_hold_for_steps_of_different_probabilities() -> None:
    generator = np.random.default_rng(2)
    truth = generator.uniform(0.05, 1, (5_000, 6))
    errors = generator.uniform(-0.7, 0.7, truth.shape)
    rewards = truth * np.exp(errors)
    product = np.log(rewards.prod(axis=1)) - np.log(truth.prod(axis=1))
    assert product == pytest.approx(aggregated_errors(errors, Aggregation.PROD))
    for way in (np.min, np.mean):
        found = np.log(way(rewards, axis=1)) - np.log(way(truth, axis=1))
        assert np.abs(found).max() <= 0.7


def test_other_aggregations_are_refused() -> None:
    with pytest.raises(ValueError, match="expected prod, min or mean"):
        aggregated_errors(np.zeros((1, 1)), Aggregation.LAST)


def test_lengths_do_not_change_each_other() -> None:
    alone = simulated(Case.ONE_CRITIQUE, ASSUMPTIONS, [4], 100)
    among = simulated(Case.ONE_CRITIQUE, ASSUMPTIONS, [1, 4, 8], 100)
    assert np.array_equal(alone[:, 0], among[:, 1])


def test_the_table(tmp_path: Path) -> None:
    simulate_log_errors(output=tmp_path / "t.parquet")
    rows = parquet.read(tmp_path / "t.parquet", LOG_ERROR_SIMULATION).to_pylist()
    assert len(rows) == len(Case) * len(N_STEPS)
    assert all(row["rms_low"] < row["rms"] < row["rms_high"] for row in rows)
    assert rows == simulation_rows(ASSUMPTIONS)
