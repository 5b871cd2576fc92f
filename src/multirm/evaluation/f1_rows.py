"""Rows of the tables of F1 and of minimum positions: all categories and models, Overall first."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from multirm.evaluation.critique_subsets import (
    counts_up_to,
    critique_count,
    critique_orders,
    evened,
    with_critiques,
)
from multirm.evaluation.inputs import Row
from multirm.evaluation.macro import Bounded, Estimate, mean_of, summaries
from multirm.evaluation.methods import Scorer
from multirm.evaluation.minimum_positions import OUTCOMES, minimum_estimate
from multirm.evaluation.pools import Category
from multirm.evaluation.step_metrics import LabelledSteps
from multirm.evaluation.thresholds import (
    OUTCOME_MEASURES,
    STEP_MEASURES,
    THRESHOLDS,
    USUAL,
    measured,
    outcome_estimate,
    step_estimate,
)
from multirm.evaluation.training_seeds import Means, runs_of_means
from multirm.tables.accuracy import IntervalNote

Key = TypeVar("Key", str, Scorer)

# Random choices of m critiques that F1 at m is averaged over.
CHOICES = 4

# Of the columns of an outcome estimate.
_F1_AT_USUAL = OUTCOME_MEASURES.index("f1") * len(THRESHOLDS) + USUAL


def threshold_rows(
    categories: Sequence[Category], scorers: Sequence[Scorer], means: Means
) -> list[Row]:
    """The thresholds table."""
    found = _estimates(categories, scorers, outcome_estimate)
    return [
        {"category": name, **_scorer(scorer), "threshold": threshold, **columns}
        for name, scorer, bounded in summaries(found, runs_of_means(scorers, means))
        for threshold, columns in zip(
            THRESHOLDS.tolist(), _by_column(OUTCOME_MEASURES, bounded), strict=True
        )
    ]


def step_threshold_rows(
    steps: Mapping[str, Mapping[str, LabelledSteps]], means: Means
) -> list[Row]:
    """The step_thresholds table.

    Args:
        steps: by category and model, for the models with step rewards that are probabilities.
    """
    found = {
        name: {model: step_estimate(each) for model, each in own.items()}
        for name, own in steps.items()
        if own
    }
    return [
        {"category": name, "model": model, "threshold": threshold, **columns}
        for name, model, bounded in summaries(found, means)
        for threshold, columns in zip(
            THRESHOLDS.tolist(), _by_column(STEP_MEASURES, bounded), strict=True
        )
    ]


def critique_rows(
    categories: Sequence[Category], scorers: Sequence[Scorer], means: Means, seed: int
) -> list[Row]:
    """The f1_by_critiques table: F1 at 0.5 with m of each solution's critiques, up to all of them."""
    rows = []
    of_means = runs_of_means(scorers, means)
    counts = {each: min(critique_count(own, each.model) for own in categories) for each in scorers}
    for m in sorted({m for count in counts.values() if count > 1 for m in counts_up_to(count)}):
        able = [each for each in scorers if 1 < counts[each] >= m]
        found = {
            own.name: {
                scorer: estimate
                for scorer in able
                if (estimate := _with_fewer(own, scorer, m, counts[scorer], seed))
            }
            for own in categories
        }
        for name, scorer, bounded in summaries(found, of_means):
            (columns,) = _by_column(("f1",), bounded)
            rows.append({"category": name, **_scorer(scorer), "n_critiques": m, **columns})
    return rows


def minimum_rows(categories: Sequence[Category], models: Sequence[str], means: Means) -> list[Row]:
    """The minimum_positions table."""
    rows = []
    for name, model, bounded in summaries(_estimates(categories, models, minimum_estimate), means):
        shares = _by_column(("share", "by_chance"), bounded)
        for correct, columns in zip(OUTCOMES, shares, strict=True):
            del columns["by_chance_low"], columns["by_chance_high"]
            rows.append({"category": name, "model": model, "correct": correct, **columns})
    return rows


def _estimates(
    categories: Sequence[Category],
    keys: Sequence[Key],
    estimate: Callable[[Category, Key], Estimate | None],
) -> dict[str, dict[Key, Estimate]]:
    return {
        category.name: {key: found for key in keys if (found := estimate(category, key))}
        for category in categories
    }


def _with_fewer(
    category: Category, scorer: Scorer, m: int, n_critiques: int, seed: int
) -> Estimate | None:
    """F1 at 0.5 with m critiques per solution, averaged over choices of them."""
    category = evened(category, scorer.model)
    choices = 1 if m == n_critiques else CHOICES
    orders = critique_orders(category, n_critiques, choices, seed)
    fewer = [with_critiques(category, scorer.model, order[:, :m]) for order in orders]
    found = [each for one in fewer if (each := outcome_estimate(one, scorer))]
    if not found:
        return None
    mean, at = mean_of(found), [_F1_AT_USUAL]
    counts = {name: own[at] for name, own in mean.counts.items()}
    return Estimate(mean.value[at], mean.without[:, at], mean.size[at], counts)


def _scorer(scorer: Scorer) -> Row:
    return {"model": scorer.model, "aggregation": str(scorer.aggregation)}


def _by_column(names: tuple[str, ...], bounded: Bounded) -> list[Row]:
    """Measures with their intervals and counts as columns of rows: one row for each threshold, or whatever else."""
    values, low, high, known = (
        measured(names, each)
        for each in (bounded.value, bounded.low, bounded.high, bounded.is_known)
    )
    rows = []
    for k in range(len(values[names[0]])):
        row: Row = {name: int(count[k]) for name, count in bounded.counts.items()}
        for name in names:
            row[name] = _or_none(values[name][k])
            row[f"{name}_low"], row[f"{name}_high"] = (
                _or_none(bound[name][k]) for bound in (low, high)
            )
        alone = [name for name in names if row[name] is not None and not known[name][k]]
        row["note"] = f"{IntervalNote.ONE_QUESTION}: {', '.join(alone)}" if alone else None
        rows.append(row)
    return rows


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
