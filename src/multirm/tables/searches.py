"""Searches: for each question what was found, which answers are chosen, and what it cost."""

from enum import StrEnum

import pyarrow as pa

from multirm.errors import shown
from multirm.tables.questions import QUESTION_KEY
from multirm.tables.schema import Row, Schema, column, is_refused


class SearchMethod(StrEnum):
    """How a search spends its next tokens."""

    BEST_OF_N = "best_of_n"
    """Whole solutions, independent of each other."""
    BEAM_SEARCH = "beam_search"
    """Process beam search: the best steps of each level go on."""
    DIVERSE_BEAM_SEARCH = "diverse_beam_search"
    """Independent subtrees, of each of which the best step of a level goes on."""
    REBASE = "rebase"
    """Each step goes on as often as its share of the softmax of rewards says."""
    PARTICLE_FILTERING = "particle_filtering"
    """Steps are resampled by their rewards."""
    MCTS = "mcts"
    """Monte-Carlo tree search: the step with the highest upper confidence bound goes on."""


class NodeValue(StrEnum):
    """How MCTS values a step."""

    REWARD = "reward"
    """By its rewards so far."""
    ROLLOUT = "rollout"
    """By the rewards of a whole solution that goes on from it."""


class FinalChoice(StrEnum):
    """How one answer is chosen from the finished solutions of a search."""

    BEST = "best"
    """That of the solution with the highest reward."""
    MAJORITY = "majority"
    """The most frequent one."""
    WEIGHTED = "weighted"
    """The one with the highest sum of rewards."""


# Costs depend on what runs beside a question, and on what is in caches; answers and counts of ends do not.
CURRENCIES = (
    column("policy_generated", pa.int64()),
    # Tokens of prompts and earlier steps that the policy computed, and found in its cache. Null: not known.
    column("policy_computed", pa.int64(), nullable=True),
    column("policy_cached", pa.int64(), nullable=True),
    # Tokens that any reader must read, or write in critiques, at least once to give the same rewards; and those that
    # were computed or written, and found in a cache.
    column("reward_new", pa.int64()),
    column("reward_computed", pa.int64()),
    column("reward_cached", pa.int64()),
    # By the formula of `models.flops`, of computed and generated tokens. Null where it does not apply.
    column("policy_flops", pa.float64(), nullable=True),
    column("reward_flops", pa.float64(), nullable=True),
    # The time of the rounds in which the question took part, shared among questions by their tokens.
    column("seconds", pa.float64()),
)


def _check_search(row: Row) -> tuple[str, str] | None:
    if is_refused(lambda: SearchMethod(row["method"])):
        return "a method, such as beam_search", shown(row["method"])
    outcomes = ("best_outcome", "majority_outcome", "weighted_outcome", "covered")
    wrong = [row[name] for name in outcomes if row[name] not in (None, 0, 1)]
    return ("outcomes 0, 1 or null", shown(wrong[0])) if wrong else None


SEARCHES = Schema(
    "searches",
    1,
    pa.schema(
        [
            # The name of the search.
            column("search", pa.string()),
            *QUESTION_KEY,
            # A SearchMethod.
            column("method", pa.string()),
            # The solutions by SearchEnd, and the steps from which the search did not go on though it could have.
            column("n_finished", pa.int32()),
            column("n_overrun", pa.int32()),
            column("n_looped", pa.int32()),
            column("n_unscored", pa.int32()),
            column("n_dropped", pa.int32()),
            # For each FinalChoice, the answer, null if no finished solution gives one; and its outcome, then 0, or null
            # if the reference answer is unknown.
            column("best_answer", pa.string(), nullable=True),
            column("best_outcome", pa.int8(), nullable=True),
            column("majority_answer", pa.string(), nullable=True),
            column("majority_outcome", pa.int8(), nullable=True),
            column("weighted_answer", pa.string(), nullable=True),
            column("weighted_outcome", pa.int8(), nullable=True),
            # Whether the answer of any finished solution is right: the ceiling of every choice.
            column("covered", pa.int8(), nullable=True),
            *CURRENCIES,
        ]
    ),
    ("search", "dataset", "category", "question_id"),
    _check_search,
)
