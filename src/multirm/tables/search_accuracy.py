"""What searches find at what cost, and what they gain over best-of-N at the same cost."""

from enum import StrEnum

import pyarrow as pa

from multirm.errors import shown
from multirm.tables.schema import Row, Schema, column, ends_of, is_refused


class SearchMeasure(StrEnum):
    """What counts as right: the answer of a final choice, or any finished solution."""

    BEST = "best"
    MAJORITY = "majority"
    WEIGHTED = "weighted"
    COVERED = "covered"
    """The ceiling of every choice."""


def _check_measure(row: Row) -> tuple[str, str] | None:
    if is_refused(lambda: SearchMeasure(row["measure"])):
        return "a measure, such as best", shown(row["measure"])
    return None


COST_COLUMNS = (
    *("policy_generated", "policy_computed", "policy_cached"),
    *("reward_new", "reward_computed", "reward_cached"),
    *("policy_flops", "reward_flops", "seconds"),
)
"""The costs of a search, as the searches table has them."""

_OF = [
    column("dataset", pa.string()),
    column("category", pa.string()),
    column("search", pa.string()),
    # A SearchMethod.
    column("method", pa.string()),
    # A SearchMeasure.
    column("measure", pa.string()),
]


SEARCH_ACCURACY = Schema(
    "search_accuracy",
    2,
    pa.schema(
        [
            *_OF,
            # Of best-of-N: the number of solutions drawn from those of the search, in expectation over all subsets.
            # Null: the search as it ran.
            column("n", pa.int32(), nullable=True),
            # In percent, with 95 % intervals over questions.
            column("accuracy", pa.float64()),
            column("accuracy_low", pa.float64(), nullable=True),
            column("accuracy_high", pa.float64(), nullable=True),
            column("note", pa.string(), nullable=True),
            column("n_questions", pa.int32()),
            # Questions without a reference answer, which are left out.
            column("n_unjudged", pa.int32()),
            # Questions without an answer by this choice: they are wrong. Null for `covered` and with `n`.
            column("n_unanswered", pa.int32(), nullable=True),
            # Of all questions together, as in the searches table; null with `n`.
            *(
                column(name, pa.int64(), nullable=True)
                for name in ("n_finished", "n_overrun", "n_looped", "n_unscored", "n_dropped")
            ),
            # Means per question. Null if one is unknown; with `n`, all but the policy's tokens are.
            *(column(name, pa.float64(), nullable=True) for name in COST_COLUMNS),
        ]
    ),
    ("dataset", "category", "search", "measure", "n"),
    _check_measure,
    older={1: ()},
    renewed=ends_of("accuracy"),
)


SEARCH_GAINS = Schema(
    "search_gains",
    2,
    pa.schema(
        [
            *_OF,
            # The best-of-N search with the same policy and reward model whose solutions are drawn from.
            column("baseline", pa.string()),
            # Tokens that the policy draws for a question, in the mean.
            column("policy_tokens", pa.float64()),
            # How many solutions of the baseline have as many tokens, and how many tokens they have. The nearest number
            # from 1 to all of them; accuracies between whole numbers are interpolated.
            column("baseline_n", pa.float64()),
            column("baseline_tokens", pa.float64()),
            # Whether the two numbers of tokens differ by at most 5 %. Otherwise there is no difference.
            column("is_matched", pa.bool_()),
            # In percent, and their difference in percentage points, paired by question, with its 95 % interval.
            column("accuracy", pa.float64()),
            column("baseline_accuracy", pa.float64(), nullable=True),
            column("difference", pa.float64(), nullable=True),
            column("difference_low", pa.float64(), nullable=True),
            column("difference_high", pa.float64(), nullable=True),
            column("note", pa.string(), nullable=True),
            column("n_questions", pa.int32()),
        ]
    ),
    ("dataset", "category", "search", "measure", "baseline"),
    _check_measure,
    older={1: ()},
    renewed=ends_of("difference"),
)
