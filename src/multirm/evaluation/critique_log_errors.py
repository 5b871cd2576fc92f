"""The log-error of the mean reward of several critiques whose own log-errors are normal."""

import numpy as np

# Errors of the trapezoidal rule vanish exponentially for analytic functions that vanish at both ends.
_STEP = 0.05
_STANDARD_DEVIATIONS = 9
_LEAST, _MOST = -45, 5


def mean_square(variance: float, n_critiques: int) -> float:
    """E[Δ²] of Δ = ln((exp L_1 + … + exp L_n) / n) for independent normal L_i with mean 0; exact up to rounding.

    Let E be exponential with mean 1 and independent of Δ, and Z = ln E - Δ. P(E > λ exp Δ) given Δ is exp(-λ exp Δ), so
    P(Z > ln λ) = φ(λ/n)^n with φ(λ) = E[exp(-λ exp L)], and Z's density follows. As ln E has mean -γ (Euler's
    constant) and variance π²/6, Δ has mean -γ - E[Z] and variance Var(Z) - π²/6.

    Args:
        variance: of each L_i, in nats squared; over 0.
        n_critiques: n.

    Returns:
        In nats squared.
    """
    deviation = np.sqrt(variance)
    normal = np.arange(-_STANDARD_DEVIATIONS, _STANDARD_DEVIATIONS + _STEP, _STEP)
    weights = np.exp(-np.square(normal) / 2)
    weights /= weights.sum()
    span = _STANDARD_DEVIATIONS * deviation
    z = np.arange(_LEAST - span, _MOST + span, _STEP)
    scaled = np.exp(z[:, None] - np.log(n_critiques) + deviation * normal)
    survived = np.exp(-scaled)
    density = (survived @ weights) ** (n_critiques - 1) * ((scaled * survived) @ weights)
    density /= density.sum()
    mean = density @ z
    spread = density @ np.square(z - mean)
    return float(spread - np.pi**2 / 6 + (np.euler_gamma + mean) ** 2)
