"""Solutions and rewards of one dataset → accuracy of every selection, and the ledger beside it."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from multirm import tables
from multirm.errors import InputError, shown
from multirm.evaluation.estimate import Estimate, Estimates, Method, estimate, macro_average
from multirm.evaluation.pools import Pools, read_pools
from multirm.evaluation.published import wide_csv
from multirm.files import whole
from multirm.vocabulary import OVERALL, Aggregation, Selection

logger = logging.getLogger(__name__)


def evaluate(
    solutions: list[Path],
    rewards: list[Path],
    aggregation: list[str],
    n: list[int],
    runs: int,
    seed: int,
    output_accuracy: Path,
    output_ledger: Path,
    output_best_of_n: Path,
    output_weighted_vote: Path,
) -> None:
    """Evaluate reward models on one dataset: best-of-N, weighted vote, majority vote and pass@N.

    Args:
        solutions: Solution tables of one dataset. Categories are reported in the order of these.
        rewards: Reward tables of the same solutions, of every model and category.
        aggregation: One `model=aggregation` per model, such as `dPRM=min`. Models are reported in
            the order of these.
        n: Sizes of the subpools to select from.
        runs: Number of random subpools for each question and size.
        seed: Seed of the subpools.
        output_accuracy: Table of accuracies (Parquet), per category and macro-averaged as Overall.
        output_ledger: Table of what is missing (Parquet), per category and model.
        output_best_of_n: Best-of-N accuracies in the published column layout (CSV).
        output_weighted_vote: Weighted-vote accuracies in the published column layout (CSV).
    """
    aggregations = parse_aggregations(aggregation)
    _check_counts(n, runs)
    evaluated = read_pools(solutions, rewards, aggregations)
    if OVERALL in evaluated.pools:
        raise InputError(
            "--solutions", expected=f"no category named {OVERALL}", found="one", remedy="rename it"
        )
    sizes = usable_sizes(evaluated.pools, n)
    estimates = {
        category: estimate(pools, list(aggregations), sizes, runs, seed)
        for category, pools in evaluated.pools.items()
    }
    n_questions = {
        category: sum(len(pools.question_ids) for pools in batches)
        for category, batches in evaluated.pools.items()
    }
    rows = [
        {"dataset": evaluated.dataset, "runs": runs, **row}
        for row in accuracy_rows(estimates, n_questions, aggregations)
    ]
    provenance: dict[str, Any] = {
        "parameters": {"aggregation": aggregation, "n": n, "runs": runs, "seed": seed},
        "inputs": [*solutions, *rewards],
    }
    tables.write(output_accuracy, tables.ACCURACY, rows, **provenance)
    tables.write(output_ledger, tables.LEDGER, evaluated.ledger, **provenance)
    for path, selection in (
        (output_best_of_n, Selection.BEST_OF_N),
        (output_weighted_vote, Selection.WEIGHTED_VOTE),
    ):
        with whole(path) as part:
            part.write_text(wide_csv(rows, selection), encoding="utf-8")


def parse_aggregations(pairs: Sequence[str]) -> dict[str, Aggregation]:
    """`model=aggregation` pairs, in order.

    Raises:
        InputError: not such a pair, an unknown aggregation, or a model given twice.
    """
    result: dict[str, Aggregation] = {}
    for pair in pairs:
        model, equals, name = pair.rpartition("=")
        if not model or not equals:
            raise InputError(
                "--aggregation", expected="model=aggregation, such as dPRM=min", found=shown(pair)
            )
        if name not in list(Aggregation):
            raise InputError(
                f"--aggregation {model}",
                expected=f"one of {', '.join(Aggregation)}",
                found=shown(name),
            )
        if model in result:
            raise InputError("--aggregation", expected="each model once", found=f"{model} again")
        result[model] = Aggregation(name)
    return result


def usable_sizes(pools: Mapping[str, Sequence[Pools]], n: Sequence[int]) -> list[int]:
    """The sizes of subpools that some pool can give; what smaller pools mean for them is logged.

    Raises:
        InputError: no pool is large enough for any of the sizes.
    """
    batches = [batch for category in pools.values() for batch in category]
    largest = max(batch.size for batch in batches)
    usable = [size for size in dict.fromkeys(n) if size <= largest]
    if not usable:
        raise InputError(
            "--n", expected=f"a size up to {largest}, the largest pool's", found=shown(n)
        )
    for size in sorted(set(n) - set(usable)):
        logger.warning("N = %d is left out: the largest pool has %d solutions", size, largest)
    for size in usable:
        short = sum(len(batch.question_ids) for batch in batches if batch.size < size)
        if short:
            logger.warning("N = %d: %d pools are smaller and take part whole", size, short)
    return usable


def accuracy_rows(
    estimates: Mapping[str, Estimates],
    n_questions: Mapping[str, int],
    aggregations: Mapping[str, Aggregation],
) -> list[dict[str, Any]]:
    """The accuracy table's rows, Overall first; its standard deviation is that of the macro average."""
    keys = list(next(iter(estimates.values())))
    overall = {
        key: macro_average([category[key] for category in estimates.values()]) for key in keys
    }
    return [
        {
            "category": category,
            **_method_columns(method, aggregations),
            "n": size,
            **_statistics(estimated[size, method]),
            "n_questions": n_questions.get(category, sum(n_questions.values())),
        }
        for category, estimated in {OVERALL: overall, **estimates}.items()
        for size, method in keys
    ]


def _method_columns(
    method: Method, aggregations: Mapping[str, Aggregation]
) -> dict[str, str | None]:
    return {
        "selection": str(method.selection),
        "model": method.model,
        "aggregation": None if method.model is None else str(aggregations[method.model]),
    }


def _statistics(estimate: Estimate) -> dict[str, float | None]:
    return {
        "accuracy_mean": float(np.mean(estimate.per_run)),
        "accuracy_std": float(np.std(estimate.per_run)),
        "exact": estimate.exact,
    }


def _check_counts(n: Sequence[int], runs: int) -> None:
    if not n or min(n) < 1:
        raise InputError("--n", expected="one or more sizes of at least 1", found=shown(n))
    if runs < 1:
        raise InputError("--runs", expected="at least 1", found=shown(runs))
