"""Measures of items that belong to questions: in one category, on average over categories and over training runs.

A measure is a function of a category's items, such as a share or F1. Its variance over samples of questions is a
jackknife's (`jackknife`), so measures are averaged together with their values without each question. All tables of
such measures follow the same rules:

- A question without items that are measured is no observation: leaving it out shows nothing about the spread.
- A mean over training runs is undefined if a run's measure is, since it would otherwise be about other runs. Its
  interval covers training seeds, too: another seed gives another model. The counts beside it are those of the run
  with the most missing items, so that no run is measured on fewer.
- Overall is the average over the categories in which a measure is defined, each of the same weight. A study with a
  category that, say, lacks long solutions can still tell how the others compare; a note says how many there are.
- The spread is unknown if there is one question, or if the measure is undefined without one of several, such as the
  slope of a line if all others have the same length. The interval of a share then allows for the largest possible
  spread. Nothing bounds a mean number of steps, so it then has no interval. A note says which of the two it is.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from multirm.evaluation import intervals, jackknife
from multirm.evaluation.methods import Scorer
from multirm.tables.accuracy import OVERALL, IntervalNote

Key = TypeVar("Key", bound=Hashable)

Measure = Callable[[np.ndarray], np.ndarray]
"""Maps counts of items, float64 [..., kinds of items], to a value [...]; NaN if undefined."""


@dataclass(frozen=True)
class Estimate:
    """Measures of one category, in columns.

    Attributes:
        value: float64 [columns]; NaN if undefined.
        without: the measures without each group of questions, float64 [groups, columns]. All estimates of a category
            have the same groups.
        has_items: which groups have any items that are measured, bool [groups, columns].
        size: the equivalent number of equally weighted questions, float64 [columns].
        counts: numbers of items, int [columns] each. Those of a training run must have `n_missing`.
    """

    value: np.ndarray
    without: np.ndarray
    has_items: np.ndarray
    size: np.ndarray
    counts: Mapping[str, np.ndarray]

    @property
    def variance(self) -> np.ndarray:
        """Over samples of questions, float64 [columns]; NaN if unknown."""
        return np.array(
            [
                jackknife.variance(column[has_items])
                for column, has_items in zip(self.without.T, self.has_items.T, strict=True)
            ]
        )

    @property
    def degrees(self) -> np.ndarray:
        """The degrees of freedom of `variance`, float64 [columns]."""
        return np.maximum(self.has_items.sum(axis=0) - 1.0, 1.0)

    def only(self, columns: Sequence[int]) -> "Estimate":
        """The measures in some columns."""
        return Estimate(
            self.value[columns],
            self.without[:, columns],
            self.has_items[:, columns],
            self.size[columns],
            {name: counts[columns] for name, counts in self.counts.items()},
        )


@dataclass(frozen=True)
class Summary:
    """Measures with 95 % intervals over questions and, for means over training runs, seeds.

    Attributes:
        value, low, high: float64 [columns]; NaN if undefined.
        unknown_for: why the variance is unknown in a category, if it is, [columns]; the interval then allows for the
            largest, or is missing.
        n_categories: in how many categories each measure is defined, int [columns].
        n_all_categories: how many categories there are.
        counts: as in `Estimate`, of all categories together.
    """

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    unknown_for: Sequence[Sequence[IntervalNote]]
    n_categories: np.ndarray
    n_all_categories: int
    counts: Mapping[str, np.ndarray]


def estimate(
    measure: Measure,
    items: np.ndarray,
    questions: np.ndarray,
    kept: np.ndarray,
    n_kinds: int,
    weights: np.ndarray | None = None,
) -> Estimate:
    """A measure of some of a category's items, in one column, without counts.

    Args:
        items: the kind of each item, int [items], below `n_kinds`.
        questions: the question of each, int [items], from 0 without gaps.
        kept: bool [items], which items are measured.
        n_kinds: the number of kinds of items.
        weights: float64 [items], the weight of each item in the measure; equal by default.
    """
    groups = jackknife.grouped(questions)
    n_groups = int(groups.max(initial=-1)) + 1
    with np.errstate(divide="ignore", invalid="ignore"):
        value = measure(np.bincount(items[kept], minlength=n_kinds).astype(np.float64))
        # One more item in each group, of a kind that is not measured, so that groups without items count.
        found = jackknife.without_each(
            lambda counts: {"": measure(counts[..., :n_kinds])},
            np.r_[items[kept], np.full(n_groups, n_kinds)],
            np.r_[groups[kept], np.arange(n_groups)],
            n_kinds + 1,
        )
    weights = np.ones(len(items)) if weights is None else weights
    return Estimate(
        np.array([float(value)]),
        found[""][:, None],
        np.bincount(groups[kept], minlength=n_groups)[:, None] > 0,
        np.array([jackknife.effective_size(np.bincount(questions[kept], weights[kept]))]),
        {},
    )


def in_columns(
    measures: Sequence[Sequence[Estimate]], counts: Sequence[Mapping[str, int]]
) -> Estimate:
    """Estimates of one category as columns, ready for `rows_of`: those of the first measure, then of the second, ….

    Args:
        measures: for each measure, the estimates for each row.
        counts: for each row, how many items of each kind there are.
    """
    every = [each for own in measures for each in own]
    return Estimate(
        np.concatenate([each.value for each in every]),
        np.concatenate([each.without for each in every], axis=1),
        np.concatenate([each.has_items for each in every], axis=1),
        np.concatenate([each.size for each in every]),
        {name: np.tile([row[name] for row in counts], len(measures)) for name in counts[0]},
    )


def over_runs(runs: Sequence[Estimate]) -> Estimate:
    """The mean over training runs of estimates of one category."""
    fewest = np.argmax([each.counts["n_missing"] for each in runs], axis=0)
    return Estimate(
        np.mean([each.value for each in runs], axis=0),
        np.mean([each.without for each in runs], axis=0),
        np.any([each.has_items for each in runs], axis=0),
        np.min([each.size for each in runs], axis=0),
        {name: np.choose(fewest, [each.counts[name] for each in runs]) for name in runs[0].counts},
    )


def summaries(
    found: Mapping[str, Mapping[Key, Estimate]],
    runs: Mapping[Key, Sequence[Key]],
    is_share: bool = True,
) -> Iterator[tuple[str, Key, Summary]]:
    """Every measure with its interval, by category and key: Overall first, means over training runs before them.

    Args:
        found: by category, the estimates of each key; categories may lack keys.
        runs: for each key of a mean over training runs, the keys of the runs.
        is_share: whether measures are from 0 to 1; otherwise they have no bounds.
    """
    with_means = {name: _with_means(own, runs) for name, own in found.items()}
    keys = dict.fromkeys(key for own in with_means.values() for key in own)
    for name in (OVERALL, *found):
        within = list(with_means.values()) if name == OVERALL else [with_means[name]]
        errors = _seed_errors(within, runs, is_share)
        for key in keys:
            parts = [own[key] for own in within if key in own]
            if parts:
                summary = _over_categories(parts, len(within), is_share)
                if key in errors:
                    summary = _widened(summary, *errors[key], is_share)
                yield name, key, summary


def _with_means(
    own: Mapping[Key, Estimate], runs: Mapping[Key, Sequence[Key]]
) -> dict[Key, Estimate]:
    first = {keys[0]: mean for mean, keys in runs.items()}
    result: dict[Key, Estimate] = {}
    for key, each in own.items():
        mean = first.get(key)
        if mean is not None and all(run in own for run in runs[mean]):
            result[mean] = over_runs([own[run] for run in runs[mean]])
        result[key] = each
    return result


def _over_categories(parts: Sequence[Estimate], n_all: int, is_share: bool) -> Summary:
    """The macro-average of the categories' estimates, or the estimate of one; intervals are over questions."""
    values = np.stack([each.value for each in parts])
    defined = ~np.isnan(values)
    n_defined = defined.sum(axis=0)
    n = np.maximum(n_defined, 1)
    value = _mean_of_defined(values)
    sizes = np.stack([np.maximum(each.size, 1) for each in parts])
    sizes = np.where(defined | (n_defined == 0), sizes, np.inf)
    own = np.where(defined, np.stack([each.variance for each in parts]), 0)
    known = ~np.isnan(own)
    # A single unknown variance stays unknown: `intervals.of_share` has its bound.
    bound = intervals.LARGEST_VARIANCE / sizes if is_share else np.nan
    own = np.where(known | (n == 1), own, bound)
    variance = own.sum(axis=0) / n**2
    df = _degrees(own, known, np.where(defined, [each.degrees for each in parts], 0))
    if is_share:
        size, least = n**2 / (1 / sizes).sum(axis=0), n * sizes.min(axis=0)
        low, high = intervals.of_share(value, variance, df, size, least)
    else:
        half = intervals.student(df) * np.sqrt(variance)
        low, high = value - half, value + half
    counts = {
        name: np.sum([each.counts[name] for each in parts], axis=0) for name in parts[0].counts
    }
    unknown_for = [_reasons(column) for column in np.where(known, np.inf, sizes).T]
    return Summary(value, low, high, unknown_for, n_defined, n_all, counts)


def _reasons(sizes: np.ndarray) -> list[IntervalNote]:
    """Why variances are unknown, from the sizes of the categories where they are; others are infinite."""
    unknown = sizes[np.isfinite(sizes)]
    is_one = np.isclose(unknown, 1)
    found = [IntervalNote.ONE_QUESTION] if is_one.any() else []
    return found + ([IntervalNote.UNDEFINED_WITHOUT_ONE_QUESTION] if not is_one.all() else [])


def _degrees(own: np.ndarray, known: np.ndarray, free: np.ndarray) -> np.ndarray:
    """The degrees of freedom of sums of variances (Welch 1947); those that are bounds have no error.

    Args:
        own: float64 [categories, columns], with 0 degrees of freedom where undefined.
    """
    squares = np.where(known, own, 0) ** 2 / np.maximum(free, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        df = own.sum(axis=0) ** 2 / squares.sum(axis=0)
    return np.where(np.isfinite(df), df, np.maximum(free.sum(axis=0), 1))


def _seed_errors(
    within: Sequence[Mapping[Key, Estimate]], runs: Mapping[Key, Sequence[Key]], is_share: bool
) -> dict[Key, tuple[np.ndarray, np.ndarray]]:
    """The standard error of each mean from training seeds, and its degrees of freedom, float64 [columns].

    The variance of shares is pooled over all models whose measure is defined. A model counts once, however many
    aggregations it has. Without bounds, measures of different models may differ by orders of magnitude, and so do
    their variances: each has its own.
    """
    several = {mean: values for mean, keys in runs.items() if len(values := _of_runs(within, keys))}
    if not several:
        return {}
    if not is_share:
        return {
            mean: (
                np.std(own, axis=0, ddof=1) / np.sqrt(len(own)),
                np.full_like(own[0], len(own) - 1),
            )
            for mean, own in several.items()
        }
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
    return {mean: (np.sqrt(pooled / len(own)), df) for mean, own in several.items()}


def _of_runs(within: Sequence[Mapping[Key, Estimate]], runs: Sequence[Key]) -> np.ndarray:
    """Each run's average over the categories in which all runs are defined, float64 [runs, columns]."""
    values = [
        np.stack([own[run].value for run in runs])
        for own in within
        if all(run in own for run in runs)
    ]
    if not values:
        return np.zeros(0)
    stacked = np.stack(values)
    undefined = np.isnan(stacked).any(axis=1, keepdims=True)
    return _mean_of_defined(np.where(undefined, np.nan, stacked))


def _mean_of_defined(values: np.ndarray) -> np.ndarray:
    """The mean along the first axis of values that are not NaN; NaN if there are none."""
    n = (~np.isnan(values)).sum(axis=0)
    return np.asarray(np.nansum(values, axis=0) / np.where(n > 0, n, np.nan))


def _model_of(key: Hashable) -> Hashable:
    return key.model if isinstance(key, Scorer) else key


def _widened(summary: Summary, error: np.ndarray, df: np.ndarray, is_share: bool) -> Summary:
    low, high = intervals.widened(
        summary.value,
        (summary.low, summary.high),
        error,
        df,
        (0, 1) if is_share else (-np.inf, np.inf),
    )
    return replace(summary, low=low, high=high)


def rows_of(
    names: Sequence[str], summary: Summary, without_interval: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Rows of a table: counts, measures with their intervals (None where undefined) and a note on these.

    Args:
        names: the measures; a summary has the columns of the first measure, a column for each row, then those of the
            second, and so on.
        without_interval: those of them that are reported without one.
    """
    n_rows = len(summary.value) // len(names)
    rows = []
    for k in range(n_rows):
        row: dict[str, Any] = {name: int(counts[k]) for name, counts in summary.counts.items()}
        notes: dict[str, list[str]] = {}
        for name, column in zip(names, range(k, len(summary.value), n_rows), strict=True):
            row[name] = _or_none(summary.value[column])
            if name not in without_interval:
                row[f"{name}_low"] = _or_none(summary.low[column])
                row[f"{name}_high"] = _or_none(summary.high[column])
            for note in _notes(summary, column, name not in without_interval):
                notes.setdefault(note, []).append(name)
        row["note"] = "; ".join(f"{note}: {', '.join(of)}" for note, of in notes.items()) or None
        rows.append(row)
    return rows


def _notes(summary: Summary, column: int, has_interval: bool) -> Iterator[str]:
    if has_interval and not np.isnan(summary.value[column]):
        yield from summary.unknown_for[column]
    if 0 < summary.n_categories[column] < summary.n_all_categories:
        yield f"{summary.n_categories[column]} of {summary.n_all_categories} categories"


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
