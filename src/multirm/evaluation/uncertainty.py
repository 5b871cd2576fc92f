"""Entry point `measure_uncertainty`: sources of an accuracy's variance, and accuracy by number of critiques."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product

import numpy as np

from multirm.evaluation import intervals
from multirm.evaluation.critique_subsets import (
    counts_up_to,
    critique_count,
    critique_orders,
    evened,
    with_critiques,
)
from multirm.evaluation.expected import Expected, columns, expected
from multirm.evaluation.inputs import Row, Subsets, choose_subsets, open_evaluation
from multirm.evaluation.methods import Method, Scorer
from multirm.evaluation.options import SelectionOptions
from multirm.evaluation.pools import Category, Pools, lay_out, read_categories
from multirm.evaluation.training_seeds import (
    Means,
    Parts,
    averaged,
    averaged_expected,
    parts_of,
    variance_from_seeds,
)
from multirm.evaluation.variance import (
    Budget,
    CritiqueVariance,
    budget,
    halves,
    variance_from_halves,
)
from multirm.evaluation.weighted_vote import simulation_variance
from multirm.running.arguments import EvaluationFolder, entry
from multirm.tables.accuracy import OVERALL, Selection
from multirm.tables.sql import reading
from multirm.tables.uncertainty import CRITIQUE_COUNTS, VARIANCE

# Number of random subsets of m critiques over which an accuracy at m is averaged.
CHOICES = 4

# Numbers of random halvings of each pool, and of random orders of each solution's critiques.
SPLITS = 4
ORDERS = 2


@entry
@reading("--solutions, --rewards")
def measure_uncertainty(
    options: SelectionOptions,
    output: EvaluationFolder,
) -> None:
    """Split the variance of accuracies into its sources, and compute accuracies by number of critiques.

    Args:
        options: inputs and subsets.
        output: Folder for the tables: variance, with the shares of questions, solutions in the pools and critiques, and
            the variance between training seeds for models with several; and critique_counts, with the accuracy for
            fewer critiques per solution, for models with several.
    """
    opened = open_evaluation(__name__, options)
    subsets = choose_subsets(opened, options)
    categories = {}
    for category in read_categories(opened.database, opened.types, opened.answers):
        for model in opened.models:
            category = evened(category, model)
        categories[category.name] = category
    rows = [
        (VARIANCE, variance_rows(categories, opened.scorers, opened.means, subsets)),
        (CRITIQUE_COUNTS, critique_count_rows(categories, opened.scorers, subsets)),
    ]
    opened.write(output, rows, subsets)


def variance_rows(
    categories: dict[str, Category], scorers: Sequence[Scorer], means: Means, subsets: Subsets
) -> list[Row]:
    """The variance table: a budget for every accuracy, in squared percentage points.

    A model with several training runs has a budget for each run and one for their mean. `seeds` is null if it was
    trained once; for a training run, it is the variance between runs, and for the mean over S runs, 1/S of that.
    """
    parts = parts_of(subsets.n, scorers, means)
    counts = {
        model: min(critique_count(category, model) for category in categories.values())
        for model in dict.fromkeys(scorer.model for scorer in scorers)
    }
    own = [counts[m.scorer.model] if m.scorer else 1 for _, m in columns(subsets.n, scorers)]
    n_critiques = np.array([min(own[place] for place in part) for part in parts.values()])
    found, pools, critiques = {}, {}, {}
    for name, category in categories.items():
        batches = lay_out(category, scorers)
        found[name] = _expected(batches, scorers, subsets)
        pools[name] = np.concatenate(
            [pool_variance(batch, scorers, means, subsets) for batch in batches]
        )
        critiques[name] = _critique_variance(category, scorers, subsets, parts, counts)
    rows = []
    for name in [OVERALL, *categories]:
        within = list(categories) if name == OVERALL else [name]
        accuracies = np.mean([found[part].values.mean(axis=0) for part in within], axis=0)
        whole = budget(
            {part: averaged(found[part].values, parts) for part in within},
            {part: pools[part] for part in within},
            {part: critiques[part] for part in within},
            n_critiques,
            variance_from_seeds(accuracies, parts),
        )
        n_short = averaged(np.sum([found[part].n_short for part in within], axis=0), parts)
        rows += _budget_rows(name, whole, n_short, list(parts))
    return rows


def critique_count_rows(
    categories: dict[str, Category], scorers: Sequence[Scorer], subsets: Subsets
) -> list[Row]:
    """The critique_counts table: accuracies with m of each solution's critiques, up to all of them."""
    rows = []
    for model in dict.fromkeys(scorer.model for scorer in scorers):
        n_critiques = min(critique_count(category, model) for category in categories.values())
        own = [scorer for scorer in scorers if scorer.model == model]
        for m in counts_up_to(n_critiques) if n_critiques > 1 else ():
            found = {
                name: _with_fewer(category, model, m, n_critiques, own, subsets)
                for name, category in categories.items()
            }
            rows += _count_rows(found, m, own, subsets)
    return rows


def _expected(batches: Sequence[Pools], scorers: Sequence[Scorer], subsets: Subsets) -> Expected:
    return expected(batches, subsets.n, scorers, subsets.seed, subsets.runs)


def pool_variance(
    pools: Pools, scorers: Sequence[Scorer], means: Means, subsets: Subsets
) -> np.ndarray:
    """Each question's variance due to its finite pool, from halves of it; NaN if N is over half of it.

    Returns:
        float64 [questions, columns], including columns of means over training runs.
    """
    every = parts_of(subsets.n, scorers, means)
    result = np.full((len(pools.question_ids), len(every)), np.nan)
    half = pools.size // 2
    sizes = [size for size in subsets.n if size <= half]
    if not sizes:
        return result
    orders = halves(pools.keys, pools.size, subsets.seed, SPLITS)

    def found(part: Pools) -> Expected:
        own = expected([part], sizes, scorers, subsets.seed, subsets.runs)
        return averaged_expected(own, parts_of(sizes, scorers, means))

    whole = found(pools)
    a, b = (
        np.stack([found(pools.taken(order[:, places])).values for order in orders])
        for places in (slice(0, half), slice(half, 2 * half))
    )
    known = [size <= half for size, _ in every]
    noise = simulation_variance(whole.standard_errors, subsets.runs)
    result[:, known] = variance_from_halves(whole.values, a, b, noise)
    return result


def _critique_variance(
    category: Category,
    scorers: Sequence[Scorer],
    subsets: Subsets,
    parts: Parts,
    counts: Mapping[str, int],
) -> CritiqueVariance:
    """The variance due to critiques, float64 [questions, columns of `parts`]; NaN for models with fewer than four.

    Args:
        counts: for each model, the number of critiques to use per solution.
    """
    place = {key: k for k, key in enumerate(columns(subsets.n, scorers))}
    n_questions = len(np.unique(category.question_ids.astype(str)))
    shape = ORDERS, n_questions, len(place)
    half, quarter = (np.full((n, *shape), np.nan) for n in (2, 4))
    for model, count in counts.items():
        if count < 4:
            continue
        own = [scorer for scorer in scorers if scorer.model == model]
        orders = critique_orders(category, critique_count(category, model), ORDERS, subsets.seed)
        for values, m in ((half, count // 2), (quarter, count // 4)):
            for subset, k in product(range(len(values)), range(ORDERS)):
                chosen = orders[k][:, subset * m : (subset + 1) * m]
                pools = lay_out(with_critiques(category, model, chosen), own)
                found = _expected(pools, own, subsets)
                for column, key in enumerate(columns(subsets.n, own)):
                    if key[1].scorer:
                        values[subset, k, :, place[key]] = found.values[:, column]
    # Training runs have separate critiques, so their mean also has a smaller variance due to critiques.
    return CritiqueVariance(
        *(averaged(values, parts).var(axis=0, ddof=1).mean(axis=0) for values in (half, quarter))
    )


def _with_fewer(
    category: Category,
    model: str,
    m: int,
    n_critiques: int,
    scorers: Sequence[Scorer],
    subsets: Subsets,
) -> Expected:
    """The expectations with m critiques per solution, averaged over random subsets of them."""
    choices = 1 if m == n_critiques else CHOICES
    orders = critique_orders(category, n_critiques, choices, subsets.seed)
    found = []
    for order in orders:
        pools = lay_out(with_critiques(category, model, order[:, :m]), scorers)
        found.append(_expected(pools, scorers, subsets))
    values = np.mean([each.values for each in found], axis=0)
    return replace(found[0], values=values)


def _budget_rows(
    name: str, found: Budget, n_short: np.ndarray, keys: Sequence[tuple[int, Method]]
) -> list[Row]:
    parts = ("total", "questions", "solutions", "critiques", "seeds")
    rows = []
    for k, (size, method) in enumerate(keys):
        values = {part: 10_000 * float(getattr(found, part)[k]) for part in parts}
        known = {part: None if np.isnan(value) else value for part, value in values.items()}
        row = {"category": name, **method.columns, "n": size, "n_short": int(n_short[k])}
        rows.append({**row, **known})
    return rows


def _count_rows(
    found: dict[str, Expected], m: int, scorers: Sequence[Scorer], subsets: Subsets
) -> list[Row]:
    n_short = {name: part.n_short for name, part in found.items()}
    n_short[OVERALL] = np.sum(list(n_short.values()), axis=0)
    rows = []
    for name in (OVERALL, *found):
        within = found if name == OVERALL else {name: found[name]}
        mean = intervals.mean_of({part: own.values for part, own in within.items()})
        low, high = intervals.of_shares(mean)
        for k, (size, method) in enumerate(columns(subsets.n, scorers)):
            if method.selection in (Selection.BEST_OF_N, Selection.WEIGHTED_VOTE):
                rows.append(
                    {
                        "category": name,
                        **method.columns,
                        "n": size,
                        "n_short": int(n_short[name][k]),
                        "n_critiques": m,
                        "accuracy": 100 * mean.value[k],
                        "accuracy_low": 100 * low[k],
                        "accuracy_high": 100 * high[k],
                        "note": mean.notes[k],
                    }
                )
    return rows
