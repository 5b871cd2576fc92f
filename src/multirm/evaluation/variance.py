"""What the uncertainty of an accuracy is made of: questions, solutions in the pools, critiques, seeds.

The question-level variance of an accuracy holds all of what differs from question to question:
other questions, but also, since pools and critiques are finite, other solutions to the same
questions and other critiques of the same solutions. The latter two are measured on halves. The
halves of a pool are independent samples, so a statistic A on one and B on the other has

    E (A - B)² = 2 Var(half) ≈ 4 Var(whole),

as a statistic's variance goes as 1/size. For expectations over all subpools of N, size × variance
falls with the size (Hoeffding 1948, theorem 5.2), so the estimate is too high rather than too low,
the more the nearer N is to the half; with N over the half there is none.

Variances are in the squared unit of the values: squared fractions for values in 0..1, and
10,000 times as much in squared percentage points.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from multirm.randomness import item_generator


@dataclass(frozen=True)
class Budget:
    """The variance of each column's accuracy and its components, all float64 [columns].

    Every component is an unbiased estimate as far as halving is, and so may fall below 0 where its
    share is small; it is not cut off there, so that questions + solutions + critiques = total. NaN
    where a component cannot be told from the data.

    Attributes:
        total: under other questions, with their pools and critiques, but the same trained model.
        questions: what would be left of it with endless pools and critiques.
        solutions: from finite pools; of generative models, whose critiques cannot be halved (there
            is one per solution), it includes the critiques.
        critiques: from finitely many critiques per solution; NaN for other models.
        seeds: from training, beside `total` and no part of it; of a mean over trainings that of the
            mean.
    """

    total: np.ndarray
    questions: np.ndarray
    solutions: np.ndarray
    critiques: np.ndarray
    seeds: np.ndarray


def budget(
    values: Mapping[str, np.ndarray],
    pool_variance: Mapping[str, np.ndarray],
    critique_variance: Mapping[str, np.ndarray] | None = None,
    seeds: np.ndarray | None = None,
) -> Budget:
    """The budget of one category's accuracies or, with several categories, of their macro-average.

    The halves of a pool differ in their critiques too, so what halving pools measures includes what
    halving critiques measures, and `solutions` is the former less the latter.

    Args:
        values: for each category float64 [questions, columns], what the accuracies are means of.
        pool_variance: of the same shape, each question's `halved_variance` over halves of its pool;
            NaN where it is unknown (N over half the pool).
        critique_variance: the same over halves of the critiques of each solution; NaN where there
            is one critique or none.
        seeds: float64 [columns], from training; NaN where there is one seed.
    """
    total = _of_macro_average([_spread(part) / len(part) for part in values.values()])
    pools = _of_macro_average([_of_mean(pool_variance[name]) for name in values])
    critiques = np.full_like(total, np.nan)
    if critique_variance is not None:
        critiques = _of_macro_average([_of_mean(critique_variance[name]) for name in values])
    return Budget(
        total=total,
        questions=total - pools,
        solutions=pools - np.nan_to_num(critiques),
        critiques=critiques,
        seeds=np.full_like(total, np.nan) if seeds is None else seeds,
    )


def halves(question_ids: Sequence[str], size: int, seed: int) -> np.ndarray:
    """Random halves of pools of `size`, by question.

    The first size // 2 of an order are one half, the next size // 2 the other: the last of an odd
    number is left out. Seeded by (seed, question) and by nothing else.

    Returns:
        positions, int64 [questions, size].
    """
    result = np.empty((len(question_ids), size), dtype=np.int64)
    for order, question_id in zip(result, question_ids, strict=True):
        order[:] = item_generator(seed, "halves", question_id).permutation(size)
    return result


def halved_variance(
    a: np.ndarray, b: np.ndarray, size: int | np.ndarray, noise: np.ndarray | float = 0.0
) -> np.ndarray:
    """The variance of a statistic of the whole, from its values on halves of it.

    (a - b)²/2 is, on the average, the variance at size // 2, and it goes as 1/size; so for an even
    size this is (a - b)²/4. What simulation adds to it is subtracted.

    Args:
        a, b: float64 [questions, columns], the statistic on the two halves; NaN where unknown.
        size: of the whole, at least 2, for all columns or each: the solutions in a pool, or the
            critiques of a solution.
        noise: float64 [questions, columns], the variance of a - b from simulation alone.

    Returns:
        float64 [questions, columns], in the squared unit of `a`.
    """
    return np.asarray((np.square(a - b) - noise) / 2 * (size // 2) / size)


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
