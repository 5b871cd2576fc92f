"""Entry point `evaluate_searches`: accuracies of searches with their costs, and gains over best-of-N at equal cost.

The cost that is made equal is the number of tokens that the policy draws, in the mean over questions. The baseline is a
best-of-N search with the same policy and reward model, of whose solutions as many are drawn as have that many tokens
(`search_baseline`). Differences are paired by question.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from multirm.evaluation import intervals
from multirm.evaluation.inputs import Row
from multirm.evaluation.openprm import doublings
from multirm.evaluation.search_baseline import Baseline, matching_size
from multirm.evaluation.search_runs import Baselines, Run, read_baselines, read_runs
from multirm.running.arguments import EvaluationFolder, entry
from multirm.running.provenance import origin_of
from multirm.tables import parquet
from multirm.tables.accuracy import OVERALL
from multirm.tables.search_accuracy import (
    COST_COLUMNS,
    SEARCH_ACCURACY,
    SEARCH_GAINS,
    SearchMeasure,
)
from multirm.tables.searches import SearchMethod

MEASURES = (
    SearchMeasure.BEST,
    SearchMeasure.MAJORITY,
    SearchMeasure.WEIGHTED,
    SearchMeasure.COVERED,
)
_COUNTS = ("n_finished", "n_overrun", "n_looped", "n_unscored", "n_dropped")
_WITHOUT_COUNTS = dict.fromkeys(("n_unanswered", *_COUNTS))


@entry
def evaluate_searches(
    searches: list[Path], output: EvaluationFolder, search_nodes: list[Path] | None = None
) -> None:
    """Report the accuracy of searches beside their costs, and what they gain over best-of-N with as many tokens.

    Args:
        searches: searches tables of one dataset: several searches of the same questions.
        output: Folder for the tables: search_accuracy and search_gains.
        search_nodes: search_nodes tables, at least those of best-of-N searches, with which others are compared.

    Raises:
        InputError: searches of different questions or datasets, nodes that do not belong to them, or none.
    """
    runs, dataset = read_runs(searches)
    nodes = search_nodes or []
    baselines = read_baselines(runs, nodes)
    rows = [
        (SEARCH_ACCURACY, [*_accuracies(runs), *_scaled_accuracies(runs, baselines)]),
        (SEARCH_GAINS, gain_rows(runs, baselines)),
    ]
    origin = origin_of(__name__, {}, [*searches, *nodes])
    parquet.write_together(
        [
            (
                output / f"{schema.name}.parquet",
                schema,
                [{"dataset": dataset, **row} for row in own],
            )
            for schema, own in rows
        ],
        origin,
    )


def _accuracies(runs: Sequence[Run]) -> list[Row]:
    """The rows of the search_accuracy table for searches as they ran."""
    rows = []
    for run in runs:
        for measure in MEASURES:
            values = {name: run.right(name, measure)[:, None] for name in run.categories}
            for category, within in _parts(run.categories).items():
                of = [row for name in within for row in run.of(name)]
                counts: Row = {name: sum(row[name] for row in of) for name in _COUNTS}
                unanswered = None
                if measure is not SearchMeasure.COVERED:
                    unanswered = sum(row[f"{measure}_answer"] is None for row in of)
                rows.append(
                    {
                        **_key(run, category, measure),
                        "n": None,
                        **_accuracy({name: values[name] for name in within}),
                        "n_unjudged": sum(run.n_unjudged[name] for name in within),
                        "n_unanswered": unanswered,
                        **counts,
                        **{name: _mean_cost(run, within, name) for name in COST_COLUMNS},
                    }
                )
    return rows


def _scaled_accuracies(runs: Sequence[Run], baselines: Mapping[str, Baselines]) -> list[Row]:
    """The rows for fewer solutions of best-of-N searches."""
    rows = []
    for run in runs:
        own = baselines.get(run.name)
        if own is None:
            continue
        for category, within in _parts(run.categories).items():
            largest = max(own[name].largest for name in within)
            sizes = [size for size in doublings(largest) if size < largest]
            tokens = _tokens([own[name] for name in within])
            for measure in MEASURES if sizes else ():
                found = {name: _values(own[name], measure, sizes) for name in within}
                for k, size in enumerate(sizes):
                    values = {name: v[k][:, None] for name, v in found.items() if v is not None}
                    if values:
                        rows.append(
                            {
                                **_key(run, category, measure),
                                "n": size,
                                **_accuracy(values),
                                "n_unjudged": sum(run.n_unjudged[name] for name in within),
                                **_WITHOUT_COUNTS,
                                **dict.fromkeys(COST_COLUMNS),
                                "policy_generated": float(tokens[size - 1]),
                            }
                        )
    return rows


def gain_rows(runs: Sequence[Run], baselines: Mapping[str, Baselines]) -> list[Row]:
    """The search_gains table: each other search against the best-of-N search of its models with the most tokens."""
    rows = []
    for run in runs:
        candidates = [
            other
            for other in runs
            if other.name in baselines and other.name != run.name and other.models == run.models
        ]
        if run.method == SearchMethod.BEST_OF_N or not candidates:
            continue
        baseline = max(candidates, key=lambda each: sum(map(each.tokens, each.categories)))
        for measure in MEASURES:
            for category, within in _parts(run.categories).items():
                own = {name: baselines[baseline.name][name] for name in within}
                gain = _gain(run, own, measure)
                row = {**_key(run, category, measure), "baseline": baseline.name, **gain}
                rows.append(row)
    return rows


def _gain(run: Run, baselines: Baselines, measure: SearchMeasure) -> Row:
    """What a search gains over best-of-N with as many tokens, in the mean over some categories."""
    wanted = float(np.mean([run.tokens(name) for name in baselines]))
    n, tokens, is_matched = matching_size(_tokens(list(baselines.values())), wanted)
    right = {name: run.right(name, measure)[:, None] for name in baselines}
    found: dict[str, Any] = {
        "policy_tokens": wanted,
        "baseline_n": n,
        "baseline_tokens": tokens,
        "is_matched": is_matched,
        "accuracy": 100 * float(np.mean([own.mean() for own in right.values()])),
        **dict.fromkeys(
            ("baseline_accuracy", "difference", "difference_low", "difference_high", "note")
        ),
        "n_questions": sum(map(len, right.values())),
    }
    others = {name: _interpolated(own, measure, n) for name, own in baselines.items()}
    if not is_matched or any(other is None for other in others.values()):
        return found
    differences = {name: right[name] - others[name] for name in baselines}
    mean = intervals.mean_of(differences)
    low, high = intervals.of_differences(mean, intervals.typical_size(differences))
    return found | {
        "baseline_accuracy": found["accuracy"] - 100 * float(mean.value[0]),
        "difference": 100 * float(mean.value[0]),
        "difference_low": _percent(low[0]),
        "difference_high": _percent(high[0]),
        "note": mean.notes[0],
    }


def _interpolated(baseline: Baseline, measure: SearchMeasure, n: float) -> np.ndarray | None:
    """The expected correctness with a number of solutions that need not be whole, float64 [questions, 1]."""
    below = int(np.floor(n))
    found = _values(baseline, measure, [below, below + 1])
    if found is None:
        return None
    return np.asarray(((1 - (n - below)) * found[0] + (n - below) * found[1])[:, None])


def _values(baseline: Baseline, measure: SearchMeasure, n: Sequence[int]) -> np.ndarray | None:
    """The expected correctness for each number of solutions, all of them if it is larger."""
    return baseline.values(measure, [min(size, baseline.largest) for size in n])


def _tokens(baselines: Sequence[Baseline]) -> np.ndarray:
    """The expected tokens of K = 1, 2, … solutions, in the mean over categories, float64 [K]."""
    largest = max(each.largest for each in baselines)
    means = [each.tokens().mean(axis=1) for each in baselines]
    return np.mean([np.pad(own, (0, largest - len(own)), mode="edge") for own in means], axis=0)


def _parts(categories: Sequence[str]) -> dict[str, list[str]]:
    """The categories that each name in the tables stands for."""
    return {OVERALL: list(categories), **{name: [name] for name in categories}}


def _key(run: Run, category: str, measure: SearchMeasure) -> Row:
    names = {"category": category, "search": run.name, "method": run.method}
    return {**names, "measure": str(measure)}


def _accuracy(values: Mapping[str, np.ndarray]) -> Row:
    """The mean of [questions, 1] over categories, with its interval over questions, in percent."""
    mean = intervals.mean_of(values)
    low, high = intervals.of_shares(mean)
    return {
        "accuracy": _percent(mean.value[0]),
        "accuracy_low": _percent(low[0]),
        "accuracy_high": _percent(high[0]),
        "note": mean.notes[0],
        "n_questions": sum(map(len, values.values())),
    }


def _mean_cost(run: Run, categories: Sequence[str], name: str) -> float | None:
    """The mean over categories of a cost per question; None if one is unknown."""
    means = []
    for category in categories:
        values = [row[name] for row in run.of(category)]
        if any(value is None for value in values):
            return None
        means.append(float(np.mean(values)))
    return float(np.mean(means))


def _percent(value: float) -> float | None:
    return None if np.isnan(value) else 100 * float(value)
