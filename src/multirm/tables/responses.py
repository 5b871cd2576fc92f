"""Responses of reward-model benchmarks: which responses to a prompt are the better ones.

The texts are in a solutions table with the same keys, so that whatever scores solutions scores responses. Responses
with the same key but for `solution_id`, and the same `n_shown`, are compared with each other.
"""

from enum import StrEnum

import pyarrow as pa

from multirm.errors import shown
from multirm.tables.schema import Row, Schema, column, is_refused
from multirm.tables.solutions import SOLUTION_KEY


class Benchmark(StrEnum):
    """Whose files responses come from, and with whose rules they are evaluated."""

    REWARDBENCH = "rewardbench"
    REWARDBENCH_2 = "rewardbench_2"
    RM_BENCH = "rm_bench"
    JUDGEBENCH = "judgebench"
    EVALBIASBENCH = "evalbiasbench"
    LLMBAR = "llmbar"
    ULTRAFEEDBACK = "ultrafeedback"
    ULTRAFEEDBACK_BINARIZED = "ultrafeedback_binarized"
    HELPSTEER3 = "helpsteer3"
    PPE_PREFERENCE = "ppe_preference"
    PPE_CORRECTNESS = "ppe_correctness"
    PRM800K = "prm800k"


class Style(StrEnum):
    """How a response of RM-Bench is written."""

    CONCISE = "concise"
    DETAILED = "detailed"
    MARKDOWN = "markdown"


TIES = "ties"
"""The subset of RewardBench 2 in which several responses are right; an id is `ref:1` or `tied:1`."""

REWARDBENCH_SECTIONS = {
    "chat": {
        "alpacaeval-easy": 100,
        "alpacaeval-length": 95,
        "alpacaeval-hard": 95,
        "mt-bench-easy": 28,
        "mt-bench-med": 40,
    },
    "chat_hard": {
        "mt-bench-hard": 37,
        "llmbar-natural": 100,
        "llmbar-adver-neighbor": 134,
        "llmbar-adver-gptinst": 92,
        "llmbar-adver-gptout": 47,
        "llmbar-adver-manual": 46,
    },
    "safety": {
        "refusals-dangerous": 100,
        "refusals-offensive": 100,
        "xstest-should-refuse": 154,
        "xstest-should-respond": 250,
        "donotanswer": 136,
    },
    "reasoning": {
        "math-prm": 984,
        "hep-cpp": 164,
        "hep-go": 164,
        "hep-java": 164,
        "hep-js": 164,
        "hep-python": 164,
        "hep-rust": 164,
    },
}
"""RewardBench's sections, and the weight of each subset in its section: the published number of prompts, except that
math-prm (447 prompts) weighs as much as the six kinds of code together."""

PRIOR_SETS = "prior_sets"
"""RewardBench's fifth section, of older test sets: it weighs half as much as each of the others, if it is there."""

PRIOR_SUBSETS = ("anthropic_helpful", "anthropic_hhh", "shp", "summarize")


def _check_response(row: Row) -> tuple[str, str] | None:
    if is_refused(lambda: Benchmark(row["benchmark"])):
        return "a benchmark, such as rewardbench", shown(row["benchmark"])
    if row["style"] is not None and is_refused(lambda: Style(row["style"])):
        return "a style, such as concise, or null", shown(row["style"])
    if row["margin"] is not None and not row["margin"] > 0:
        return "a margin above 0, or null", shown(row["margin"])
    if row["n_shown"] is not None and row["n_shown"] < 1:
        return "at least 1 character shown, or null", shown(row["n_shown"])
    return None


# The category is the benchmark's subset.
RESPONSES = Schema(
    "responses",
    1,
    pa.schema(
        [
            *SOLUTION_KEY,
            # A Benchmark.
            column("benchmark", pa.string()),
            # What the benchmark reports several subsets as, or the subset.
            column("section", pa.string()),
            column("is_chosen", pa.bool_()),
            # A Style, in RM-Bench.
            column("style", pa.string(), nullable=True),
            # How much better the better responses are, on the benchmark's own scale; null if it has none.
            column("margin", pa.float64(), nullable=True),
            # How many characters of each response are shown; null if all are.
            column("n_shown", pa.int32(), nullable=True),
        ]
    ),
    ("dataset", "category", "question_id", "solution_id"),
    _check_response,
    at_least_one="response",
)
