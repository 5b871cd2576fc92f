"""Log-errors of means of critiques, against closed forms, brute-force integration and simulation."""

import numpy as np
import pytest

from multirm.evaluation.critique_log_errors import mean_square

VARIANCES = (0.08, 0.5, 3.2)


@pytest.mark.parametrize("variance", VARIANCES)
def test_one_critique_has_its_own_variance(variance: float) -> None:
    assert mean_square(variance, 1) == pytest.approx(variance, rel=1e-9)


@pytest.mark.parametrize("variance", VARIANCES)
@pytest.mark.parametrize("n", [2, 3])
def test_two_and_three_critiques_integrated_by_brute_force(variance: float, n: int) -> None:
    """Over a grid of all their errors."""
    errors = np.linspace(-8, 8, 121)
    grid = np.stack(np.meshgrid(*[errors] * n), axis=-1)
    weights = np.exp(-np.square(grid).sum(axis=-1) / 2)
    squares = np.square(np.log(np.exp(np.sqrt(variance) * grid).mean(axis=-1)))
    found = float((weights * squares).sum() / weights.sum())
    assert mean_square(variance, n) == pytest.approx(found, rel=1e-9)


@pytest.mark.parametrize("variance", VARIANCES)
def test_ten_critiques_simulated(variance: float) -> None:
    errors = np.random.default_rng(3).normal(0, np.sqrt(variance), (200_000, 10))
    squares = np.square(np.log(np.exp(errors).mean(axis=1)))
    error = squares.std(ddof=1) / np.sqrt(len(squares))
    assert mean_square(variance, 10) == pytest.approx(squares.mean(), abs=4 * error, rel=0)


@pytest.mark.parametrize("variance", VARIANCES)
def test_many_critiques_tend_to_the_expected_reward(variance: float) -> None:
    """The error is ln E[exp L] = variance / 2 in the limit; the next term in 1/n is the delta method's."""
    limit = variance / 2
    for n in (10**5, 10**6):
        of_mean = (np.exp(variance) - 1) / n
        expected = limit**2 + of_mean * (1 - limit)
        assert mean_square(variance, n) == pytest.approx(expected, rel=2 * of_mean**2 + 1e-8)
