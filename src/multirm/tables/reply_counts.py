"""How many replies of policies and judges could be used, and why the others could not."""

from enum import StrEnum

import pyarrow as pa

from multirm.tables.judgements import JudgementReason
from multirm.tables.samples import SampleReason
from multirm.tables.schema import Schema, column


class ReplyKind(StrEnum):
    """What was asked for."""

    SAMPLE = "sample"
    """A solution to a question."""
    JUDGEMENT = "judgement"
    """The first bad step of a solution."""


REASONS = tuple(dict.fromkeys([*map(str, SampleReason), *map(str, JudgementReason)]))
"""Why a reply cannot be used, whatever was asked for."""

REPLY_COUNTS = Schema(
    "reply_counts",
    1,
    pa.schema(
        [
            # Sampled, or with the judge's labels; and a ReplyKind.
            column("dataset", pa.string()),
            column("kind", pa.string()),
            # Null: all categories together.
            column("category", pa.string(), nullable=True),
            # Questions or solutions that are asked about, and those without any reply that can be used.
            column("n_asked", pa.int32()),
            column("n_without", pa.int32()),
            column("n_replies", pa.int32()),
            column("n_used", pa.int32()),
            # Replies that cannot be used; null where the reason does not occur with this kind.
            *(column(f"n_{reason}", pa.int32(), nullable=True) for reason in REASONS),
            # Replies in use that find no bad step; null for samples.
            column("n_no_bad_step", pa.int32(), nullable=True),
        ]
    ),
    ("dataset", "kind", "category"),
)
