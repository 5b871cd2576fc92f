"""Which methods answer the same questions correctly."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from multirm.evaluation import exact, intervals
from multirm.evaluation.inputs import Opened
from multirm.evaluation.methods import labels
from multirm.evaluation.pools import Category, lay_out
from multirm.evaluation.solution_parts import reported_scorers
from multirm.evaluation.training_seeds import one_per_model
from multirm.tables.accuracy import MAJORITY_VOTE_NAME, OVERALL


def agreement_rows(
    values: Mapping[str, np.ndarray], methods: Sequence[str]
) -> list[dict[str, Any]]:
    """For each set of methods, how many questions exactly these answer correctly more often than not.

    Sets without questions are left out; the largest come first. Overall's share is the macro-average.

    Args:
        values: for each category float64 [questions, methods], how often each is right, from 0 to 1.
        methods: their names.
    """
    rights = {name: part > 0.5 for name, part in values.items()}
    sets = np.unique(np.concatenate(list(rights.values())), axis=0)
    members = {
        name: (part[:, None, :] == sets).all(axis=2).astype(np.float64)
        for name, part in rights.items()
    }
    rows = []
    for category in (OVERALL, *values):
        within = members if category == OVERALL else {category: members[category]}
        found = intervals.mean_of(within)
        low, high = intervals.of_shares(found)
        counts = np.sum([part.sum(axis=0) for part in within.values()], axis=0).astype(int)
        for rank, k in enumerate(np.argsort(-counts, kind="stable")[: (counts > 0).sum()], start=1):
            rows.append(
                {
                    "category": category,
                    "rank": rank,
                    "right": [methods[place] for place in np.flatnonzero(sets[k]).tolist()],
                    "methods": list(methods),
                    "n_questions": int(counts[k]),
                    "share": float(found.value[k]),
                    "share_low": float(low[k]),
                    "share_high": float(high[k]),
                }
            )
    return rows


def values_of(category: Category, opened: Opened, n: int) -> dict[str, np.ndarray]:
    """How often the majority vote and best-of-N by each model answer each question correctly.

    Returns:
        float64 [questions] for each method, in the order of their ids.
    """
    found: dict[str, list[np.ndarray]] = {}
    question_ids = []
    runs = dict(reported_scorers(opened))
    names = labels(one_per_model(opened.scorers, opened.means))
    for pools in lay_out(category, opened.scorers):
        sizes = [min(n, pools.size)]
        question_ids += list(pools.question_ids)
        of_vote = exact.majority_vote(pools.answers, pools.correct, sizes)[0]
        found.setdefault(MAJORITY_VOTE_NAME, []).append(of_vote)
        own = {
            scorer: exact.best_of_n(pools.correct, pools.ranking(scorer), sizes)[0]
            for scorer in opened.scorers
        }
        for scorer, name in names.items():
            of_runs = [own[run] for run in runs[scorer]]
            found.setdefault(name, []).append(np.mean(of_runs, axis=0))
    order = np.argsort(np.array(question_ids).astype(str))
    return {name: np.concatenate(batches)[order] for name, batches in found.items()}
