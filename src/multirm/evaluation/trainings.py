"""Several trainings of one reward model, which differ in their seed: the mean over them, and how sure it is.

The mean estimates what a model so trained comes to on the average, whatever its seed. Seeds are what
trainings sample, as questions are what a benchmark samples, so the mean's interval is over both: to
each resample of the questions comes a draw of what other seeds would make of the mean. With an
accuracy v for each of S seeds, whose sample variance is s², that is s/√S times a draw from Student's
t with S - 1 degrees of freedom, because s² is itself known from S accuracies only. So two seeds say
little, and their interval says that.

A model's draws are the same for all of its columns and in all categories: one training gives them
all. Those of two models are independent of each other, and a difference of two such means has the
distribution of Behrens and Fisher.

What differs between trainings from question to question is in s², and is resampled with the questions
too. It counts twice, so that intervals are rather too wide than too narrow.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from multirm.evaluation.expected import Expected, columns
from multirm.evaluation.methods import Method, Scorer
from multirm.evaluation.variance import seed_variance
from multirm.randomness import item_generator
from multirm.vocabulary import Selection, mean_name, model_of

Parts = Mapping[tuple[int, Method], list[int]]
"""Columns, each with the places of the trainings' columns that it is the mean of: its own, if it is one of them."""


def trainings_of_means(scorers: Sequence[Scorer]) -> dict[Scorer, list[Scorer]]:
    """The mean of each model that was trained several times, with the trainings."""
    groups: dict[Scorer, list[Scorer]] = {}
    for scorer in scorers:
        mean = Scorer(mean_name(model_of(scorer.model)), scorer.aggregation)
        groups.setdefault(mean, []).append(scorer)
    return {mean: trainings for mean, trainings in groups.items() if len(trainings) > 1}


def with_means(scorers: Sequence[Scorer]) -> list[Scorer]:
    """The scorers with the mean of each model that was trained several times before its first training."""
    firsts = {trainings[0]: mean for mean, trainings in trainings_of_means(scorers).items()}
    return [each for scorer in scorers for each in (firsts.get(scorer), scorer) if each is not None]


def one_per_model(scorers: Sequence[Scorer]) -> list[Scorer]:
    """The scorers with the mean of each model that was trained several times instead of its trainings."""
    several = trainings_of_means(scorers)
    trainings = {training for each in several.values() for training in each}
    return [scorer for scorer in with_means(scorers) if scorer not in trainings]


def parts_of(n: Sequence[int], scorers: Sequence[Scorer]) -> Parts:
    """The columns of the scorers and of the means over them."""
    place = {key: k for k, key in enumerate(columns(n, scorers))}
    several = {
        Method(selection, mean): [Method(selection, training) for training in trainings]
        for mean, trainings in trainings_of_means(scorers).items()
        for selection in Selection
    }
    return {
        (size, method): [place[size, part] for part in several.get(method, [method])]
        for size, method in columns(n, with_means(scorers))
    }


def averaged(values: np.ndarray, parts: Parts) -> np.ndarray:
    """Values of the trainings' columns → those of all columns.

    Args:
        values: [..., trainings' columns].

    Returns:
        float64 [..., columns].
    """
    return np.stack([values[..., part].mean(axis=-1) for part in parts.values()], axis=-1)


def averaged_expected(found: Expected, parts: Parts) -> Expected:
    """The expectations with those of the means. The trainings' simulations, which share their draws, may err alike."""
    return Expected(
        averaged(found.values, parts),
        averaged(found.standard_errors, parts),
        averaged(found.n_short, parts),
    )


def averaged_resamples(
    means: Mapping[str, np.ndarray], accuracies: Mapping[str, np.ndarray], parts: Parts, seed: int
) -> dict[str, np.ndarray]:
    """Resampled means of the trainings' columns → those of all columns, in which seeds are drawn as well.

    Args:
        means: for each category and for Overall, as `bootstrap.resampled_means` gives them.
        accuracies: for each of them float64 [trainings' columns], on the questions themselves.
        seed: the study's. A model's draws depend on it, the model's name, its number of seeds and
            that of resamples only.

    Returns:
        float64 [resamples, columns] for each. Those of a mean may leave the unit's range.
    """
    result = {name: averaged(resampled, parts) for name, resampled in means.items()}
    draws: dict[str, np.ndarray] = {}
    for k, ((_, method), part) in enumerate(parts.items()):
        if method.scorer is None or len(part) < 2:
            continue
        model = method.scorer.model
        for name, resampled in result.items():
            if model not in draws:
                draws[model] = seed_draws(model, len(part), len(resampled), seed)
            own = accuracies[name][part]
            resampled[:, k] += draws[model] @ (own - own.mean())
    return result


def seed_draws(model: str, n_seeds: int, resamples: int, seed: int) -> np.ndarray:
    """Weights of the seeds' deviations from their mean, whose sum is s/√S times a draw from Student's t.

    Returns:
        float64 [resamples, n_seeds].
    """
    generator = item_generator(seed, "trainings", model)
    normal = generator.standard_normal((resamples, n_seeds))
    # The deviations' squares come to (S - 1) s², so the weighted sum of them by `normal` has that variance.
    return np.asarray(
        normal / np.sqrt(n_seeds * generator.chisquare(n_seeds - 1, resamples))[:, None]
    )


def spread_over_seeds(accuracies: np.ndarray, parts: Parts) -> np.ndarray:
    """The sample standard deviation of each mean's trainings, float64 [columns]; NaN of other columns.

    Args:
        accuracies: float64 [trainings' columns].
    """
    spreads = [np.sqrt(len(part) * seed_variance(accuracies[part])) for part in parts.values()]
    return np.array(spreads)


def variance_from_seeds(accuracies: np.ndarray, parts: Parts) -> np.ndarray:
    """The variance of each column from training; NaN where the model was trained once.

    Of a mean it is that of a mean over as many seeds, of a training that of a single one.

    Args:
        accuracies: float64 [trainings' columns].

    Returns:
        float64 [columns], in the squared unit of `accuracies`.
    """
    of_one = np.full(len(accuracies), np.nan)
    for part in parts.values():
        if len(part) > 1:
            of_one[part] = len(part) * seed_variance(accuracies[part])
    return np.array([of_one[part[0]] / len(part) for part in parts.values()])
