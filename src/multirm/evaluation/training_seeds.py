"""Several training runs of one reward model, with different seeds: their mean and its interval.

The mean estimates the average accuracy over training seeds. Training runs sample seeds, as a benchmark samples
questions, so the mean's interval is over both: the interval over questions is widened by the variance between seeds.

The variance between seeds is estimated from all models of a study together, for each category, selection and N,
assuming that it is the same for all models. Two seeds of one model would say next to nothing (Student's t with 1 degree
of freedom, ±12.7 standard errors); two seeds of each of four models are enough (4 degrees, ±2.8). If models differ,
intervals of those with a higher variance are too narrow, and the others' too wide; the column `std` has each model's
own standard deviation.

Differences between training runs that vary by question are also part of the variance over questions. They are counted
twice, so intervals tend to be too wide rather than too narrow.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from multirm.evaluation.expected import Expected, columns
from multirm.evaluation.methods import Method, Scorer
from multirm.evaluation.variance import seed_variance
from multirm.tables.accuracy import Selection

Parts = Mapping[tuple[int, Method], list[int]]
"""Columns, each with the indices of the training runs' columns that it averages; just its own for a training run."""


Means = Mapping[str, Sequence[str]]
"""The names of means over training runs, with the names of their runs."""


def runs_of_means(scorers: Sequence[Scorer], means: Means) -> dict[Scorer, list[Scorer]]:
    """The mean of each model with several training runs, and the runs, for each of their aggregations."""
    mean_of = {run: mean for mean, runs in means.items() for run in runs}
    groups: dict[Scorer, list[Scorer]] = {}
    for scorer in scorers:
        if scorer.model in mean_of:
            mean = Scorer(mean_of[scorer.model], scorer.aggregation)
            groups.setdefault(mean, []).append(scorer)
    return groups


def with_means(scorers: Sequence[Scorer], means: Means) -> list[Scorer]:
    """The scorers; the mean of a model with several training runs is inserted before its first run."""
    firsts = {runs[0]: mean for mean, runs in runs_of_means(scorers, means).items()}
    return [each for scorer in scorers for each in (firsts.get(scorer), scorer) if each is not None]


def one_per_model(scorers: Sequence[Scorer], means: Means) -> list[Scorer]:
    """The scorers; for a model with several training runs, the mean replaces its runs."""
    averaged_runs = {run for runs in runs_of_means(scorers, means).values() for run in runs}
    return [scorer for scorer in with_means(scorers, means) if scorer not in averaged_runs]


def parts_of(n: Sequence[int], scorers: Sequence[Scorer], means: Means) -> Parts:
    """The columns of the scorers and of the means over them."""
    place = {key: k for k, key in enumerate(columns(n, scorers))}
    several = {
        Method(selection, mean): [Method(selection, run) for run in runs]
        for mean, runs in runs_of_means(scorers, means).items()
        for selection in Selection
    }
    return {
        (size, method): [place[size, part] for part in several.get(method, [method])]
        for size, method in columns(n, with_means(scorers, means))
    }


def averaged(values: np.ndarray, parts: Parts) -> np.ndarray:
    """Values of all columns, including means, from those of the training runs' columns.

    Args:
        values: [..., columns of training runs].

    Returns:
        float64 [..., columns].
    """
    return np.stack([values[..., part].mean(axis=-1) for part in parts.values()], axis=-1)


def averaged_expected(found: Expected, parts: Parts) -> Expected:
    """The expectations, including those of means. Standard errors are averaged: simulations share draws."""
    return Expected(
        averaged(found.values, parts),
        averaged(found.standard_errors, parts),
        averaged(found.n_short, parts),
    )


def variance_of_means(accuracies: np.ndarray, parts: Parts) -> np.ndarray:
    """The variance between training seeds of each mean over training runs, pooled over models; 0 for other columns.

    Args:
        accuracies: float64 [columns of training runs].

    Returns:
        float64 [columns], in the squared unit of `accuracies`.
    """
    weights: dict[tuple[int, Selection], float] = {}
    sums: dict[tuple[int, Selection], float] = {}
    n_scorers = _n_scorers(parts)
    for (size, method), part in parts.items():
        if len(part) > 1 and method.scorer:
            where = size, method.selection
            # A model counts once, however many aggregations it has.
            weight = (len(part) - 1) / n_scorers[method.scorer.model]
            weights[where] = weights.get(where, 0.0) + weight
            own = float(accuracies[part].var(ddof=1))
            sums[where] = sums.get(where, 0.0) + weight * own
    return np.array(
        [
            sums[size, method.selection] / weights[size, method.selection] / len(part)
            if len(part) > 1
            else 0.0
            for (size, method), part in parts.items()
        ]
    )


def seed_degrees(parts: Parts) -> int:
    """The degrees of freedom of `variance_of_means`; 0 if every model was trained once."""
    models = {
        method.scorer.model: len(part) - 1
        for (_, method), part in parts.items()
        if method.scorer and len(part) > 1
    }
    return sum(models.values())


def _n_scorers(parts: Parts) -> dict[str, int]:
    """The number of aggregations of each model."""
    scorers = {method.scorer for _, method in parts if method.scorer}
    models = [scorer.model for scorer in scorers]
    return {model: models.count(model) for model in models}


def spread_over_seeds(accuracies: np.ndarray, parts: Parts) -> np.ndarray:
    """The sample standard deviation over each mean's training runs, float64 [columns]; NaN for other columns.

    Args:
        accuracies: float64 [columns of training runs].
    """
    spreads = [np.sqrt(len(part) * seed_variance(accuracies[part])) for part in parts.values()]
    return np.array(spreads)


def variance_from_seeds(accuracies: np.ndarray, parts: Parts) -> np.ndarray:
    """The variance of each column between training seeds; NaN if the model was trained once.

    For a mean, it is the variance of a mean over that many seeds; for a training run, that of a single seed.

    Args:
        accuracies: float64 [columns of training runs].

    Returns:
        float64 [columns], in the squared unit of `accuracies`.
    """
    of_one = np.full(len(accuracies), np.nan)
    for part in parts.values():
        if len(part) > 1:
            of_one[part] = len(part) * seed_variance(accuracies[part])
    return np.array([of_one[part[0]] / len(part) for part in parts.values()])
