"""What merging makes of solutions, by order and by what is kept apart."""

import pyarrow as pa

from multirm.tables.schema import Schema, column

TREE_COUNTS = Schema(
    "tree_counts",
    1,
    pa.schema(
        [
            column("dataset", pa.string()),
            column("category", pa.string()),
            # 0: solutions in the order of their ids; from 1: shuffled, with another seed each.
            column("shuffle", pa.int32()),
            # What merged segments must have in common, such as `numbers`, joined by `+`; empty for nothing.
            column("keep_apart", pa.string()),
            column("n_questions", pa.int32()),
            column("n_solutions", pa.int32()),
            column("n_segments", pa.int32()),
            # Without roots.
            column("n_nodes", pa.int32()),
            # Nodes that several solutions go through.
            column("n_shared_nodes", pa.int32()),
            # Segments that joined a node with another text, and those of them with other numbers or option letters.
            column("n_joined", pa.int32()),
            column("n_joined_other_numbers", pa.int32()),
            column("n_joined_other_options", pa.int32()),
            # Pairs of siblings, as extract-pairs would make.
            column("n_pairs", pa.int32()),
        ]
    ),
    ("dataset", "category", "shuffle", "keep_apart"),
)
