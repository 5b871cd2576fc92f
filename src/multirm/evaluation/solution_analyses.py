"""Entry point `analyse_solutions`: where models are right, by length, after recoveries, and which agree."""

from collections.abc import Mapping

import numpy as np

from multirm.evaluation.agreement import agreement_rows, values_of
from multirm.evaluation.inputs import Opened, Row, choose_sizes, open_evaluation
from multirm.evaluation.lengths import correlation_rows, length_rows
from multirm.evaluation.methods import labels
from multirm.evaluation.options import PoolOptions
from multirm.evaluation.pools import Category, read_categories, read_n_steps
from multirm.evaluation.recoveries import group_rows, recovery_rows
from multirm.evaluation.solution_parts import read_part
from multirm.evaluation.training_seeds import one_per_model
from multirm.running.arguments import EvaluationFolder, entry
from multirm.running.numbers import Count
from multirm.tables.accuracy import MAJORITY_VOTE_NAME
from multirm.tables.solution_analyses import (
    AGREEMENT,
    LENGTH_CORRELATIONS,
    LENGTHS,
    RECOVERIES,
    SOLUTION_GROUPS,
)
from multirm.tables.sql import reading


@entry
@reading("--solutions, --rewards")
def analyse_solutions(
    options: PoolOptions,
    output: EvaluationFolder,
    n: list[Count] | None = None,
) -> None:
    """Analyse where reward models are right: by length, after incorrect steps, and which of them agree.

    Args:
        options: inputs.
        output: Folder for the tables: lengths (F1 by number of steps), length_correlations (between length and gain
            over the majority vote), solution_groups and recoveries (solutions with an incorrect step and a correct
            answer), agreement (which methods answer the same questions).
        n: Sizes of the subsets to select from, of which the largest is used.
    """
    opened = open_evaluation(__name__, options)
    size = max(choose_sizes(opened, n))
    n_steps = read_n_steps(opened.database)
    categories = list(read_categories(opened.database, opened.types, opened.answers))
    values = {category.name: values_of(category, opened, size) for category in categories}
    # Samples that are no solutions have no length and no steps.
    parts = [
        read_part(category.only_complete(), n_steps[category.name][category.complete], opened)
        for category in categories
        if category.complete.any()
    ]
    with_solutions = {
        category.name: _of_questions_with_solutions(category, values[category.name])
        for category in categories
    }
    opened.write(
        output,
        [
            (LENGTHS, length_rows(parts, opened)),
            (LENGTH_CORRELATIONS, correlation_rows(parts, with_solutions, opened, size)),
            (SOLUTION_GROUPS, group_rows(parts)),
            (RECOVERIES, recovery_rows(parts, opened)),
            (AGREEMENT, _agreement(values, opened, size)),
        ],
        n=size,
    )


def _of_questions_with_solutions(
    category: Category, values: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """The values, as of `values_of`, of those questions that some complete solution answers."""
    every, of_complete = (
        np.unique(ids.astype(str))
        for ids in (category.question_ids, category.question_ids[category.complete])
    )
    return {method: own[np.isin(every, of_complete)] for method, own in values.items()}


def _agreement(values: Mapping[str, Mapping[str, np.ndarray]], opened: Opened, n: int) -> list[Row]:
    scorers = labels(one_per_model(opened.scorers, opened.means))
    methods = [*scorers.values(), MAJORITY_VOTE_NAME]
    stacked = {
        category: np.stack([found[method] for method in methods], axis=1)
        for category, found in values.items()
    }
    return [{"n": n, **row} for row in agreement_rows(stacked, methods)]
