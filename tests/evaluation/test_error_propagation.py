"""The sums of Theorem 1 against the recursion that they solve."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multirm.evaluation.error_propagation import persistence, total_error, total_weight

ERRORS = st.lists(st.floats(-2, 2), max_size=12)


def recursion(errors: list[float], alpha: float) -> float:
    """Σ x_t of x_t = α x_(t-1) + ε_t."""
    x = total = 0.0
    for error in errors:
        x = alpha * x + error
        total += x
    return total


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.9, 0.999, 1.0])
@given(ERRORS)
def test_errors_sum_to_those_of_the_recursion(alpha: float, errors: list[float]) -> None:
    assert total_error(errors, alpha) == pytest.approx(recursion(errors, alpha), abs=1e-12)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.9, 0.999])
def test_weights_are_those_of_the_formula(alpha: float) -> None:
    n = np.arange(8)
    np.testing.assert_allclose(total_weight(alpha, n), (1 - alpha**n) / (1 - alpha), rtol=1e-12)


def test_an_error_that_stays_counts_for_every_step() -> None:
    assert total_weight(1.0, np.array([3, 0, 1])).tolist() == [3, 0, 1]
    assert total_error([0, 1, 0, 0], 1.0) == 3
    assert total_error([], 0.5) == 0


@given(ERRORS, st.integers(1, 12), st.floats(0, 1), st.floats(0, 1))
def test_corrected_errors_are_those_from_the_first_corrected_step(
    errors: list[float], first: int, alpha: float, factor: float
) -> None:
    dropped = [0.0] * min(first - 1, len(errors)) + errors[first - 1 :]
    expected = factor * recursion(dropped, alpha)
    assert total_error(errors, alpha, first, factor) == pytest.approx(expected, abs=1e-12)


def test_leaving_out_errors_lowers_the_sum_without_any_factor() -> None:
    """A limit of the theorem: what it calls an improvement is there even if β = 1."""
    errors = [1.0, 0.5, 0.0, 0.25]
    assert total_error(errors, 0.9, first=2, factor=1.0) < total_error(errors, 0.9)


def test_persistence_is_the_slope_of_a_line() -> None:
    here, after = np.array([0.1, 0.5, 0.9]), np.array([0.3, 0.2, 0.7])
    sums = np.array([each.sum() for each in (here * 0 + 1, here, after, here**2, here * after)])
    assert persistence(sums) == pytest.approx(np.polyfit(here, after, 1)[0])
    same = np.array([3, 0.9, 1.2, 0.27, 0.36])
    assert np.isnan(persistence(same))
    assert np.isnan(persistence(np.zeros(5)))
