"""Accuracies by VersaPRM's protocol, over ten seeds of random subsets of padded pools."""

import pyarrow as pa

from multirm.tables.schema import Schema, column

ACCURACY_OVER_SEEDS = Schema(
    "accuracy_over_seeds",
    1,
    pa.schema(
        [
            column("dataset", pa.string()),
            # A category, a group of categories, or `accuracy.ALL_QUESTIONS`; in the latter two, each question counts
            # the same.
            column("category", pa.string()),
            column("selection", pa.string()),
            column("model", pa.string(), nullable=True),
            column("aggregation", pa.string(), nullable=True),
            column("n", pa.int32()),
            # In percent: the mean over seeds, and the lowest and the highest accuracy of a seed. These two are no
            # confidence interval: they do not allow for other questions, and the more seeds, the further apart.
            column("accuracy", pa.float64()),
            column("minimum_over_seeds", pa.float64()),
            column("maximum_over_seeds", pa.float64()),
            column("n_seeds", pa.int32()),
            column("n_questions", pa.int32()),
            # Questions with fewer solutions than `padded_to`, filled up with incorrect ones.
            column("n_padded", pa.int32()),
            column("padded_to", pa.int32()),
            # The mean share of real solutions in padded pools, from 0 to 1. At N = 1, the expected accuracy is that of
            # a pool's solutions times its share.
            column("fill_rate", pa.float64()),
        ]
    ),
    ("dataset", "category", "selection", "model", "aggregation", "n"),
)
