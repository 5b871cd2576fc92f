"""Where reward models are right: by length of solutions, after recoveries, and per set of models.

Overall rows are macro-averages over the categories in which a number is defined. Intervals are 95 % intervals over
questions. Those of F1 and of accepted solutions are also over seeds where a row is a mean over training runs; its
counts are those of the run with the most missing rewards.
"""

from enum import StrEnum

import pyarrow as pa

from multirm.tables.schema import Schema, column, list_of


class SolutionGroup(StrEnum):
    """Solutions by their steps and their answer."""

    ALL = "all"
    RIGHT_STEPS = "right_steps"
    """All steps and the answer are correct."""
    RECOVERY = "recovery"
    """A step is incorrect, and the answer is correct."""
    WRONG_ANSWER = "wrong_answer"


def _with_interval(*names: str) -> list[pa.Field]:
    return [
        column(each, pa.float64(), nullable=True)
        for name in names
        for each in (name, f"{name}_low", f"{name}_high")
    ]


_CATEGORY = [column("dataset", pa.string()), column("category", pa.string())]
# Which intervals allow for the largest variance (or are missing, where nothing bounds it), since one question shows
# none or the measure is undefined without one of them, and which averages leave out categories, as in
# `one_question: f1; undefined_without_one_question: f1; 3 of 4 categories: f1`.
_NOTE = column("note", pa.string(), nullable=True)
_SCORER = [column("model", pa.string()), column("aggregation", pa.string())]


LENGTHS = Schema(
    "lengths",
    2,
    pa.schema(
        [
            *_CATEGORY,
            *_SCORER,
            # Solutions with so many steps, both ends included.
            column("steps_low", pa.int32()),
            column("steps_high", pa.int32()),
            # Of all these solutions; F1 is of those with a reward.
            column("n_questions", pa.int32()),
            column("n_scored", pa.int32()),
            column("n_missing", pa.int32()),
            column("n_correct", pa.int32()),
            *_with_interval("f1"),
            # F1 if all these solutions were predicted correct: it rises with their share of correct ones.
            column("f1_of_yes", pa.float64(), nullable=True),
            _NOTE,
        ]
    ),
    ("dataset", "category", "model", "aggregation", "steps_low"),
    older={1: ("note",)},
)


SOLUTION_GROUPS = Schema(
    "solution_groups",
    2,
    pa.schema(
        [
            *_CATEGORY,
            # A SolutionGroup. Those about steps count only solutions with step labels.
            column("group", pa.string()),
            column("n_questions", pa.int32()),
            column("n_solutions", pa.int32()),
            # Of the solutions with step labels and a correct answer; null for groups that are not among them.
            *_with_interval("share", "mean_steps"),
            _NOTE,
        ]
    ),
    ("dataset", "category", "group"),
    older={1: ("note",)},
)


RECOVERIES = Schema(
    "recoveries",
    2,
    pa.schema(
        [
            *_CATEGORY,
            *_SCORER,
            column("group", pa.string()),
            column("n_scored", pa.int32()),
            column("n_missing", pa.int32()),
            # The share with a reward of at least 0.5.
            *_with_interval("accepted"),
            # F1 if this group, as many as there are wrong answers, were all correct solutions; null for wrong answers.
            *_with_interval("balanced_f1"),
            _NOTE,
        ]
    ),
    ("dataset", "category", "model", "aggregation", "group"),
    older={1: ("note",)},
)


LENGTH_CORRELATIONS = Schema(
    "length_correlations",
    1,
    pa.schema(
        [
            column("dataset", pa.string()),
            *_SCORER,
            column("n", pa.int32()),
            column("n_categories", pa.int32()),
            # Pearson's, over categories, between the mean number of steps and best-of-N's gain over the majority vote;
            # null with fewer than three categories. Its intervals are over questions of these categories, and over
            # categories: how it may be in others.
            *_with_interval("correlation"),
            column("categories_low", pa.float64(), nullable=True),
            column("categories_high", pa.float64(), nullable=True),
        ]
    ),
    ("dataset", "model", "aggregation"),
)


AGREEMENT = Schema(
    "agreement",
    1,
    pa.schema(
        [
            *_CATEGORY,
            column("n", pa.int32()),
            # From 1, by the number of questions.
            column("rank", pa.int32()),
            # Those methods that answer a question correctly more often than not, in the order of `methods`: the
            # majority vote is MV, and a model with several aggregations has its aggregation after its name.
            column("right", list_of(pa.string())),
            column("methods", list_of(pa.string())),
            column("n_questions", pa.int32()),
            *_with_interval("share"),
        ]
    ),
    ("dataset", "category", "rank"),
)
