"""Best-of-N with any number of solutions, from the solutions of one search: what other searches are compared with.

The accuracy of K of a question's solutions is the expectation over all subsets of K (`exact`), so that no luck is in
it. Solutions that the search could not finish, and those without an answer, are in the pools: they cost tokens and are
chosen only if a subset has nothing else, in which case there is no answer.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from multirm.evaluation import exact
from multirm.evaluation.weighted_vote import weighted_vote
from multirm.reward_models.aggregate import ranking, weights_in_pools
from multirm.tables.accuracy import Aggregation
from multirm.tables.rewards import Scale
from multirm.tables.schema import Row
from multirm.tables.search_accuracy import SearchMeasure
from multirm.text.answers import answer_form, spell

# Random orders of each question's solutions, where a weighted vote is too expensive to compute exactly.
_DRAWS = 100
_SEED = 0

TOLERANCE = 0.05
"""Two numbers of tokens are equal if they differ by no more than this share of the search's."""


@dataclass(frozen=True)
class DrawnSolution:
    """A solution of a best-of-N search.

    Attributes:
        rewards: of its steps; None if missing.
        n_tokens: tokens that the policy drew for it.
        answer: as written; None if it is unfinished or gives none.
        is_right: whether its answer is.
    """

    rewards: list[float | None]
    n_tokens: int
    answer: str | None
    is_right: bool


@dataclass(frozen=True)
class ChoiceOptions:
    """How the search chooses.

    Attributes:
        aggregation: of the rewards of a solution's steps.
        scale: what kind of number they are; None if unknown: then there is no weighted vote.
    """

    aggregation: Aggregation
    scale: Scale | None


Question = tuple[Any, ...]


def solutions_of(nodes: Iterable[Row]) -> list[DrawnSolution]:
    """The solutions in one question's tree: a path from its root to each of its leaves.

    Args:
        nodes: rows of the search_nodes table, parents before their children.
    """
    known = {row["node"]: row for row in nodes}
    parents = {row["parent"] for row in known.values()}
    found = []
    for leaf, row in known.items():
        if leaf in parents or row["parent"] is None:
            continue
        path = [row]
        while path[-1]["parent"] != 0:
            path.append(known[path[-1]["parent"]])
        found.append(
            DrawnSolution(
                # A node that only ends a solution has no step, and repeats the reward of the last one.
                [each["reward"] for each in reversed(path) if each["text"]],
                sum(each["n_tokens"] for each in path),
                row["parsed_answer"],
                row["outcome"] == 1,
            )
        )
    return found


@dataclass(frozen=True)
class Baseline:
    """The solutions of some questions, question by question.

    Attributes:
        pools: the solutions of each question, at least one.
        names: of the questions, which seed what is drawn for them.
        options: how the search chooses.
    """

    pools: Sequence[Sequence[DrawnSolution]]
    names: Sequence[str]
    options: ChoiceOptions

    @property
    def largest(self) -> int:
        return max(map(len, self.pools))

    def tokens(self) -> np.ndarray:
        """The expected tokens of K solutions for K = 1 … `largest`, float64 [K, questions]; a smaller pool is whole."""
        means = np.array([np.mean([each.n_tokens for each in pool]) for pool in self.pools])
        sizes = np.array([len(pool) for pool in self.pools])
        return np.minimum(np.arange(1, self.largest + 1)[:, None], sizes) * means

    def values(self, measure: SearchMeasure, n: Sequence[int]) -> np.ndarray | None:
        """The expected correctness of each question with K solutions, float64 [K, questions], in [0, 1].

        None for the weighted vote if the kind of rewards is unknown.

        Args:
            n: each K, from 1 to `largest`.
        """
        if measure is SearchMeasure.WEIGHTED and self.options.scale is None:
            return None
        found = np.empty((len(n), len(self.pools)))
        sizes = np.array([len(pool) for pool in self.pools])
        for size in np.unique(sizes).tolist():
            places = np.flatnonzero(sizes == size)
            own = [min(k, size) for k in n]
            found[:, places] = self._of_size(measure, places.tolist(), own)
        return found

    def _of_size(self, measure: SearchMeasure, places: list[int], n: Sequence[int]) -> np.ndarray:
        pools = [self.pools[place] for place in places]
        correct = np.array([[each.is_right for each in pool] for pool in pools])
        answers = np.array([_codes(pool) for pool in pools])
        match measure:
            case SearchMeasure.COVERED:
                return exact.pass_at_n(correct, n)
            case SearchMeasure.MAJORITY:
                return exact.majority_vote(answers, correct, n)
            case SearchMeasure.BEST:
                ranks = ranking(_lists(pools), self.options.aggregation).reshape(answers.shape)
                # A solution without a reward is a better choice than one without an answer.
                ranks = np.where(np.isnan(ranks), -np.inf, ranks)
                return exact.best_of_n(correct, np.where(answers < 0, np.nan, ranks), n)
            case SearchMeasure.WEIGHTED:
                starts = np.arange(0, answers.size, answers.shape[1])
                weights = weights_in_pools(
                    _lists(pools),
                    self.options.aggregation,
                    starts,
                    self.options.scale or Scale.PROBABILITY,
                ).reshape(answers.shape)
                names = [self.names[place] for place in places]
                votes, _ = weighted_vote(answers, correct, weights, n, names, _SEED, _DRAWS)
                return votes


def matching_size(tokens: np.ndarray, wanted: float) -> tuple[float, float, bool]:
    """The number of solutions with a number of tokens: K, its tokens, and whether these are equal up to `TOLERANCE`.

    K is the nearest from 1 to all solutions; between whole numbers, tokens are linear.

    Args:
        tokens: of K = 1, 2, … solutions, float64 [K], ascending.
        wanted: a number of tokens.
    """
    n = float(np.interp(wanted, tokens, np.arange(1, len(tokens) + 1)))
    found = float(np.interp(n, np.arange(1, len(tokens) + 1), tokens))
    return n, found, abs(found - wanted) <= TOLERANCE * wanted


def _lists(pools: Sequence[Sequence[DrawnSolution]]) -> pa.ListArray:
    return pa.array([each.rewards for pool in pools for each in pool], pa.list_(pa.float64()))


def _codes(pool: Sequence[DrawnSolution]) -> list[int]:
    """Numbers from 0 that are equal if answers are; -1 for none.

    A right answer stands for the reference answer, which says how answers are spelled. Without one, every vote is
    wrong, however they are spelled.
    """
    right = next((each.answer for each in pool if each.is_right and each.answer is not None), None)
    codes: dict[str, int] = {}
    found = []
    for each in pool:
        if each.answer is None:
            found.append(-1)
            continue
        spelled = (
            each.answer.strip() if right is None else spell(each.answer, answer_form(right)).text
        )
        key = "right" if each.is_right else f"wrong: {spelled}"
        found.append(codes.setdefault(key, len(codes)))
    return found


def by_question(rows: Iterable[Row], key: Sequence[str]) -> Mapping[Question, list[Row]]:
    """Rows by the values of their key columns, in the order in which these first occur."""
    found: dict[Question, list[Row]] = {}
    for row in rows:
        found.setdefault(tuple(row[name] for name in key), []).append(row)
    return found
