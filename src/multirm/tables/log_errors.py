"""Log-errors of rewards, ln(reward) - ln(truth), by number of steps: simulated and measured.

Logarithms are natural, so log-errors are in nats. Overall rows are macro-averages over the categories in which a number
is defined. Intervals of measured errors are 95 % intervals over questions and, where a row is a mean over training
runs, seeds; its counts are those of the run with the most missing rewards.
"""

from enum import StrEnum

import pyarrow as pa

from multirm.tables.schema import Schema, column


class Case(StrEnum):
    """A reward model of the simulation: how its steps' errors go together, or that it has a single one."""

    INDEPENDENT = "independent"
    """Process reward model: unbiased, independent errors, the product of step rewards."""
    ANTICORRELATED = "anticorrelated"
    """The same, but an error partly takes back the one before."""
    CORRELATED = "correlated"
    """The same, but all errors of a solution are positively correlated."""
    BIASED = "biased"
    """Independent errors with a mean other than 0."""
    LOWEST = "lowest"
    """Independent errors, but the lowest step reward in place of the product."""
    AVERAGE = "average"
    """Independent errors, but the mean step reward in place of the product."""
    ONE_CRITIQUE = "one_critique"
    """Generative process reward model: independent errors that also vary from critique to critique."""
    TEN_CRITIQUES = "ten_critiques"
    """The same, with the mean of the rewards of ten critiques."""
    MANY_CRITIQUES = "many_critiques"
    """The same, with so many critiques that their mean is about the expected reward."""
    OUTCOME = "outcome"
    """Outcome reward model: one error, whatever the number of steps."""


class BoundKind(StrEnum):
    """Whether an error is at least or at most what a bound says."""

    LOWER = "lower"
    UPPER = "upper"


LOG_ERROR_SIMULATION = Schema(
    "log_error_simulation",
    1,
    pa.schema(
        [
            # A Case.
            column("case", pa.string()),
            column("n_steps", pa.int32()),
            column("n_simulated", pa.int32()),
            column("mean", pa.float64()),
            # Root mean square, and its interval over simulated solutions.
            column("rms", pa.float64()),
            column("rms_low", pa.float64()),
            column("rms_high", pa.float64()),
            # What the root mean square is by the case's distribution of errors, for as many critiques as are simulated;
            # null where no formula is known.
            column("expected", pa.float64(), nullable=True),
            # What a theorem says of any reward model that meets its assumptions; null where none applies. For many
            # critiques, it is the bound of the limit of infinitely many.
            column("bound", pa.float64(), nullable=True),
            # A BoundKind.
            column("bound_kind", pa.string(), nullable=True),
        ]
    ),
    ("case", "n_steps"),
)


def _with_interval(name: str) -> list[pa.Field]:
    return [
        column(each, pa.float64(), nullable=True) for each in (name, f"{name}_low", f"{name}_high")
    ]


_SCORER = [
    column("dataset", pa.string()),
    column("category", pa.string()),
    column("model", pa.string()),
    # Of the rewards of a solution. For step rewards, the product is the one that the theorems are about.
    column("aggregation", pa.string()),
]
_COUNTS = [
    column("n_questions", pa.int32()),
    # Solutions that are correct in every step and have a reward, and those that lack one.
    column("n_scored", pa.int32()),
    column("n_missing", pa.int32()),
    # Among the scored: those with a reward below 1e-6, which is measured as 1e-6.
    column("n_clipped", pa.int32()),
]
# Which intervals are missing, since one question shows no spread or the measure is undefined without one of them, as in
# `one_question: rms` and `undefined_without_one_question: slope`; and which averages leave out categories, as in
# `3 of 4 categories: rms`; at other lengths they may leave out others.
_NOTE = column("note", pa.string(), nullable=True)

LOG_ERRORS = Schema(
    "log_errors",
    1,
    pa.schema(
        [
            *_SCORER,
            # Solutions with so many steps, both ends included.
            column("steps_low", pa.int32()),
            column("steps_high", pa.int32()),
            *_COUNTS,
            *_with_interval("mean"),
            *_with_interval("rms"),
            _NOTE,
        ]
    ),
    ("dataset", "category", "model", "aggregation", "steps_low"),
)

LOG_ERROR_SLOPES = Schema(
    "log_error_slopes",
    1,
    pa.schema(
        [
            *_SCORER,
            *_COUNTS,
            # By how much the absolute log-error grows with each step: the slope of a least-squares line over
            # solutions, in nats per step; null where all solutions have as many steps. Overall is the mean over the
            # categories where it is defined, so it does not compare one category's lengths with another's.
            *_with_interval("slope"),
            _NOTE,
        ]
    ),
    ("dataset", "category", "model", "aggregation"),
)
