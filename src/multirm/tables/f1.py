"""F1 of verdicts: by threshold, and by the number of critiques; and where the lowest step reward is.

Overall rows are macro-averages over the categories in which a measure is defined. Intervals are 95 % intervals over
questions and, for means over training runs, also over seeds; the counts of such a mean are those of the run with the
most missing items.
"""

import pyarrow as pa

from multirm.tables.schema import Schema, column

_OF_MODEL = [column(name, pa.string()) for name in ("dataset", "category", "model")]
_OF_SCORER = [*_OF_MODEL, column("aggregation", pa.string())]


def _measures(*names: str) -> list[pa.Field]:
    """Measures from 0 to 1 with their intervals; null if undefined."""
    return [
        column(measure, pa.float64(), nullable=True)
        for name in names
        for measure in (name, f"{name}_low", f"{name}_high")
    ]


def _counts(*names: str) -> list[pa.Field]:
    return [column(name, pa.int32()) for name in names]


# Which intervals allow for the largest variance (or are missing, where nothing bounds it), since one question shows
# none or the measure is undefined without one of them, and which averages leave out categories, as in
# `one_question: f1; undefined_without_one_question: precision; 3 of 4 categories: precision`.
_NOTE = column("note", pa.string(), nullable=True)

THRESHOLDS = Schema(
    "thresholds",
    1,
    pa.schema(
        [
            *_OF_SCORER,
            # A solution is predicted correct if its reward is at least this.
            column("threshold", pa.float64()),
            *_counts("n_questions", "n_scored", "n_missing", "n_correct"),
            *_measures("precision", "recall", "f1"),
            _NOTE,
        ]
    ),
    ("dataset", "category", "model", "aggregation", "threshold"),
)

STEP_THRESHOLDS = Schema(
    "step_thresholds",
    1,
    pa.schema(
        [
            *_OF_MODEL,
            # The first step whose reward is below this is predicted to be the first incorrect one.
            column("threshold", pa.float64()),
            *_counts("n_erroneous", "n_correct", "n_missing"),
            *_measures("accuracy_erroneous", "accuracy_correct", "f1"),
            _NOTE,
        ]
    ),
    ("dataset", "category", "model", "threshold"),
)

F1_BY_CRITIQUES = Schema(
    "f1_by_critiques",
    1,
    pa.schema(
        [
            *_OF_SCORER,
            column("n_critiques", pa.int32()),
            *_counts("n_questions", "n_scored", "n_missing", "n_correct"),
            *_measures("f1"),
            _NOTE,
        ]
    ),
    ("dataset", "category", "model", "aggregation", "n_critiques"),
)

MINIMUM_POSITIONS = Schema(
    "minimum_positions",
    1,
    pa.schema(
        [
            *_OF_MODEL,
            # Of correct or of incorrect solutions, with at least two steps.
            column("correct", pa.bool_()),
            *_counts("n_questions", "n_solutions", "n_missing"),
            *_measures("share"),
            # The share if the lowest reward were at a random step.
            column("by_chance", pa.float64(), nullable=True),
            _NOTE,
        ]
    ),
    ("dataset", "category", "model", "correct"),
)
