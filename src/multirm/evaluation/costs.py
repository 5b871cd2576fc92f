"""What verification costs per question, beside the accuracy that it comes to, and which trade-offs are the best."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import duckdb
import numpy as np

from multirm.evaluation.inputs import Row
from multirm.evaluation.training_seeds import Means
from multirm.tables.accuracy import OVERALL, Selection
from multirm.tables.rewards import COST_COLUMNS

# Sums of integers do not depend on the order of rows; operations are too many for the digits of a float64.
_TOTALS = ", ".join(
    f"sum(try_cast({name} AS HUGEINT))::DOUBLE AS {name}, count(try_cast({name} AS HUGEINT)) AS {name}_known"
    for name in COST_COLUMNS
)
# What is no solution is not scored.
_PER_QUESTION = f"""
    SELECT category, model, any_value(size) AS size, count(scored) AS scored, {_TOTALS}
    FROM (
        SELECT category, question_id, count(*) AS size FROM solutions GROUP BY ALL
    ) CROSS JOIN (
        SELECT DISTINCT model FROM rewards
    ) LEFT JOIN (SELECT *, true AS scored FROM rewards) USING (category, question_id, model)
    GROUP BY category, model, question_id ORDER BY category, model, question_id
"""

_OF_ACCURACY = ("category", "selection", "model", "aggregation", "n")
_KEPT = ("accuracy", "accuracy_low", "accuracy_high", "note", "n_questions")

# Accuracies in percent this close differ by rounding only.
_DIGITS = 9


@dataclass(frozen=True)
class PoolCosts:
    """What the pools of one category cost by one model, by one of `COST_COLUMNS`.

    Attributes:
        sizes: int [questions], of their pools.
        means: float64 [questions], per member of the pool: the mean over the solutions whose cost is known (NaN without
            any), times the share of solutions, since samples that are none cost nothing.
        n_missing: number of solutions whose cost is unknown.
    """

    sizes: np.ndarray
    means: np.ndarray
    n_missing: int

    def of_subsets(self, n: int) -> float:
        """The expected cost of N members of a pool, or of a smaller pool, as the mean over questions with one.

        All members of a pool are equally likely to be among the N. NaN if nothing is known.
        """
        known = ~np.isnan(self.means)
        return (
            float((np.minimum(n, self.sizes) * self.means)[known].mean()) if known.any() else np.nan
        )


Costs = Mapping[tuple[str, str], Mapping[str, PoolCosts]]
"""For each category and model, what its pools cost by each of `COST_COLUMNS`."""


def read_costs(database: duckdb.DuckDBPyConnection) -> Costs:
    """The costs of all solutions in the views of `views.open_inputs`."""
    columns = database.sql(_PER_QUESTION).fetchnumpy()
    keys = list(zip(columns["category"].tolist(), columns["model"].tolist(), strict=True))
    starts = [place for place, key in enumerate(keys) if place == 0 or keys[place - 1] != key]
    parts = [slice(*ends) for ends in pairwise([*starts, len(keys)])]
    return {
        keys[part.start]: {
            name: _pool_costs(
                *(columns[each][part] for each in ("size", "scored", name, f"{name}_known"))
            )
            for name in COST_COLUMNS
        }
        for part in parts
    }


def _pool_costs(
    sizes: np.ndarray, scored: np.ndarray, totals: np.ndarray, known: np.ndarray
) -> PoolCosts:
    totals = np.ma.filled(totals.astype(np.float64), np.nan)
    means = np.where(known > 0, totals / np.maximum(known, 1), np.nan)
    means = np.where(scored > 0, means * (scored / sizes), 0.0)
    return PoolCosts(np.asarray(sizes), means, int((scored - known).sum()))


def cost_rows(accuracies: Sequence[Row], costs: Costs, means: Means) -> list[Row]:
    """The costs table, in the order of the accuracies; the ceiling, which nothing reaches, has no rows.

    Args:
        accuracies: rows of the accuracy table of one dataset.
        means: the names of means over training runs, with the names of their runs, whose costs they average.
    """
    categories = list(dict.fromkeys(category for category, _ in costs))
    rows = [
        {
            **{name: row[name] for name in _OF_ACCURACY},
            **_cost_columns(
                [row["category"]] if row["category"] != OVERALL else categories,
                [] if row["model"] is None else means.get(row["model"], [row["model"]]),
                row["n"],
                costs,
            ),
            **{name: row[name] for name in _KEPT},
        }
        for row in accuracies
        if row["selection"] != Selection.PASS
    ]
    averaged = {run for runs in means.values() for run in runs}
    for name in COST_COLUMNS:
        front = _front(rows, name, averaged)
        rows = [{**row, f"{name}_pareto": front.get(place)} for place, row in enumerate(rows)]
    return rows


def _cost_columns(categories: Sequence[str], models: Sequence[str], n: int, costs: Costs) -> Row:
    """What N solutions cost, on average over categories and training runs; nothing without a model."""
    if not models:
        return dict.fromkeys(COST_COLUMNS, 0.0) | {f"{name}_missing": 0 for name in COST_COLUMNS}
    columns: Row = {}
    for name in COST_COLUMNS:
        parts = [[costs[category, model][name] for model in models] for category in categories]
        cost = float(np.mean([run.of_subsets(n) for runs in parts for run in runs]))
        columns[name] = None if np.isnan(cost) else cost
        # Runs score the same solutions: those of the run with most missing.
        columns[f"{name}_missing"] = sum(max(run.n_missing for run in runs) for runs in parts)
    return columns


def _front(rows: Sequence[Row], name: str, left_out: set[str]) -> dict[int, bool]:
    """Which of the rows with a known cost are on the front of their category, by their places."""
    found: dict[int, bool] = {}
    for category in dict.fromkeys(row["category"] for row in rows):
        places = [
            place
            for place, row in enumerate(rows)
            if row["category"] == category
            and row[name] is not None
            and row["model"] not in left_out
        ]
        chosen = [rows[place] for place in places]
        points = np.array([(row[name], row["accuracy"]) for row in chosen]).reshape(-1, 2)
        found |= dict(zip(places, on_front(points[:, 0], points[:, 1]).tolist(), strict=True))
    return found


def on_front(costs: np.ndarray, accuracies: np.ndarray) -> np.ndarray:
    """Which points no other point dominates by being cheaper or more accurate, and not worse in the other.

    Args:
        costs: float64 [points].
        accuracies: float64 [points], in percent; differences below 1e-9 do not count.

    Returns:
        bool [points]; equal points are on the front together.
    """
    accuracies = np.round(accuracies, _DIGITS)
    cheaper, equally_cheap = costs < costs[:, None], costs == costs[:, None]
    better, equally_good = accuracies > accuracies[:, None], accuracies == accuracies[:, None]
    dominated = (cheaper & (better | equally_good)) | (equally_cheap & better)
    return np.asarray(~dominated.any(axis=1))
