"""Sources of the variance of an accuracy: questions, solutions in the pools, critiques, training seeds.

The variance of an accuracy between questions includes everything that differs between them: the questions themselves
but also, since pools and critiques are finite, the solutions drawn for them and the critiques drawn for these.

Solutions. An expectation U over all subsets of N is a U-statistic, and so are A and B, those over the subsets of the
two halves of the pool. All have the same mean θ for a question, and A and B are independent, so E AB = θ², and U² - E
AB is an unbiased estimate of the variance of U (Wang & Lindsay 2014). Since A and B average to U over all ways to
halve a pool, this equals - E (A - U)(B - U) over random halves, which has a smaller variance. If N is over half the
pool, there are no two halves with N solutions each, and no estimate.

Critiques. An accuracy is not a U-statistic of the M critiques of each solution. With m of them, up to M / 2, its
variance V(m) can be measured on disjoint subsets. 1 / V grows about linearly with m: for many critiques because V
falls as 1/m, for few more slowly, since the variance of a choice is bounded. So V(M) is extrapolated on the line
through 1 / V at M/4 and M/2. In simulations, this was within 15 % of the truth, whereas V(M/2) / 2 was 10 to 45 % too
low. With fewer than 4 critiques, there is no estimate.

Variances are in the squared unit of the values: squared fractions for values in [0, 1], and 10,000 times as much in
squared percentage points.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from multirm.running.randomness import item_generator


@dataclass(frozen=True)
class Budget:
    """The variance of each column's accuracy and its components, all float64 [columns].

    The estimates of `total` and of `solutions` (with all that it includes) are unbiased, so small components may be
    negative; they are not clipped, so that questions + solutions + critiques = total. NaN if a component cannot be
    estimated.

    Attributes:
        total: over samples of questions with their pools and critiques, for the same trained model.
        questions: what would remain with infinite pools and critiques.
        solutions: due to finite pools; for generative models with fewer than four critiques per solution, it
            includes the critiques. NaN if N is over half of a pool.
        critiques: due to a finite number of critiques per solution; NaN for other models.
        seeds: due to training seeds, not part of `total`; for a mean over training runs, that of the mean.
    """

    total: np.ndarray
    questions: np.ndarray
    solutions: np.ndarray
    critiques: np.ndarray
    seeds: np.ndarray


@dataclass(frozen=True)
class CritiqueVariance:
    """The variance of each question's value with fewer critiques; NaN for columns without several.

    Attributes:
        half, quarter: float64 [questions, columns], with M // 2 and M // 4 critiques.
    """

    half: np.ndarray
    quarter: np.ndarray


def budget(
    values: Mapping[str, np.ndarray],
    pool_variance: Mapping[str, np.ndarray],
    critique_variance: Mapping[str, CritiqueVariance] | None = None,
    n_critiques: np.ndarray | None = None,
    seeds: np.ndarray | None = None,
) -> Budget:
    """The budget of one category's accuracies or, with several categories, of their macro-average.

    The halves of a pool also differ in their critiques, so the variance from halving includes that of critiques,
    which is subtracted to give `solutions`.

    Args:
        values: for each category float64 [questions, columns], the values that the accuracies average.
        pool_variance: of the same shape, each question's variance by `variance_from_halves`; NaN if unknown (N over
            half the pool).
        critique_variance: for each category.
        n_critiques: number of critiques per solution, M, [columns].
        seeds: float64 [columns], the variance between training seeds; NaN if there is one seed.
    """
    total = _of_macro_average([_spread(part) / len(part) for part in values.values()])
    pools = _of_macro_average([_of_mean(pool_variance[name]) for name in values])
    critiques = np.full_like(total, np.nan)
    if critique_variance is not None and n_critiques is not None:
        half, quarter = (
            _of_macro_average([_of_mean(part) for part in parts])
            for parts in (
                [critique_variance[name].half for name in values],
                [critique_variance[name].quarter for name in values],
            )
        )
        critiques = extrapolated(half, quarter, n_critiques)
    return Budget(
        total=total,
        questions=total - pools,
        solutions=pools - np.nan_to_num(critiques),
        critiques=critiques,
        seeds=np.full_like(total, np.nan) if seeds is None else seeds,
    )


def halves(question_ids: Sequence[str], size: int, seed: int, splits: int) -> np.ndarray:
    """Random halves of pools of `size`, by question.

    The first size // 2 of an order are one half, the next size // 2 the other; for odd sizes, the last is left out.
    Seeded only by (seed, question).

    Returns:
        positions, int64 [splits, questions, size].
    """
    result = np.empty((splits, len(question_ids), size), dtype=np.int64)
    result[:] = np.arange(size)
    for k, question_id in enumerate(question_ids):
        generator = item_generator(seed, "halves", question_id)
        result[:, k] = generator.permuted(result[:, k], axis=1)
    return result


def variance_from_halves(
    whole: np.ndarray, a: np.ndarray, b: np.ndarray, noise: np.ndarray | float = 0.0
) -> np.ndarray:
    """The variance of U-statistics of pools, from their values on halves.

    Args:
        whole: float64 [questions, columns], on the whole pools.
        a, b: float64 [splits, questions, columns], on the two halves of each split.
        noise: float64 [questions, columns], the variance of `whole` due to simulation.

    Returns:
        float64 [questions, columns], in the squared unit of `whole`; unbiased, so it may be negative.
    """
    return np.asarray(noise - ((a - whole) * (b - whole)).mean(axis=0))


def extrapolated(half: np.ndarray, quarter: np.ndarray, n_critiques: np.ndarray) -> np.ndarray:
    """The variance with M critiques, extrapolated linearly from its inverse at M // 2 and M // 4.

    Args:
        half, quarter: float64 [columns], the variances there. They should decrease with the number of critiques, at
            most as its inverse; other ratios are clipped to this range.
        n_critiques: M, [columns].

    Returns:
        float64 [columns]; NaN if M is less than 4.
    """
    m, fewer = n_critiques // 2, n_critiques // 4
    known = fewer >= 1
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(quarter > 0, half / quarter, 0.0).clip(fewer / m, 1)
        steps = (n_critiques - m) / (m - fewer)
        return np.where(known, half / (1 + steps * (1 - ratio)), np.nan)


def seed_variance(accuracies: np.ndarray) -> np.ndarray:
    """The variance of the mean accuracy over training runs that differ only in their seed.

    The variance of a single run is `seeds` times as large.

    Args:
        accuracies: float64 [seeds, columns].

    Returns:
        float64 [columns], in the squared unit of `accuracies`; NaN if there is one seed.
    """
    return _spread(accuracies) / len(accuracies)


def _spread(values: np.ndarray) -> np.ndarray:
    """The sample variance over the first axis; NaN for a single row."""
    if len(values) < 2:
        return np.full(values.shape[1:], np.nan)
    return np.asarray(values.var(axis=0, ddof=1))


def _of_mean(variances: np.ndarray) -> np.ndarray:
    """The variance of the mean over the first axis, of independent values with these variances."""
    return np.asarray(variances.mean(axis=0) / len(variances))


def _of_macro_average(variances: Sequence[np.ndarray]) -> np.ndarray:
    """The variance of the mean of independent categories, whose means have these variances."""
    return _of_mean(np.stack(variances))
