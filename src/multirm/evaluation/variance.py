"""What the uncertainty of an accuracy is made of: questions, solutions in the pools, critiques, seeds.

The question-level variance of an accuracy holds all of what differs from question to question:
other questions, but also, since pools and critiques are finite, other solutions to the same
questions and other critiques of the same solutions.

Solutions. An expectation U over all subpools of N is a U-statistic, and so are A and B, those over the
subpools of one half of the pool and of the other. All have the same mean θ for a question, and A and B
are independent of each other, so E AB = θ² and U² - E AB estimates the variance of U without bias
(Wang & Lindsay 2014). Since A and B are U on the average over all ways to halve a pool, that is the
same as - E (A - U)(B - U) over random halves, which varies less. There are no two halves that hold N
each if N is over half the pool, and then nothing can be told.

Critiques. An accuracy is no such statistic of the M critiques of each solution. With m of them, m up to
M / 2, its variance V(m) can be measured on subsets that share none. 1 / V grows about linearly with m:
for many critiques as V does fall with 1/m, for few more slowly, since a choice can vary only so much.
So V(M) is read off the line through 1 / V at M/4 and M/2. In simulations that was within 15 % of the
truth, where to divide V(M/2) by 2 was 10 to 45 % too low. With fewer than 4 critiques nothing can be told.

Variances are in the squared unit of the values: squared fractions for values in 0..1, and
10,000 times as much in squared percentage points.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from multirm.running.randomness import item_generator


@dataclass(frozen=True)
class Budget:
    """The variance of each column's accuracy and its components, all float64 [columns].

    Of `total` and `solutions` with all that is in them the estimates are unbiased, so where a share is
    small they may fall below 0; it is not cut off there, so that questions + solutions + critiques =
    total. NaN where a component cannot be told from the data.

    Attributes:
        total: under other questions, with their pools and critiques, but the same trained model.
        questions: what would be left of it with endless pools and critiques.
        solutions: from finite pools; of generative models with fewer than four critiques per
            solution, it includes the critiques. NaN where N is over half of a pool.
        critiques: from finitely many critiques per solution; NaN for other models.
        seeds: from training, beside `total` and no part of it; of a mean over trainings that of the
            mean.
    """

    total: np.ndarray
    questions: np.ndarray
    solutions: np.ndarray
    critiques: np.ndarray
    seeds: np.ndarray


@dataclass(frozen=True)
class CritiqueVariance:
    """What each question's value varies with fewer critiques; columns without several have NaN.

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

    The halves of a pool differ in their critiques too, so what halving pools measures includes what
    critiques add, and `solutions` is the former less the latter.

    Args:
        values: for each category float64 [questions, columns], what the accuracies are means of.
        pool_variance: of the same shape, each question's, by `variance_from_halves`; NaN where it is
            unknown (N over half the pool).
        critique_variance: for each category.
        n_critiques: how many each solution has, M, [columns].
        seeds: float64 [columns], from training; NaN where there is one seed.
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

    The first size // 2 of an order are one half, the next size // 2 the other: the last of an odd
    number is left out. Seeded by (seed, question) and by nothing else.

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
    """The variance of U-statistics of pools, from their values on halves of these.

    Args:
        whole: float64 [questions, columns], of the whole pools.
        a, b: float64 [splits, questions, columns], of both halves of each split.
        noise: float64 [questions, columns], the variance of `whole` from simulation alone.

    Returns:
        float64 [questions, columns], in the squared unit of `whole`; unbiased, so below 0 at times.
    """
    return np.asarray(noise - ((a - whole) * (b - whole)).mean(axis=0))


def extrapolated(half: np.ndarray, quarter: np.ndarray, n_critiques: np.ndarray) -> np.ndarray:
    """The variance with M critiques, on the line through its inverse at M // 2 and at M // 4.

    Args:
        half, quarter: float64 [columns], the variances there, which fall with the number of
            critiques, and no faster than 1 over it; what falls otherwise is taken as one of these.
        n_critiques: M, [columns].

    Returns:
        float64 [columns]; NaN where M is less than 4.
    """
    m, fewer = n_critiques // 2, n_critiques // 4
    known = fewer >= 1
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(quarter > 0, half / quarter, 0.0).clip(fewer / m, 1)
        steps = (n_critiques - m) / (m - fewer)
        return np.where(known, half / (1 + steps * (1 - ratio)), np.nan)


def seed_variance(accuracies: np.ndarray) -> np.ndarray:
    """The variance, from training, of the mean accuracy of models that differ only in their seed.

    A single one of these models has `seeds` times as much.

    Args:
        accuracies: float64 [seeds, columns].

    Returns:
        float64 [columns], in the squared unit of `accuracies`; NaN where there is one seed.
    """
    return _spread(accuracies) / len(accuracies)


def _spread(values: np.ndarray) -> np.ndarray:
    """The sample variance over the first axis; NaN of a single row."""
    if len(values) < 2:
        return np.full(values.shape[1:], np.nan)
    return np.asarray(values.var(axis=0, ddof=1))


def _of_mean(variances: np.ndarray) -> np.ndarray:
    """The variance of the mean over the first axis, of independent values with these variances."""
    return np.asarray(variances.mean(axis=0) / len(variances))


def _of_macro_average(variances: Sequence[np.ndarray]) -> np.ndarray:
    """The variance of the mean of independent categories, whose means have these variances."""
    return _of_mean(np.stack(variances))
