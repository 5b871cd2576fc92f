"""Entry point `simulate_log_errors`: log-errors of simulated reward models against the paper's bounds.

The log-error of a reward model is Δ = ln(its reward) - ln(the true probability that the solution is correct). The paper
(arXiv 2510.00492, theorems 4.1 to 4.3 and A.4) says how it depends on the number of steps T. A process reward model
multiplies its estimates of u_t, the probability that step t is correct if those before are, and the truth is the
product of the u_t. So its log-error is the sum of its steps' errors δ_t, whatever the u_t are. An outcome reward model
has one error ε.

Assumptions for each solution: Var(δ_t) ≥ σ², plus τ² for a generative model, whose critiques are sampled; the sum of
Cov(δ_s, δ_t) over all pairs of steps is at least -γT, and σ² > 2γ; for an outcome reward model, Var(ε) ≤ τ_o² and
E[(mean of ε)²] = β². That the last two do not depend on T is assumed, not derived.

Bounds of the mean square:

- 4.1, outcome: E[ε²] = E[Var(ε)] + E[(mean of ε)²] ≤ τ_o² + β².
- 4.2, process: E[Δ²] ≥ Var(Σ δ_t) = Σ Var(δ_t) + 2 Σ Cov(δ_s, δ_t) ≥ (σ² - 2γ)T.
- 4.3, generative process, one critique: as 4.2 with σ² + τ².
- A.4, expected reward over critiques: with L = ln(reward of one critique), ln E[exp L] - E[L] ≥ κ/2 Var(L), if the
  variance is at least κ Var(L) under any exponential tilting. Without bias, E[Δ] ≥ κ/2 (σ² + τ² - 2γ)T, and E[Δ²] is
  at least its square. For normal errors, κ = 1, and equality holds. The mean of finitely many critiques may be
  below; `critique_log_errors` computes its error.

The theorems are about products. Where step rewards are aggregated by their minimum or mean, as in the paper's
experiments, the error is at most that of a single step, |Δ| ≤ max |δ_t| (`aggregated_errors`). For normal errors,
P(max |δ_t| > s) ≤ 2T exp(-s²/2σ²), which integrates to E[Δ²] ≤ 2σ² (1 + ln 2T): it hardly grows with T.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from multirm.evaluation.critique_log_errors import mean_square
from multirm.evaluation.intervals import student
from multirm.running.arguments import OutputFile, entry
from multirm.running.provenance import origin_of
from multirm.running.randomness import item_generator
from multirm.tables import parquet
from multirm.tables.accuracy import Aggregation
from multirm.tables.log_errors import LOG_ERROR_SIMULATION, BoundKind, Case
from multirm.tables.schema import Row

N_STEPS = (1, 2, 4, 8, 12, 16, 20, 24, 28, 32)
N_SOLUTIONS = 20_000

FEW, MANY = 10, 1_000

# Bounds the time that many critiques of many solutions take.
_MOST_CRITIQUES = 400_000

# The same in every study: a simulation of the theorems says nothing about a study's models.
_SEED = 0


@dataclass(frozen=True)
class Assumptions:
    """The sizes of errors, in nats; those of a step are small beside an outcome reward model's.

    Attributes:
        step: σ, the standard deviation of a step's error.
        critique: τ, what sampling a critique adds to it.
        bias: by how much each step is underestimated on average, where errors have a bias.
        correlation: between all steps' errors, where they are positively correlated.
        reversal: -Cov(δ_t, δ_(t+1)) / σ², the share of an error that the next step takes back, below 1/2.
        outcome: τ_o, the standard deviation of an outcome reward model's error.
        outcome_bias: β, the root mean square over solutions of the mean of its error.
    """

    step: float = 0.2
    critique: float = 0.2
    bias: float = 0.1
    correlation: float = 0.1
    reversal: float = 0.25
    outcome: float = 0.3
    outcome_bias: float = 0.4


ASSUMPTIONS = Assumptions()


@entry
def simulate_log_errors(output: OutputFile) -> None:
    """Simulate log-errors of process and outcome reward models by the number of steps, and write their bounds.

    Args:
        output: The table of simulated errors.
    """
    origin = origin_of(__name__, asdict(ASSUMPTIONS), [])
    parquet.write(output, LOG_ERROR_SIMULATION, simulation_rows(ASSUMPTIONS), origin)


def simulation_rows(
    given: Assumptions, n_steps: Sequence[int] = N_STEPS, n_solutions: int = N_SOLUTIONS
) -> list[Row]:
    """The log_error_simulation table."""
    rows: list[Row] = []
    for case in Case:
        found = simulated(case, given, n_steps, n_solutions)
        for steps, errors in zip(n_steps, found.T, strict=True):
            known = bound(case, given, steps)
            rows.append(
                {
                    "case": str(case),
                    "n_steps": steps,
                    "n_simulated": len(errors),
                    "mean": float(errors.mean()),
                    **_root_mean_square(errors),
                    "expected": expected(case, given, steps),
                    "bound": known[1] if known else None,
                    "bound_kind": str(known[0]) if known else None,
                }
            )
    return rows


def _root_mean_square(errors: np.ndarray) -> Mapping[str, float]:
    squares = np.square(errors)
    half = float(student(len(errors) - 1)) * squares.std(ddof=1) / np.sqrt(len(errors))
    ends = squares.mean() + half * np.array([0, -1, 1])
    names = ("rms", "rms_low", "rms_high")
    return dict(zip(names, np.sqrt(np.maximum(ends, 0)).tolist(), strict=True))


def simulated(
    case: Case, given: Assumptions, n_steps: Sequence[int], n_solutions: int
) -> np.ndarray:
    """Log-errors of solutions with each number of steps, float64 [solutions, numbers of steps].

    The errors of a solution with fewer steps are those of the first steps of a longer one.

    Args:
        n_steps: in ascending order.
        n_solutions: how many; fewer if each has many critiques.
    """
    generator = item_generator(_SEED, str(case))
    if case is Case.OUTCOME:
        errors = outcome_errors(given, n_solutions, generator)
        return np.repeat(errors[:, None], len(n_steps), axis=1)
    if case in _CRITIQUES:
        return _of_critiques(given, n_steps, n_solutions, _CRITIQUES[case], generator)
    errors = _STEPS[case](given, n_solutions, n_steps[-1], generator)
    aggregation = _AGGREGATIONS.get(case, Aggregation.PROD)
    return np.stack(
        [aggregated_errors(errors[:, :steps], aggregation) for steps in n_steps], axis=1
    )


def aggregated_errors(errors: np.ndarray, aggregation: Aggregation) -> np.ndarray:
    """The log-error of aggregated step rewards if all true probabilities are alike, float64 [solutions].

    Args:
        errors: δ_t, float64 [solutions, steps].
        aggregation: prod, min or mean. If no |δ_t| is over e, the error of the product is at most eT, and the errors of
            the other two are at most e.
    """
    match aggregation:
        case Aggregation.PROD:
            return np.asarray(errors.sum(axis=1))
        case Aggregation.MIN:
            return np.asarray(errors.min(axis=1))
        case Aggregation.MEAN:
            return np.asarray(np.log(np.exp(errors).mean(axis=1)))
    raise ValueError(f"expected prod, min or mean, found {aggregation}")


def outcome_errors(given: Assumptions, n: int, generator: np.random.Generator) -> np.ndarray:
    """ε of outcome reward models: a mean that differs between solutions, and an error around it, float64 [n]."""
    return generator.normal(0, given.outcome_bias, n) + generator.normal(0, given.outcome, n)


def _of_critiques(
    given: Assumptions,
    n_steps: Sequence[int],
    n_solutions: int,
    n_critiques: int,
    generator: np.random.Generator,
) -> np.ndarray:
    shape = (min(n_solutions, _MOST_CRITIQUES // n_critiques), n_critiques)
    sums, found, done = np.zeros(shape), [], 0
    for steps in n_steps:
        while done < steps:
            sums += generator.normal(0, np.hypot(given.step, given.critique), shape)
            done += 1
        found.append(np.log(np.exp(sums).mean(axis=1)))
    return np.stack(found, axis=1)


StepErrors = Callable[[Assumptions, int, int, np.random.Generator], np.ndarray]
"""Draws δ_t, float64 [solutions, steps]."""


def independent(
    given: Assumptions, n: int, steps: int, generator: np.random.Generator
) -> np.ndarray:
    """Unbiased errors without correlation."""
    return generator.normal(0, given.step, (n, steps))


def anticorrelated(
    given: Assumptions, n: int, steps: int, generator: np.random.Generator
) -> np.ndarray:
    """δ_t = a(η_t - bη_(t-1)) with b/(1 + b²) = reversal, so that neighbours' covariance is -reversal σ²."""
    b = (1 - np.sqrt(1 - 4 * given.reversal**2)) / (2 * given.reversal)
    drawn = generator.normal(0, given.step / np.sqrt(1 + b**2), (n, steps + 1))
    return np.asarray(drawn[:, 1:] - b * drawn[:, :-1])


def correlated(
    given: Assumptions, n: int, steps: int, generator: np.random.Generator
) -> np.ndarray:
    """Errors that share a part, so that each two have the same correlation."""
    shared = generator.normal(0, given.step * np.sqrt(given.correlation), (n, 1))
    own = generator.normal(0, given.step * np.sqrt(1 - given.correlation), (n, steps))
    return np.asarray(shared + own)


def biased(given: Assumptions, n: int, steps: int, generator: np.random.Generator) -> np.ndarray:
    """Independent errors that underestimate each step."""
    return independent(given, n, steps, generator) - given.bias


_STEPS: Mapping[Case, StepErrors] = {
    Case.INDEPENDENT: independent,
    Case.ANTICORRELATED: anticorrelated,
    Case.CORRELATED: correlated,
    Case.BIASED: biased,
    Case.LOWEST: independent,
    Case.AVERAGE: independent,
}
_AGGREGATIONS = {Case.LOWEST: Aggregation.MIN, Case.AVERAGE: Aggregation.MEAN}
_CRITIQUES = {Case.ONE_CRITIQUE: 1, Case.TEN_CRITIQUES: FEW, Case.MANY_CRITIQUES: MANY}


def expected(case: Case, given: Assumptions, steps: int) -> float | None:
    """The root mean square error by the case's distribution; None where no formula is known.

    The variance of a sum is Tσ² plus twice the covariances of pairs: T - 1 pairs of neighbours with -reversal σ², or
    T(T - 1)/2 pairs with correlation σ². A bias m adds (mT)². Of critiques, as many count as are simulated.
    """
    variance = given.step**2
    of_critique = variance + given.critique**2
    squares = {
        Case.INDEPENDENT: variance * steps,
        Case.ANTICORRELATED: variance * (steps - 2 * given.reversal * (steps - 1)),
        Case.CORRELATED: variance * steps * (1 + (steps - 1) * given.correlation),
        Case.BIASED: variance * steps + (given.bias * steps) ** 2,
        Case.OUTCOME: given.outcome**2 + given.outcome_bias**2,
    }
    if case in _CRITIQUES:
        return float(np.sqrt(mean_square(of_critique * steps, _CRITIQUES[case])))
    return float(np.sqrt(squares[case])) if case in squares else None


def bound(case: Case, given: Assumptions, steps: int) -> tuple[BoundKind, float] | None:
    """What a theorem says of the root mean square error; None where none applies.

    Theorems 4.2, 4.3 and A.4 bound it from below, 4.1 from above. A.4 is about the limit of infinitely many critiques,
    and bounds 1,000 of them approximately. For the minimum and the mean of step rewards, the bound is that of the
    largest of T normal errors.
    """
    gamma = given.reversal * given.step**2 if case is Case.ANTICORRELATED else 0.0
    match case:
        case Case.TEN_CRITIQUES:
            return None
        case Case.OUTCOME:
            return BoundKind.UPPER, float(np.hypot(given.outcome, given.outcome_bias))
        case Case.LOWEST | Case.AVERAGE:
            return BoundKind.UPPER, float(given.step * np.sqrt(2 * (1 + np.log(2 * steps))))
        case Case.ONE_CRITIQUE:
            return BoundKind.LOWER, float(np.hypot(given.step, given.critique) * np.sqrt(steps))
        case Case.MANY_CRITIQUES:
            return BoundKind.LOWER, (given.step**2 + given.critique**2) * steps / 2
    return BoundKind.LOWER, float(np.sqrt((given.step**2 - 2 * gamma) * steps))
