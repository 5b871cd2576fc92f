"""How often continuations of solutions' first steps are right, compared with guessing."""

import pyarrow as pa

from multirm.tables.schema import Schema, column, list_of

# Of steps that were continued and after which some continuation gives an answer. What guessing would give is computed
# for each step from its numbers of answers and options, and summed or averaged.
CONTINUATION_SHARES = Schema(
    "continuation_shares",
    1,
    pa.schema(
        [
            # Of the labels.
            column("dataset", pa.string()),
            # Null: all categories together, and questions with any number of options; 0 options for open questions.
            column("category", pa.string(), nullable=True),
            column("n_options", pa.int32(), nullable=True),
            column("n_steps", pa.int32()),
            # Steps that were continued without any answer; they are in none of the other columns.
            column("n_unanswered", pa.int32()),
            # Means over steps: of the probability that a guess is right, and of the share of right answers that is
            # exceeded after a good step.
            column("guessing_rate", pa.float64()),
            column("threshold", pa.float64()),
            # The share of steps with any right answer, of those labelled good, and of both if all answers were guessed.
            column("any_right", pa.float64()),
            column("good", pa.float64()),
            column("any_right_by_guessing", pa.float64()),
            column("good_by_guessing", pa.float64()),
            # Good steps, bad ones and those of which the continuations cannot tell, by their share of right answers,
            # at points that are equally far apart, from 0 to 1: one more than continuations of a step. The last column
            # is how many steps to expect there if all answers were guessed.
            column("n_good_by_share", list_of(pa.int32())),
            column("n_bad_by_share", list_of(pa.int32())),
            column("n_unsure_by_share", list_of(pa.int32())),
            column("n_guessed_by_share", list_of(pa.float64())),
        ]
    ),
    ("dataset", "category", "n_options"),
)
