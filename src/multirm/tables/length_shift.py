"""Lengths of solutions, in steps: those that reward models learn from against those that they are evaluated on."""

from enum import StrEnum

import pyarrow as pa

from multirm.tables.schema import Schema, column, ends_of


class Part(StrEnum):
    """Which solutions lengths are of."""

    TEST = "test"
    """Those that reward models are evaluated on."""
    TRAIN = "train"
    """A training dataset."""
    KEPT = "kept"
    """The solutions of the critiques that filtering kept, once for each critique."""
    SEEN = "seen"
    """The same up to the first incorrect step, which is all that gPRM is shown in training."""


_PART = [
    column("dataset", pa.string()),
    # Overall is the mean over categories.
    column("category", pa.string()),
    # A Part.
    column("part", pa.string()),
    # The training dataset; null for the test solutions.
    column("learned_from", pa.string(), nullable=True),
    # The set and kind of critiques, where they are filtered.
    column("critiques", pa.string(), nullable=True),
    column("kind", pa.string(), nullable=True),
]
_KEY = tuple(field.name for field in _PART)

STEP_COUNTS = Schema(
    "step_counts",
    1,
    pa.schema(
        [
            *_PART,
            column("n_steps", pa.int32()),
            column("n_solutions", pa.int64()),
            column("share", pa.float64()),
        ]
    ),
    (*_KEY, "n_steps"),
)

LENGTH_SHIFT = Schema(
    "length_shift",
    2,
    pa.schema(
        [
            *_PART,
            column("n_questions", pa.int64()),
            column("n_solutions", pa.int64()),
            column("mean_steps", pa.float64()),
            # Wasserstein distance of these lengths from those of the test solutions, in steps, with a 95 %
            # interval over the questions of both; null where one of them has a single question.
            column("distance", pa.float64()),
            column("distance_low", pa.float64(), nullable=True),
            column("distance_high", pa.float64(), nullable=True),
        ]
    ),
    _KEY,
    older={1: ()},
    renewed=ends_of("distance"),
)
