"""Measures of several categories and training runs → macro-averages and means over runs, with 95 % intervals."""

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from multirm.evaluation import intervals, jackknife
from multirm.evaluation.methods import Scorer
from multirm.tables.accuracy import OVERALL

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Estimate:
    """Measures of one category from 0 to 1, in columns.

    Attributes:
        value: float64 [columns]; NaN if undefined.
        without: the measures without each group of questions, float64 [groups, columns].
        size: the number of questions of equal weight that each measure is from, float64 [columns].
        counts: how many items of a kind it is over, int [columns] each.
    """

    value: np.ndarray
    without: np.ndarray
    size: np.ndarray
    counts: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Bounded:
    """Measures with 95 % intervals over questions and, for means over training runs, seeds.

    Attributes:
        value, low, high: float64 [columns], from 0 to 1; NaN if undefined.
        is_known: whether the variance is known, bool [columns]; where not, the interval allows for the largest.
        counts: as in `Estimate`.
    """

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    is_known: np.ndarray
    counts: Mapping[str, np.ndarray]


def summaries(
    found: Mapping[str, Mapping[Key, Estimate]], runs: Mapping[Key, Sequence[Key]]
) -> Iterator[tuple[str, Key, Bounded]]:
    """Every measure with its interval, by category and key: Overall first, means before their runs.

    Overall is the macro-average, in which each category counts the same. It is undefined if any category's is.

    Args:
        found: by category, the estimates of each key; categories may lack keys.
        runs: for each key of a mean over training runs, the keys of the runs.
    """
    with_means = {name: _with_means(own, runs) for name, own in found.items()}
    keys = dict.fromkeys(key for own in with_means.values() for key in own)
    for name in (OVERALL, *found):
        within = [with_means[part] for part in (found if name == OVERALL else [name])]
        parts = {key: [own[key] for own in within if key in own] for key in keys}
        parts = {key: own for key, own in parts.items() if len(own) == len(within)}
        values = {key: np.mean([each.value for each in own], axis=0) for key, own in parts.items()}
        error, df = _seed_errors(values, runs)
        for key, own in parts.items():
            yield name, key, _bounded(own, error.get(key), df)


def mean_of(runs: Sequence[Estimate]) -> Estimate:
    """The mean of estimates over the same groups of questions; the counts are those of the run with fewest items."""
    fewest = min(runs, key=lambda each: sum(int(n.sum()) for n in each.counts.values()))
    return Estimate(
        np.mean([each.value for each in runs], axis=0),
        np.mean([each.without for each in runs], axis=0),
        np.min([each.size for each in runs], axis=0),
        fewest.counts,
    )


def _with_means(
    own: Mapping[Key, Estimate], runs: Mapping[Key, Sequence[Key]]
) -> dict[Key, Estimate]:
    first = {keys[0]: mean for mean, keys in runs.items()}
    result: dict[Key, Estimate] = {}
    for key, estimate in own.items():
        mean = first.get(key)
        if mean is not None and all(run in own for run in runs[mean]):
            result[mean] = mean_of([own[run] for run in runs[mean]])
        result[key] = estimate
    return result


def _seed_errors(
    values: Mapping[Key, np.ndarray], runs: Mapping[Key, Sequence[Key]]
) -> tuple[dict[Key, np.ndarray], np.ndarray]:
    """The standard error of each mean from training seeds, and its degrees of freedom, float64 [columns].

    The variance is pooled over all models whose measure is defined. A model counts once, however many
    aggregations it has.
    """
    several = {mean: [values[run] for run in keys] for mean, keys in runs.items() if mean in values}
    if not several:
        return {}, np.zeros(0)
    n_keys = Counter(map(_model_of, several))
    weights = np.stack(
        [
            np.full_like(own[0], (len(own) - 1) / n_keys[_model_of(mean)])
            for mean, own in several.items()
        ]
    )
    variances = np.stack([np.var(own, axis=0, ddof=1) for own in several.values()])
    weights = np.where(np.isnan(variances), 0, weights)
    df = weights.sum(axis=0)
    pooled = (weights * np.nan_to_num(variances)).sum(axis=0) / np.where(df > 0, df, np.nan)
    return {mean: np.sqrt(pooled / len(own)) for mean, own in several.items()}, df


def _model_of(key: Hashable) -> Hashable:
    return key.model if isinstance(key, Scorer) else key


def _bounded(parts: Sequence[Estimate], error: np.ndarray | None, seed_df: np.ndarray) -> Bounded:
    value = np.mean([each.value for each in parts], axis=0)
    free = np.array([max(len(each.without) - 1, 1) for each in parts])
    own = np.stack([_variance(each) for each in parts])
    known = ~np.isnan(own)
    sizes = np.stack([np.maximum(each.size, 1) for each in parts])
    if len(parts) > 1:
        own = np.where(known, own, intervals.LARGEST_VARIANCE / sizes)
    variance = own.sum(axis=0) / len(parts) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        # Welch and Satterthwaite's; a bound in the place of a variance is known for sure.
        df = own.sum(axis=0) ** 2 / (np.where(known, own, 0) ** 2 / free[:, None]).sum(axis=0)
    df = np.where(np.isfinite(df), df, float(free.sum()))
    size = len(parts) ** 2 / (1 / sizes).sum(axis=0)
    low, high = intervals.of_share(value, variance, df, size, len(parts) * sizes.min(axis=0))
    if error is not None:
        low, high = intervals.widened(value, (low, high), error, seed_df, (0, 1))
    counts = {
        name: np.sum([each.counts[name] for each in parts], axis=0) for name in parts[0].counts
    }
    return Bounded(value, low, high, known.all(axis=0), counts)


def _variance(estimate: Estimate) -> np.ndarray:
    """`jackknife.variance` of each column."""
    return np.array([jackknife.variance(column) for column in estimate.without.T])
