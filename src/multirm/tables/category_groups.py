"""Accuracies over groups of categories, and their differences from the majority vote."""

import pyarrow as pa

from multirm.tables.schema import Schema, column, ends_of

CATEGORY_GROUPS = Schema(
    "category_groups",
    2,
    pa.schema(
        [
            column("dataset", pa.string()),
            column("group", pa.string()),
            column("selection", pa.string()),
            # Null: the majority vote and pass@N, which need no reward model.
            column("model", pa.string(), nullable=True),
            column("aggregation", pa.string(), nullable=True),
            column("n", pa.int32()),
            # The macro-average over the group's categories in percent, with a 95 % interval over questions and, for
            # means over training runs, seeds.
            column("accuracy", pa.float64()),
            column("accuracy_low", pa.float64(), nullable=True),
            column("accuracy_high", pa.float64(), nullable=True),
            # From the majority vote, in points, with a paired interval. Null for single training runs of a model with
            # several, and without a model.
            column("difference", pa.float64(), nullable=True),
            column("difference_low", pa.float64(), nullable=True),
            column("difference_high", pa.float64(), nullable=True),
            column("p", pa.float64(), nullable=True),
            # Corrected among the tests of the same group, selection and N. All are exploratory: those of comparisons
            # are not corrected for them, nor they for those.
            column("p_holm", pa.float64(), nullable=True),
            column("n_categories", pa.int32()),
            column("n_questions", pa.int32()),
            # IntervalNotes of the accuracy and of the difference.
            column("note", pa.string(), nullable=True),
            column("difference_note", pa.string(), nullable=True),
        ]
    ),
    ("dataset", "group", "selection", "model", "aggregation", "n"),
    older={1: ()},
    renewed=ends_of("accuracy"),
)
