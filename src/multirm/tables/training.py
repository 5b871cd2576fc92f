"""What a training run writes beside its model: the loss, validation, and counts of its examples."""

import pyarrow as pa

from multirm.tables.schema import Schema, column

CURVES = Schema(
    "curves",
    1,
    pa.schema(
        [
            column("model", pa.string()),
            column("step", pa.int32()),
            column("epoch", pa.float64()),
            column("loss", pa.float64()),
            column("learning_rate", pa.float64()),
        ]
    ),
    ("model", "step"),
)

_SOLUTIONS = ("n_solutions", "n_too_long", "n_unlabelled")

_MEASURES = (
    *("loss", "accuracy", "precision", "recall", "specificity", "npv"),
    *("f1", "f1_negative", "roc_auc"),
)

VALIDATION = Schema(
    "validation",
    2,
    pa.schema(
        [
            column("model", pa.string()),
            # Updates of the weights before the evaluation; 0 is before training.
            column("step", pa.int32()),
            column("epoch", pa.float64()),
            # Solutions that are evaluated, and those held out that are not, as in the table of examples.
            *(column(name, pa.int32(), nullable=True) for name in _SOLUTIONS),
            # Labelled steps of the former, and the correct ones among them.
            column("n", pa.int64()),
            column("n_positive", pa.int64()),
            # As in `training.step_metrics`; null if undefined.
            *(column(name, pa.float64(), nullable=True) for name in _MEASURES),
            # Whether the trained model has the weights that were evaluated.
            column("is_kept", pa.bool_()),
        ]
    ),
    ("model", "step"),
    older={1: _SOLUTIONS},
)


EXAMPLES = Schema(
    "examples",
    2,
    pa.schema(
        [
            column("model", pa.string()),
            column("category", pa.string()),
            column("n_used", pa.int32()),
            # Null for pairs.
            column("n_positive", pa.int32(), nullable=True),
            column("n_too_long", pa.int32()),
            column("n_unlabelled", pa.int32()),
        ]
    ),
    ("model", "category"),
    older={1: ()},
)
