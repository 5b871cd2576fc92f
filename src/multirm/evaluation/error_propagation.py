"""How errors of early steps add up over a solution, as in Theorem 1 of OpenPRM's paper (its appendix A).

The error of the reward at step t carries over into the next one, x_t = α x_(t-1) + ε_t, where ε_t is what step t adds
and 0 ≤ α ≤ 1 is how much stays. Over T steps, the errors sum to

    (4)  Σ_t x_t = Σ_i ε_i (1 - α^(T-i+1)) / (1 - α),

in which an error weighs the more the earlier it is; with α = 1, the weight is T - i + 1. By the theorem, process
supervision that corrects a solution at step i* leaves

    (5)  β Σ_(i ≥ i*) ε_i (1 - α^(T-i+1)) / (1 - α),    β = 1 / (1 + γ ΔS),

where ΔS is how far apart the values of siblings are. (5) is never more than (4), but not because of process supervision
alone: it also leaves out the errors before i*, so that it is less even with β = 1.
"""

from collections.abc import Sequence

import numpy as np


def total_weight(alpha: float, n_steps: np.ndarray) -> np.ndarray:
    """What an error of 1 sums to over its own step and those after it, float64 [...]: 1 + α + … .

    Args:
        alpha: how much of an error is carried over to the next step; any number.
        n_steps: int [...], the number of steps from the error to the end, both included.
    """
    longest = int(np.max(n_steps, initial=0))
    # Sums instead of the formula, which divides by almost 0 where α is near 1.
    sums = np.concatenate([[0.0], np.cumsum(np.power(alpha, np.arange(longest), dtype=np.float64))])
    return np.asarray(sums[n_steps])


def total_error(
    errors: Sequence[float] | np.ndarray, alpha: float, first: int = 1, factor: float = 1.0
) -> float:
    """The sum of a solution's errors: (4), or (5) with the first corrected step and the factor β.

    Args:
        errors: ε_1 … ε_T.
        alpha: how much of an error is carried over.
        first: i*, from 1.
        factor: β.
    """
    own = np.asarray(errors, dtype=np.float64)
    weights = total_weight(alpha, np.arange(len(own), 0, -1))
    return float(factor * (own[first - 1 :] * weights[first - 1 :]).sum())


def persistence(sums: np.ndarray) -> np.ndarray:
    """α, the slope of a least-squares line through errors x_t and the next ones, x_(t+1); NaN if all x_t are equal.

    Args:
        sums: of 1, x_t, x_(t+1), x_t² and x_t x_(t+1) over pairs of steps, float64 [..., 5].
    """
    n, here, after, squares, products = np.moveaxis(sums, -1, 0)
    spread = n * squares - here**2
    # A spread that is only rounding has no slope.
    known = spread > 1e-12 * np.maximum(n * squares, 1e-300)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(known, (n * products - here * after) / spread, np.nan))
