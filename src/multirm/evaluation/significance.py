"""Sign-flip tests of paired differences between methods, and Holm's correction.

If neither method is better, the sign of each question's difference is arbitrary. So the mean difference is compared
with means under random signs (Fisher 1935, The design of experiments); each question's sign is the same for all pairs
of methods and in the macro-average. The test is exact for any number of questions if the methods are exchangeable on
each question, and approximately valid if only their means are equal.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from multirm.running.randomness import item_generator
from multirm.tables.accuracy import OVERALL

# Random signs per p-value, at least. With 10,000, the Monte Carlo error is 0.002 at p = 0.05.
FLIPS = 10_000

# And per test in a family: the smallest p-value possible, multiplied by the number of tests, is then at most 0.01.
FLIPS_PER_TEST = 100

# Limits the memory of one block of signs to 64 MB.
SIGNS_AT_ONCE = 8_000_000

# Means of values in [-1, 1] that are this close differ only by rounding.
ROUNDING = 1e-9


def p_values(
    differences: Mapping[str, np.ndarray],
    seed: int,
    seed_errors: Mapping[str, np.ndarray] | None = None,
    seed_df: int = 0,
    flips: int = FLIPS,
) -> dict[str, np.ndarray]:
    """Two-sided p-values of mean differences, for each category and, as `OVERALL`, for the macro-average.

    p is the fraction of means at least as far from 0 as the observed one, among those under random signs and the
    observed one itself, so that it is valid and never 0 (Phipson & Smyth 2010).

    For means over training runs, the effect of other training seeds is added to each of these means, as a draw from
    Student's t.

    Args:
        differences: for each category float64 [questions, pairs], in [-1, 1]; a column of NaN has no p-value.
        seed: the study's seed. The signs depend only on it, the category's name and its number of questions.
        seed_errors: for each category and `OVERALL`, the standard error of each mean difference due to training
            seeds, float64 [pairs].
        seed_df: the degrees of freedom of these errors.
        flips: number of random signs per question.

    Returns:
        float64 [pairs], in (0, 1] or NaN.
    """
    observed = {name: part.mean(axis=0) for name, part in differences.items()}
    observed[OVERALL] = np.mean(list(observed.values()), axis=0)
    errors = seed_errors or {}
    student = item_generator(seed, "trainings").standard_t(max(seed_df, 1), flips)

    def count(name: str, flipped: np.ndarray, block: slice) -> np.ndarray:
        """How many of some means under random signs are at least as far from 0 as the observed one."""
        if name in errors:
            flipped = flipped + student[block, None] * errors[name]
        return np.asarray((np.abs(flipped) >= np.abs(observed[name]) - ROUNDING).sum(axis=0))

    generators = {name: item_generator(seed, "signs", name) for name in differences}
    as_far = {name: np.zeros(len(own)) for name, own in observed.items()}
    for start in range(0, flips, FLIPS):
        block = slice(start, min(start + FLIPS, flips))
        total = np.zeros((block.stop - block.start, len(observed[OVERALL])))
        for name, part in differences.items():
            flipped = _flipped_means(part, len(total), generators[name])
            as_far[name] += count(name, flipped, block)
            total += flipped
        as_far[OVERALL] += count(OVERALL, total / len(differences), block)
    return {
        name: np.where(np.isnan(observed[name]), np.nan, (1 + own) / (flips + 1))
        for name, own in as_far.items()
    }


def flips_for(families: Iterable[object]) -> int:
    """How many random signs p-values need to be corrected in families: enough to be significant in the largest.

    Args:
        families: the family of each test.
    """
    sizes = Counter(families)
    return max(FLIPS, FLIPS_PER_TEST * max(sizes.values(), default=0))


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
        # One bit per sign, so that eight are drawn per byte.
        n_bytes = -(-questions // 8)
        drawn = np.frombuffer(generator.bytes(count * n_bytes), dtype=np.uint8)
        bits = np.unpackbits(drawn.reshape(count, n_bytes), axis=1, count=questions)
        signs = bits.astype(np.float64)
        signs *= 2
        signs -= 1
        yield signs


def holm(p: np.ndarray) -> np.ndarray:
    """p-values adjusted to control the family-wise error rate (Holm 1979).

    The family is all p-values that are passed. Missing p-values stay missing and do not count.

    Args:
        p: float64 [tests], in [0, 1] or NaN.

    Returns:
        float64 [tests], in the order given, each at least its p and at most 1.
    """
    adjusted = np.full(len(p), np.nan)
    order = np.argsort(p)[: np.count_nonzero(~np.isnan(p))]  # NaN sorts last
    stepped = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(stepped))
    return adjusted
