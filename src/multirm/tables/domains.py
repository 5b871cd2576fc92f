"""Reward models trained on several categories against those trained on one, or on all of theirs but one."""

from enum import StrEnum

import pyarrow as pa

from multirm.tables.schema import Schema, column, ends_of


class Domain(StrEnum):
    """What the other model was trained on: the category tested, another one, or all of the first one's but this."""

    IN_DOMAIN = "in_domain"
    OUT_OF_DOMAIN = "out_of_domain"
    HELD_OUT = "held_out"


DOMAINS = Schema(
    "domains",
    3,
    pa.schema(
        [
            column("dataset", pa.string()),
            # The category tested on; Overall is the mean over the `n_categories` that have such models.
            column("category", pa.string()),
            column("selection", pa.string()),
            # Trained on several categories.
            column("model", pa.string()),
            column("aggregation", pa.string()),
            column("n", pa.int32()),
            # A Domain.
            column("domain", pa.string()),
            # Of the same kind and backbone, trained on one category; null for the mean over several models. In the
            # domain held_out, trained on all categories of `model` but the one tested, of which `trained_on` is null.
            column("other_model", pa.string(), nullable=True),
            column("trained_on", pa.string(), nullable=True),
            column("accuracy", pa.float64()),
            column("other_accuracy", pa.float64()),
            # Of the accuracies, in percentage points, with a 95 % interval paired over questions.
            column("difference", pa.float64()),
            column("difference_low", pa.float64(), nullable=True),
            column("difference_high", pa.float64(), nullable=True),
            column("p", pa.float64(), nullable=True),
            # Corrected within the family: as in comparisons, but among the rows of this table.
            column("p_holm", pa.float64(), nullable=True),
            column("family", pa.string()),
            column("n_categories", pa.int32()),
            column("n_questions", pa.int64()),
            # The number of evaluated models that are in no comparison because their kind or training categories are
            # unknown; the same in all rows.
            column("n_unknown_models", pa.int32(), nullable=True),
            column("note", pa.string(), nullable=True),
        ]
    ),
    (
        *("dataset", "category", "selection", "model", "aggregation", "n"),
        *("domain", "other_model"),
    ),
    older={1: ("n_unknown_models",), 2: ()},
    renewed=ends_of("difference"),
)
