"""Accuracies of selections, and what an accuracy is measured for."""

from enum import StrEnum

import pyarrow as pa

from multirm.errors import shown
from multirm.tables.response_accuracy import STAND_INS
from multirm.tables.reward_models import Kind
from multirm.tables.schema import Row, Schema, column, ends_of, is_refused

OVERALL = "Overall"
"""The category name of the macro-average over categories; no category may have it."""

ALL_QUESTIONS = "all questions"
"""The category name of the mean over all questions, of which each counts the same: unlike `OVERALL`."""


# The names of these two in Multi-RM's CSV files.
MAJORITY_VOTE_NAME = "MV"


MAJORITY_VOTE = "majority vote"
"""What comparisons call the majority vote in place of a reward model."""


PASS_NAME = "Pass@N"


RESERVED_NAMES = (MAJORITY_VOTE_NAME, MAJORITY_VOTE, PASS_NAME, OVERALL, *STAND_INS)
"""Names that tables and figures use for something else; no reward model may have them."""


class Aggregation(StrEnum):
    """How a list of rewards becomes the solution's reward."""

    LAST = "last"
    MIN = "min"
    MAX = "max"
    MEAN = "mean"
    PROD = "prod"
    POSITION_WEIGHTED_MEAN = "position_weighted_mean"
    NORMALISED_POSITION_WEIGHTED_MEAN = "normalised_position_weighted_mean"
    DYNAMIC = "dynamic"
    MIN_DELTA = "min_delta"
    MAX_DELTA = "max_delta"

    @property
    def is_probability(self) -> bool:
        """Whether it turns probabilities into a number from 0 to 1; a delta is from -1 to 1."""
        return self not in (Aggregation.MIN_DELTA, Aggregation.MAX_DELTA)


DEFAULT_AGGREGATION = {
    Kind.DORM: Aggregation.LAST,
    Kind.DPRM: Aggregation.MIN,
    Kind.GORM: Aggregation.MEAN,
    Kind.GPRM: Aggregation.MEAN,
    # What pairs of whole answers compare. OpenPRM's main results use it; the minimum was better by a point, but was
    # chosen on the same benchmark.
    Kind.PAIRWISE: Aggregation.LAST,
}
"""The aggregation with which Multi-RM (arXiv 2510.00492) evaluates each kind, and OpenPRM its own."""


class Estimator(StrEnum):
    """How the accuracy of a selection is estimated: `exact` is the expectation over all subsets of N,
    `paper` the mean over random ones, and `versaprm` the same as VersaPRM's paper draws them, from padded pools.
    `openprm` is the expectation that the mean over OpenPRM's draws estimates, with the error that few draws would have.
    """

    EXACT = "exact"
    PAPER = "paper"
    VERSAPRM = "versaprm"
    OPENPRM = "openprm"

    @property
    def takes_scores(self) -> bool:
        """Whether rewards may be scores without bounds; others vote with probabilities, as their papers do."""
        return self in (Estimator.EXACT, Estimator.OPENPRM)


class Selection(StrEnum):
    """How a pool becomes one answer. `PASS` is the ceiling: correct if any solution is."""

    BEST_OF_N = "best_of_n"
    WEIGHTED_VOTE = "weighted_vote"
    MAJORITY_VOTE = "majority_vote"
    PASS = "pass"

    @property
    def needs_rewards(self) -> bool:
        return self in (Selection.BEST_OF_N, Selection.WEIGHTED_VOTE)


class IntervalNote(StrEnum):
    """Why an interval is missing, or is based on something else than the spread over its questions."""

    ONE_QUESTION = "one_question"
    UNDEFINED_WITHOUT_ONE_QUESTION = "undefined_without_one_question"
    SINGLE_QUESTIONS = "single_questions"
    NO_SPREAD = "no_spread"
    NOTHING_TO_SELECT = "nothing_to_select"
    PUBLISHED = "published"

    @property
    def meaning(self) -> str:
        """The note as a clause for readers."""
        return {
            IntervalNote.ONE_QUESTION: "one question shows no spread: its interval allows for the largest possible",
            IntervalNote.UNDEFINED_WITHOUT_ONE_QUESTION: "undefined without one of the questions, so its spread is"
            " unknown: its interval allows for the largest possible",
            IntervalNote.SINGLE_QUESTIONS: "some categories have one question each, which shows no spread:"
            " the interval allows for the largest possible there",
            IntervalNote.NO_SPREAD: "where all questions came out alike, the interval allows"
            " for one that would not have",
            IntervalNote.NOTHING_TO_SELECT: "N = 1 leaves nothing to select, so all methods are the same",
            IntervalNote.PUBLISHED: "the estimator paper has a standard deviation over runs, but no interval",
        }[self]


def _check_interval(row: Row) -> tuple[str, str] | None:
    note = row["note"]
    if note is not None and is_refused(lambda: IntervalNote(note)):
        return "an interval's note, such as one_question, or null", shown(note)
    return None


ACCURACY = Schema(
    "accuracy",
    5,
    pa.schema(
        [
            column("dataset", pa.string()),
            column("category", pa.string()),
            column("estimator", pa.string()),
            column("selection", pa.string()),
            column("model", pa.string(), nullable=True),
            column("aggregation", pa.string(), nullable=True),
            column("n", pa.int32()),
            column("accuracy", pa.float64()),
            column("accuracy_low", pa.float64(), nullable=True),
            column("accuracy_high", pa.float64(), nullable=True),
            column("standard_error", pa.float64(), nullable=True),
            # With the estimator paper, over runs, categories and training runs; with the exact one, over the
            # training runs of a mean; with openprm, of one draw.
            column("std", pa.float64(), nullable=True),
            column("runs", pa.int32(), nullable=True),
            column("n_questions", pa.int32()),
            column("n_short", pa.int32()),
            # An IntervalNote: why there is no interval, or what it is based on besides the spread over questions.
            column("note", pa.string(), nullable=True),
        ]
    ),
    ("dataset", "category", "estimator", "selection", "model", "aggregation", "n"),
    _check_interval,
    older={4: ()},
    renewed=ends_of("accuracy"),
)
