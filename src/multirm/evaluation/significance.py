"""Could two methods do equally well? Sign-flip tests of paired differences, and Holm's correction.

If neither method is better, each question's difference could as well have the other sign. So the
mean difference is compared with the means under random signs, those of one question being the same
for all pairs of methods and in the macro-average. That is exact, whatever the number of questions,
where the methods are exchangeable on each question, and close to it where only their means are the
same.
"""

from collections.abc import Iterator, Mapping

import numpy as np

from multirm.running.randomness import item_generator
from multirm.tables.accuracy import OVERALL

# Random signs behind a p-value. With 10,000 its Monte Carlo error is 0.002 at p = 0.05.
FLIPS = 10_000

# Bounds the memory of one block of signs, to 64 MB.
SIGNS_AT_ONCE = 8_000_000

# Means of values in -1..1 that are this close differ by rounding only.
ROUNDING = 1e-9


def p_values(
    differences: Mapping[str, np.ndarray],
    seed: int,
    seed_errors: Mapping[str, np.ndarray] | None = None,
    seed_df: int = 0,
    flips: int = FLIPS,
) -> dict[str, np.ndarray]:
    """Two-sided p-values of mean differences, of each category and, as `OVERALL`, of the macro-average.

    p counts how many means under random signs are as far from 0 as the observed one, and the observed
    one itself, so that it is valid and never 0 (Phipson & Smyth 2010).

    Where trainings were averaged, what other training seeds would bring is added to each of these
    means, as a draw from Student's t.

    Args:
        differences: for each category float64 [questions, pairs], in [-1, 1]; NaN in a whole column
            gives no p-value.
        seed: the study's. The signs depend on it, the category's name and its number of questions only.
        seed_errors: for each category and `OVERALL` the standard error of each mean difference from
            training, float64 [pairs].
        seed_df: the degrees of freedom that it is known with.
        flips: how many random signs for each question.

    Returns:
        float64 [pairs], in (0, 1] or NaN.
    """
    observed = {name: part.mean(axis=0) for name, part in differences.items()}
    observed[OVERALL] = np.mean(list(observed.values()), axis=0)
    errors = seed_errors or {}
    student = item_generator(seed, "trainings").standard_t(max(seed_df, 1), flips)

    def p_value(name: str, flipped: np.ndarray) -> np.ndarray:
        if name in errors:
            flipped = flipped + student[:, None] * errors[name]
        as_far = np.abs(flipped) >= np.abs(observed[name]) - ROUNDING
        p = (1 + as_far.sum(axis=0)) / (flips + 1)
        return np.where(np.isnan(observed[name]), np.nan, p)

    found = {}
    total = np.zeros((flips, len(observed[OVERALL])))
    for name, part in differences.items():
        flipped = _flipped_means(part, flips, item_generator(seed, "signs", name))
        found[name] = p_value(name, flipped)
        total += flipped
    return {**found, OVERALL: p_value(OVERALL, total / len(differences))}


def _flipped_means(
    differences: np.ndarray, flips: int, generator: np.random.Generator
) -> np.ndarray:
    """Means of the differences with random signs, float64 [flips, pairs]."""
    questions = len(differences)
    means = np.empty((flips, differences.shape[1]))
    start = 0
    for signs in _signs(flips, questions, generator):
        np.matmul(signs, differences, out=means[start : start + len(signs)])
        start += len(signs)
    return means / questions


def _signs(flips: int, questions: int, generator: np.random.Generator) -> Iterator[np.ndarray]:
    """Random signs, float64 [some flips, questions], a block at a time."""
    at_once = max(1, SIGNS_AT_ONCE // questions)
    for start in range(0, flips, at_once):
        count = min(at_once, flips - start)
        # A bit for each sign: eight of them are drawn at once.
        n_bytes = -(-questions // 8)
        drawn = np.frombuffer(generator.bytes(count * n_bytes), dtype=np.uint8)
        bits = np.unpackbits(drawn.reshape(count, n_bytes), axis=1, count=questions)
        signs = bits.astype(np.float64)
        signs *= 2
        signs -= 1
        yield signs


def holm(p: np.ndarray) -> np.ndarray:
    """p-values adjusted so that the chance of any false rejection in the family is held (Holm 1979).

    The family is what is passed: the caller says which questions are asked together. A missing
    p-value stays missing and does not count.

    Args:
        p: float64 [tests], in 0..1 or NaN.

    Returns:
        float64 [tests], in the order given, each at least its p and at most 1.
    """
    adjusted = np.full(len(p), np.nan)
    order = np.argsort(p)[: np.count_nonzero(~np.isnan(p))]  # NaN sorts last
    stepped = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(stepped))
    return adjusted
