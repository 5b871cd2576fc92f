"""The estimator `versaprm`: VersaPRM's evaluation (arXiv 2502.06737), over the subsets that it draws.

Pools of fewer solutions than the largest N (128 in the paper) are padded with incorrect solutions, each with an answer
of its own and the reward 0. For each N and each of ten seeds, Python's generator is seeded once, and then samples N
solutions of one question after another, in the order of files. All methods select from the same subsets; on ties,
what comes first in the subset wins. Each category, each group of categories, and all questions together start from the
seed anew. (VersaPRM looks up whether an answer is correct in the first solution of the pool that has it. Here, it
matches the reference answer or not, in all solutions alike.)

Padding lowers accuracy at small N, where subsets contain few real solutions: at N = 1, the expected accuracy is that of
a pool's solutions times the share of real ones. As no padding wins against an answer with a positive reward, or one
that occurs twice, it matters less the larger N is.

VersaPRM's data have neither solutions without an answer nor missing rewards. Here, a solution without an answer is
dropped before padding, as VersaPRM drops it when sampling; a missing reward counts as 0, like that of padding. So do
samples that are no solutions, if they are given: a question with no others has a pool of padding, and is answered
incorrectly. VersaPRM's file of chains of thought keeps such a question, too, with an empty list.
"""

import csv
import io
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb
import numpy as np

from multirm.evaluation.expected import columns
from multirm.evaluation.inputs import Row
from multirm.evaluation.methods import Method, Scorer
from multirm.evaluation.pools import OURS, Category
from multirm.evaluation.selection import best_of_n, majority_vote, pass_at_n, weighted_vote
from multirm.evaluation.training_seeds import Parts, averaged
from multirm.reward_models.aggregate import aggregate_lists
from multirm.tables.accuracy import Selection
from multirm.tables.accuracy_over_seeds import ACCURACY_OVER_SEEDS

SEEDS = range(10)

ANSWERS = OURS | {"order": "place, row"}
"""Our comparison of answers, with solutions in the order of files."""

QUESTIONS = "SELECT category, question_id FROM solutions GROUP BY ALL ORDER BY min((place, row))"


@dataclass(frozen=True)
class Padded:
    """Questions with padded pools, in the order in which subsets are drawn for them.

    Attributes:
        places: int [questions], which increase in this order, also across categories.
        n_real: int [questions], the number of solutions that are not padding; they come first.
        sizes: int [questions], the number of solutions with padding.
        answers: int [questions, width], equal if answers to a question are equal; padding equals nothing.
        correct: bool [questions, width].
        rewards: float64 [questions, width] for each scorer.
    """

    places: np.ndarray
    n_real: np.ndarray
    sizes: np.ndarray
    answers: np.ndarray
    correct: np.ndarray
    rewards: Mapping[Scorer, np.ndarray]


def places_of(database: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], int]:
    """The place of each category and question in the order of files, where it first occurs."""
    return {key: place for place, key in enumerate(database.execute(QUESTIONS).fetchall())}


def padded(
    category: Category,
    scorers: Sequence[Scorer],
    places: Mapping[tuple[str, str], int],
    least: int,
    width: int,
) -> Padded:
    """Pad one category's pools to at least `least` solutions.

    Args:
        category: read with `ANSWERS`.
        places: as of `places_of`.
        width: of the arrays, at least the size of any pool.
    """
    own = np.array([places[category.name, name] for name in category.question_ids])
    every, owners = np.unique(own, return_inverse=True)
    kept = category.answers >= 0
    owners = owners[kept]
    n_real = np.bincount(owners, minlength=len(every))
    # Solutions of a question are adjacent, and so are their places in its pool.
    starts = np.flatnonzero(np.r_[True, owners[1:] != owners[:-1]])[: len(owners)]
    counts = np.diff(np.r_[starts, len(owners)])
    at = owners, np.arange(len(owners)) - np.repeat(starts, counts)
    # Codes of answers are below `width`, those of padding are not.
    answers = np.tile(width + np.arange(width), (len(every), 1))
    answers[at] = category.answers[kept]
    correct = np.zeros((len(every), width), dtype=bool)
    correct[at] = category.correct[kept]
    rewards = {}
    for scorer in scorers:
        known = aggregate_lists(category.lists[scorer.model], scorer.aggregation)[kept]
        rewards[scorer] = np.zeros((len(every), width))
        rewards[scorer][at] = np.nan_to_num(known)
    return Padded(every, n_real, np.maximum(n_real, least), answers, correct, rewards)


def joined(parts: Sequence[Padded]) -> Padded:
    """The questions of several categories, in the order of files."""
    places = np.concatenate([part.places for part in parts])
    order = np.argsort(places)
    return Padded(
        places[order],
        np.concatenate([part.n_real for part in parts])[order],
        np.concatenate([part.sizes for part in parts])[order],
        np.concatenate([part.answers for part in parts])[order],
        np.concatenate([part.correct for part in parts])[order],
        {
            scorer: np.concatenate([part.rewards[scorer] for part in parts])[order]
            for scorer in parts[0].rewards
        },
    )


def accuracies(pools: Padded, n: Sequence[int], scorers: Sequence[Scorer]) -> np.ndarray:
    """The accuracy of each column with each seed, float64 [seeds, columns], in percent."""
    found = np.empty((len(SEEDS), len(columns(n, scorers))))
    for row, seed in enumerate(SEEDS):
        right: list[np.ndarray] = []
        for size in n:
            outcomes = _outcomes(pools, drawn(pools.sizes.tolist(), size, seed))
            right += [outcomes[method] for _, method in columns([size], scorers)]
        found[row] = [100 * each.mean() for each in right]
    return found


def drawn(sizes: Sequence[int], n: int, seed: int) -> np.ndarray:
    """Random positions in pools of some sizes, int [questions, n]: the ones that `random.sample` returns."""
    generator = random.Random(seed)
    return np.array([generator.sample(range(size), n) for size in sizes])


def _outcomes(pools: Padded, positions: np.ndarray) -> dict[Method, np.ndarray]:
    """Whether each method's selection is correct, bool [questions], given positions [questions, n]."""

    def taken(values: np.ndarray) -> np.ndarray:
        return np.take_along_axis(values, positions, axis=1)

    answers, correct = taken(pools.answers), taken(pools.correct)
    outcomes = {
        Method(Selection.MAJORITY_VOTE): majority_vote(answers, correct),
        Method(Selection.PASS): pass_at_n(correct),
    }
    for scorer, values in pools.rewards.items():
        rewards = taken(values)
        vote = weighted_vote(answers, correct, rewards)
        outcomes[Method(Selection.BEST_OF_N, scorer)] = best_of_n(correct, rewards)
        outcomes[Method(Selection.WEIGHTED_VOTE, scorer)] = vote
    return outcomes


def rows_of(
    name: str, pools: Padded, parts: Parts, n: Sequence[int], scorers: Sequence[Scorer], least: int
) -> list[Row]:
    """The rows of a category, a group or all questions in the accuracy_over_seeds table.

    A mean over training runs is averaged with each seed. There is no Pass@N, which the protocol does not have.

    Args:
        parts: what is reported of the columns.
        least: as in `padded`.
    """
    with_seeds = averaged(accuracies(pools, n, scorers), parts)
    about = {
        "n_seeds": len(SEEDS),
        "n_questions": len(pools.sizes),
        "n_padded": int((pools.n_real < pools.sizes).sum()),
        "padded_to": least,
        "fill_rate": float((pools.n_real / pools.sizes).mean()),
    }
    return [
        {
            "category": name,
            **method.columns,
            "n": size,
            "accuracy": float(with_seeds[:, k].mean()),
            "minimum_over_seeds": float(with_seeds[:, k].min()),
            "maximum_over_seeds": float(with_seeds[:, k].max()),
            **about,
        }
        for k, (size, method) in enumerate(parts)
        if method.selection is not Selection.PASS
    ]


def as_csv(rows: Sequence[Row]) -> str:
    """Rows of the table as CSV, without the dataset's name; what is missing is empty."""
    text = io.StringIO()
    names = [name for name in ACCURACY_OVER_SEEDS.columns.names if name != "dataset"]
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
