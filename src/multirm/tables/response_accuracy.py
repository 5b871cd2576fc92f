"""How often reward models prefer the better responses, their rewards, and how these go with length."""

from enum import StrEnum

import pyarrow as pa

from multirm.tables.schema import Renewal, Schema, column, ends_of
from multirm.tables.solutions import SOLUTION_KEY

LONGER = "longer"
"""The name of a stand-in for a reward model, in every evaluation: the longer response has the higher reward."""


SHORTER = "shorter"
"""The name of another one: the shorter step, or the shorter solution, has the higher reward."""


STAND_INS = (LONGER, SHORTER)
"""What knows nothing but length; no reward model may have these names."""


class Level(StrEnum):
    """What a number is about."""

    SUBSET = "subset"
    SECTION = "section"
    """Subsets that the benchmark reports together."""
    OVERALL = "overall"
    """The benchmark's own mean; null if a part of it is missing."""
    ALL = "all"
    """All comparisons, equally weighted."""


class Ties(StrEnum):
    """What equal rewards are worth."""

    LOST = "lost"
    """Nothing: the chosen response must have the higher reward."""
    SHARED = "shared"
    """A right and a wrong one share the point: a half in a pair, 1/k among k with the highest reward."""


_SCORER = [
    column("dataset", pa.string()),
    column("model", pa.string()),
    column("aggregation", pa.string()),
]
_WITH_INTERVAL = [
    column("value", pa.float64(), nullable=True),
    column("value_low", pa.float64(), nullable=True),
    column("value_high", pa.float64(), nullable=True),
]


RESPONSE_ACCURACY = Schema(
    "response_accuracy",
    2,
    pa.schema(
        [
            *_SCORER,
            # A Benchmark, a Level, and the subset or section.
            column("benchmark", pa.string()),
            column("level", pa.string()),
            column("name", pa.string()),
            # accuracy, or another measure of the benchmark; see docs/benchmarks.md.
            column("measure", pa.string()),
            # A Ties, and whether the benchmark counts equal rewards so.
            column("ties", pa.string()),
            column("is_published", pa.bool_()),
            # How many characters of each response were shown; null if all.
            column("n_shown", pa.int32(), nullable=True),
            # Prompts with a missing reward are left out of all other columns.
            column("n_prompts", pa.int32()),
            column("n_missing", pa.int32()),
            column("n_comparisons", pa.int32()),
            column("n_tied", pa.int32()),
            # In percent, with its 95 % interval over prompts; null if undefined.
            *_WITH_INTERVAL,
        ]
    ),
    ("dataset", "model", "aggregation", "level", "name", "measure", "ties", "n_shown"),
    older={1: ()},
    renewed=ends_of("value"),
)


RESPONSE_REWARDS = Schema(
    "response_rewards",
    2,
    pa.schema(
        [
            *SOLUTION_KEY,
            column("model", pa.string()),
            column("aggregation", pa.string()),
            column("section", pa.string()),
            column("is_chosen", pa.bool_()),
            column("n_shown", pa.int32(), nullable=True),
            column("reward", pa.float64(), nullable=True),
            # Of the response. The tokens are those that the reward model read, of prompt and response; null if unknown.
            column("n_characters", pa.int32()),
            column("n_tokens_read", pa.int32(), nullable=True),
        ]
    ),
    ("dataset", "category", "question_id", "solution_id", "model", "aggregation"),
    older={1: ()},
    renewed=Renewal({"n_tokens": "n_tokens_read"}),
)


class LengthUnit(StrEnum):
    """What length is counted in."""

    CHARACTERS = "characters"
    TOKENS = "tokens"


class Compared(StrEnum):
    """What a correlation is over."""

    RESPONSES = "responses"
    """Rewards and lengths of responses."""
    DIFFERENCES = "differences"
    """Differences of both, between each chosen and each rejected response to a prompt."""


REWARD_LENGTH_CORRELATIONS = Schema(
    "reward_length_correlations",
    1,
    pa.schema(
        [
            *_SCORER,
            # A section, or Overall.
            column("section", pa.string()),
            column("length", pa.string()),
            column("compared", pa.string()),
            column("n", pa.int32()),
            # From -1 to 1, with 95 % intervals over prompts; null if undefined.
            *(
                column(f"{name}{end}", pa.float64(), nullable=True)
                for name in ("pearson", "spearman")
                for end in ("", "_low", "_high")
            ),
        ]
    ),
    ("dataset", "model", "aggregation", "section", "length", "compared"),
)
