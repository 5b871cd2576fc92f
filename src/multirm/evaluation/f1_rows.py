"""Rows of the tables of F1 and of minimum positions: all categories and models, Overall first."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from multirm.evaluation.critique_subsets import (
    counts_up_to,
    critique_count,
    critique_orders,
    evened,
    with_critiques,
)
from multirm.evaluation.estimates import Estimate, over_runs, rows_of, summaries
from multirm.evaluation.inputs import Row
from multirm.evaluation.methods import Scorer
from multirm.evaluation.minimum_positions import OUTCOMES, minimum_estimate
from multirm.evaluation.pools import Category
from multirm.evaluation.step_metrics import LabelledSteps
from multirm.evaluation.thresholds import (
    OUTCOME_MEASURES,
    STEP_MEASURES,
    THRESHOLDS,
    USUAL,
    outcome_estimate,
    step_estimate,
)
from multirm.evaluation.training_seeds import Means, runs_of_means

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
        {"category": name, **scorer.columns, "threshold": threshold, **columns}
        for name, scorer, summary in summaries(found, runs_of_means(scorers, means))
        for threshold, columns in zip(
            THRESHOLDS.tolist(), rows_of(OUTCOME_MEASURES, summary), strict=True
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
        for name, model, summary in summaries(found, means)
        for threshold, columns in zip(
            THRESHOLDS.tolist(), rows_of(STEP_MEASURES, summary), strict=True
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
        for name, scorer, summary in summaries(found, of_means):
            (columns,) = rows_of(("f1",), summary)
            rows.append({"category": name, **scorer.columns, "n_critiques": m, **columns})
    return rows


def minimum_rows(categories: Sequence[Category], models: Sequence[str], means: Means) -> list[Row]:
    """The minimum_positions table."""
    rows = []
    for name, model, summary in summaries(_estimates(categories, models, minimum_estimate), means):
        shares = rows_of(("share", "by_chance"), summary, without_interval=["by_chance"])
        for correct, columns in zip(OUTCOMES, shares, strict=True):
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
    return over_runs(found).only([_F1_AT_USUAL])
