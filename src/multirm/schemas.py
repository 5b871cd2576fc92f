"""What every Parquet table holds: its columns, their types, its key, and what must be true of a row."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from multirm.errors import shown
from multirm.labels import MOST_OPTIONS, option_letters
from multirm.spelling import one_of
from multirm.vocabulary import Deviation, DropReason, IntervalNote, NoReward

Row = Mapping[str, Any]
RowCheck = Callable[[Row], tuple[str, str] | None]


@dataclass(frozen=True)
class Schema:
    """What a table holds.

    Attributes:
        name: also the name of its view in `multirm query`.
        version: rises when columns change meaning.
        columns: names, types and nullability.
        key: the columns whose values no two rows share.
        check_row: says of one row what was expected and what was found where it is wrong.
        at_least_one: what a table without rows lacks, where reading one is refused.
        older: the earlier versions that are read as well, each with the columns that it lacks: they are null.
    """

    name: str
    version: int
    columns: pa.Schema
    key: tuple[str, ...]
    check_row: RowCheck = lambda row: None
    at_least_one: str = ""
    older: Mapping[int, tuple[str, ...]] = field(default_factory=dict)

    def reads(self, version: int) -> bool:
        """Whether tables of a version are read."""
        return version == self.version or version in self.older


def _column(name: str, type_: pa.DataType, nullable: bool = False) -> pa.Field:
    return pa.field(name, type_, nullable=nullable)


def _list(type_: pa.DataType, nullable: bool = False) -> pa.DataType:
    return pa.list_(pa.field("element", type_, nullable=nullable))


_QUESTION_KEY = [_column(name, pa.string()) for name in ("dataset", "category", "question_id")]
_SOLUTION_KEY = [*_QUESTION_KEY, _column("solution_id", pa.int32())]


def _check_solution(row: Row) -> tuple[str, str] | None:
    steps, labels = row["steps"], row["step_labels"]
    if not steps:
        return "at least one step", "none"
    if any(not step.strip() for step in steps):
        return (
            "steps with text",
            f"an empty one at position {[bool(s.strip()) for s in steps].index(False)}",
        )
    if labels is not None and len(labels) != len(steps):
        return "a label for each step", f"{len(labels)} labels and {len(steps)} steps"
    if labels is not None and not set(labels) <= {0, 1}:
        return "step labels 0 or 1", shown(labels)
    if row["outcome"] not in (None, 0, 1):
        return "outcome 0, 1 or null", shown(row["outcome"])
    return None


def _check_question(row: Row) -> tuple[str, str] | None:
    if not row["question"].strip():
        return "a question with text", "an empty one"
    if row["options"] is not None:
        letters = option_letters(len(row["options"]))
        if not 1 <= len(letters) <= MOST_OPTIONS:
            return f"1 to {MOST_OPTIONS} options, or null", str(len(letters) or "none")
        if row["answer"] not in letters:
            return f"an answer among the options {letters[0]}-{letters[-1]}", shown(row["answer"])
    return None


def _check_critique(row: Row) -> tuple[str, str] | None:
    if row["verdict"] not in (None, 0, 1):
        return "verdict 0, 1 or null", shown(row["verdict"])
    if row["kept"] and row["reason"] is not None:
        return "no reason on a kept critique", shown(row["reason"])
    return None


def _check_rewards(row: Row) -> tuple[str, str] | None:
    wrong = [reward for reward in row["rewards"] if _is_no_reward(reward)]
    return ("rewards from 0 to 1, or null", shown(wrong[0])) if wrong else None


def _check_scored(row: Row) -> tuple[str, str] | None:
    reward, reason = row["reward"], row["reason"]
    if _is_no_reward(reward):
        return "a reward from 0 to 1, or null", shown(reward)
    if reward is None and reason not in list(NoReward):
        return f"a reason for the missing reward, {one_of(list(NoReward))}", shown(reason)
    if reward is not None and reason is not None:
        return "no reason beside a reward", shown(reason)
    return None


def _check_interval(row: Row) -> tuple[str, str] | None:
    if row["note"] not in (None, *IntervalNote):
        return f"an interval's note, {one_of(list(IntervalNote))}, or null", shown(row["note"])
    return None


def _is_no_reward(reward: float | None) -> bool:
    return reward is not None and not 0 <= reward <= 1


QUESTIONS = Schema(
    "questions",
    1,
    pa.schema(
        [
            *_QUESTION_KEY,
            _column("question", pa.string()),
            _column("options", _list(pa.string()), nullable=True),
            _column("answer", pa.string(), nullable=True),
        ]
    ),
    ("dataset", "category", "question_id"),
    _check_question,
)

SOLUTIONS = Schema(
    "solutions",
    1,
    pa.schema(
        [
            *_SOLUTION_KEY,
            _column("question", pa.string()),
            _column("answer", pa.string(), nullable=True),
            _column("steps", _list(pa.string())),
            _column("parsed_answer", pa.string(), nullable=True),
            _column("outcome", pa.int8(), nullable=True),
            _column("step_labels", _list(pa.int8()), nullable=True),
        ]
    ),
    ("dataset", "category", "question_id", "solution_id"),
    _check_solution,
    at_least_one="solution",
)

CRITIQUES = Schema(
    "critiques",
    2,
    pa.schema(
        [
            *_SOLUTION_KEY,
            _column("critique_id", pa.int32()),
            _column("critique", pa.string()),
            _column("verdict", pa.int8(), nullable=True),
            _column("step_verdicts", _list(pa.int8()), nullable=True),
            # Of the prompt and of prompt and critique, as it was generated, by the tokenizer that wrote it;
            # null where none did.
            _column("n_prompt_tokens", pa.int32(), nullable=True),
            _column("n_tokens", pa.int32(), nullable=True),
            _column("truncated", pa.bool_()),
            _column("kept", pa.bool_()),
            _column("reason", pa.string(), nullable=True),
            # Where it is not as the prompt asks; null where it was not looked at.
            _column("deviations", _list(pa.string()), nullable=True),
        ]
    ),
    ("dataset", "category", "question_id", "solution_id", "critique_id"),
    _check_critique,
    # What a teacher wrote is worth GPU-months.
    older={1: ("n_prompt_tokens", "deviations")},
)

CRITIQUE_CHECKS = Schema(
    "critique_checks",
    1,
    pa.schema(
        [
            *(_column(name, pa.string()) for name in ("dataset", "category", "kind")),
            *(_column(f"n_{name}", pa.int32()) for name in ("solutions", "critiques", "truncated")),
            *(_column(f"n_kept{name}", pa.int32()) for name in ("", "_solutions", "_yes", "_no")),
            *(_column(f"n_{reason}", pa.int32()) for reason in DropReason),
            # Of those that disagree with the labels, by their own verdict.
            *(_column(f"n_disagreeing_{verdict}", pa.int32()) for verdict in ("yes", "no")),
            # The share, of critiques that were compared with labels, that say the same; null where none was.
            _column("agreement", pa.float64(), nullable=True),
            # Of all critiques that can be read, kept or not.
            *(_column(f"n_{deviation}", pa.int32()) for deviation in Deviation),
            # Of those that are kept: prompt and critique as it was generated, where tokens were counted.
            _column("median_tokens", pa.float64(), nullable=True),
            _column("max_tokens", pa.int32(), nullable=True),
            # Of those that are kept, as they stand in the table.
            _column("median_characters", pa.float64(), nullable=True),
            _column("max_characters", pa.int32(), nullable=True),
        ]
    ),
    ("dataset", "category", "kind"),
)

EXAMPLE_TOKENS = Schema(
    "example_tokens",
    1,
    pa.schema(
        [
            *_SOLUTION_KEY,
            _column("critique_id", pa.int32()),
            _column("kind", pa.string()),
            _column("place", pa.int32()),
            _column("token", pa.int32()),
            # Of the token by itself, which may be a part of a letter.
            _column("text", pa.string()),
            _column("learned", pa.bool_()),
        ]
    ),
    ("dataset", "category", "question_id", "solution_id", "critique_id", "kind", "place"),
)

REWARDS = Schema(
    "rewards",
    1,
    pa.schema(
        [
            *_SOLUTION_KEY,
            _column("model", pa.string()),
            _column("rewards", _list(pa.float32(), nullable=True)),
            _column("n_tokens", pa.int32(), nullable=True),
            _column("truncated", pa.bool_(), nullable=True),
        ]
    ),
    ("dataset", "category", "question_id", "solution_id", "model"),
    _check_rewards,
    at_least_one="reward",
)

SCORED_CRITIQUES = Schema(
    "scored_critiques",
    2,
    pa.schema(
        [
            *_SOLUTION_KEY,
            _column("model", pa.string()),
            _column("critique_id", pa.int32()),
            _column("critique", pa.string()),
            _column("reward", pa.float32(), nullable=True),
            _column("reason", pa.string(), nullable=True),
            _column("n_tokens", pa.int32()),
            _column("truncated", pa.bool_()),
        ]
    ),
    ("dataset", "category", "question_id", "solution_id", "model", "critique_id"),
    _check_scored,
)

CURVES = Schema(
    "curves",
    1,
    pa.schema(
        [
            _column("model", pa.string()),
            _column("step", pa.int32()),
            _column("epoch", pa.float64()),
            _column("loss", pa.float64()),
            _column("learning_rate", pa.float64()),
        ]
    ),
    ("model", "step"),
)

EXAMPLES = Schema(
    "examples",
    1,
    pa.schema(
        [
            _column("model", pa.string()),
            _column("category", pa.string()),
            _column("n_used", pa.int32()),
            _column("n_positive", pa.int32()),
            _column("n_too_long", pa.int32()),
            _column("n_unlabelled", pa.int32()),
        ]
    ),
    ("model", "category"),
)

ACCURACY = Schema(
    "accuracy",
    4,
    pa.schema(
        [
            _column("dataset", pa.string()),
            _column("category", pa.string()),
            _column("estimator", pa.string()),
            _column("selection", pa.string()),
            _column("model", pa.string(), nullable=True),
            _column("aggregation", pa.string(), nullable=True),
            _column("n", pa.int32()),
            _column("accuracy", pa.float64()),
            _column("low", pa.float64(), nullable=True),
            _column("high", pa.float64(), nullable=True),
            _column("standard_error", pa.float64(), nullable=True),
            # Over runs, categories and trainings, with the published estimator; with the exact one over the
            # trainings of a mean.
            _column("std", pa.float64(), nullable=True),
            _column("runs", pa.int32(), nullable=True),
            _column("n_questions", pa.int32()),
            _column("n_short", pa.int32()),
            # An IntervalNote: why there is no interval, or what it rests on besides the spread over questions.
            _column("note", pa.string(), nullable=True),
        ]
    ),
    ("dataset", "category", "estimator", "selection", "model", "aggregation", "n"),
    _check_interval,
)

COMPARISONS = Schema(
    "comparisons",
    2,
    pa.schema(
        [
            _column("dataset", pa.string()),
            _column("category", pa.string()),
            _column("selection", pa.string()),
            _column("model", pa.string()),
            _column("aggregation", pa.string()),
            _column("n", pa.int32()),
            _column("other_selection", pa.string()),
            _column("other_model", pa.string(), nullable=True),
            _column("other_aggregation", pa.string(), nullable=True),
            _column("difference", pa.float64()),
            _column("low", pa.float64(), nullable=True),
            _column("high", pa.float64(), nullable=True),
            _column("p", pa.float64(), nullable=True),
            # Corrected within the family, of which the table has so many: the primary one (Overall, the
            # largest N), and one for each other category, selection and N. Null at N = 1, which is no test.
            _column("p_holm", pa.float64(), nullable=True),
            _column("family", pa.string(), nullable=True),
            _column("n_families", pa.int32()),
            _column("note", pa.string(), nullable=True),
        ]
    ),
    (
        *("dataset", "category", "selection", "model", "aggregation", "n"),
        *("other_selection", "other_model", "other_aggregation"),
    ),
)

_ACCURACY_OF = [
    _column("dataset", pa.string()),
    _column("category", pa.string()),
    _column("selection", pa.string()),
    _column("model", pa.string(), nullable=True),
    _column("aggregation", pa.string(), nullable=True),
    _column("n", pa.int32()),
]

VARIANCE = Schema(
    "variance",
    2,
    pa.schema(
        [
            *_ACCURACY_OF,
            _column("n_short", pa.int32()),
            # Beside the total and no part of it are the seeds: null where a model was trained once, of a
            # training the variance between trainings, of the mean of S of them 1/S of that.
            *(
                _column(name, pa.float64(), nullable=True)
                for name in ("total", "questions", "solutions", "critiques", "seeds")
            ),
        ]
    ),
    ("dataset", "category", "selection", "model", "aggregation", "n"),
)

CRITIQUE_COUNTS = Schema(
    "critique_counts",
    3,
    pa.schema(
        [
            *_ACCURACY_OF,
            _column("n_short", pa.int32()),
            _column("n_critiques", pa.int32()),
            _column("accuracy", pa.float64()),
            _column("low", pa.float64()),
            _column("high", pa.float64()),
            _column("note", pa.string(), nullable=True),
        ]
    ),
    ("dataset", "category", "selection", "model", "aggregation", "n", "n_critiques"),
)

_OF_SCORER = [
    _column("dataset", pa.string()),
    _column("category", pa.string()),
    _column("model", pa.string()),
    _column("aggregation", pa.string()),
]


def _measures(*names: str) -> list[pa.Field]:
    """Measures from 0 to 1 with their 95 % intervals over questions; null where one is not defined."""
    return [
        _column(column, pa.float64(), nullable=True)
        for name in names
        for column in (name, f"{name}_low", f"{name}_high")
    ]


VERIFICATION = Schema(
    "verification",
    2,
    pa.schema(
        [
            *_OF_SCORER,
            *(
                _column(name, pa.int32())
                for name in ("n_questions", "n_scored", "n_missing", "n_correct")
            ),
            *_measures(
                *("precision", "recall", "specificity", "f1"),
                *("roc_auc", "pr_auc", "brier", "ece"),
            ),
            # What the calibration error would be by chance alone, and about what it is without chance.
            _column("ece_null", pa.float64(), nullable=True),
            _column("ece_debiased", pa.float64(), nullable=True),
            # Which measures have an interval that rests on one question.
            _column("note", pa.string(), nullable=True),
        ]
    ),
    ("dataset", "category", "model", "aggregation"),
)

RELIABILITY = Schema(
    "reliability",
    2,
    pa.schema(
        [
            *_OF_SCORER,
            _column("low", pa.float64()),
            _column("high", pa.float64()),
            _column("count", pa.int32()),
            # Null where the bin is empty, as is the share's 95 % interval over questions.
            _column("mean_reward", pa.float64(), nullable=True),
            _column("share_correct", pa.float64(), nullable=True),
            _column("share_low", pa.float64(), nullable=True),
            _column("share_high", pa.float64(), nullable=True),
        ]
    ),
    ("dataset", "category", "model", "aggregation", "low"),
)

STEP_VERIFICATION = Schema(
    "step_verification",
    2,
    pa.schema(
        [
            _column("dataset", pa.string()),
            _column("category", pa.string()),
            _column("model", pa.string()),
            *(
                column
                for part in ("first_error", "all")
                for column in (
                    *(
                        _column(f"{part}_{name}", pa.int32())
                        for name in ("n_scored", "n_missing", "n_correct")
                    ),
                    *_measures(*(f"{part}_{name}" for name in ("roc_auc", "pr_auc", "brier"))),
                    _column(f"{part}_note", pa.string(), nullable=True),
                )
            ),
            *(
                _column(f"process_bench_{name}", pa.int32())
                for name in ("n_erroneous", "n_correct", "n_missing")
            ),
            *_measures(
                *(
                    f"process_bench_{name}"
                    for name in ("accuracy_erroneous", "accuracy_correct", "f1")
                )
            ),
            _column("process_bench_note", pa.string(), nullable=True),
        ]
    ),
    ("dataset", "category", "model"),
)

LEDGER = Schema(
    "ledger",
    4,
    pa.schema(
        [
            _column("dataset", pa.string()),
            _column("category", pa.string()),
            _column("estimator", pa.string()),
            _column("model", pa.string()),
            _column("aggregation", pa.string()),
            _column("n_questions", pa.int32()),
            _column("n_solutions", pa.int32()),
            _column("n_unanswered", pa.int32()),
            # Answers that are no letter, number or formula where the reference is one; null where not looked at.
            _column("n_other_form", pa.int32(), nullable=True),
            _column("n_unscored", pa.int32()),
            _column("n_unscored_pools", pa.int32()),
            _column("n_tied_pools", pa.int32()),
            _column("n_null_rewards", pa.int32()),
            _column("n_truncated", pa.int32(), nullable=True),
        ]
    ),
    ("dataset", "category", "estimator", "model", "aggregation"),
)

PAIRS = Schema(
    "pairs",
    1,
    pa.schema(
        [
            _column("dataset", pa.string()),
            _column("category", pa.string()),
            _column("pair_id", pa.string()),
            _column("model", pa.string()),
            # As the model gives them, a logit perhaps: only which one is higher counts.
            _column("score_chosen", pa.float64(), nullable=True),
            _column("score_rejected", pa.float64(), nullable=True),
        ]
    ),
    ("dataset", "category", "pair_id", "model"),
    at_least_one="pair",
)

PAIRWISE = Schema(
    "pairwise",
    2,
    pa.schema(
        [
            _column("dataset", pa.string()),
            _column("category", pa.string()),
            _column("model", pa.string()),
            _column("n_pairs", pa.int32()),
            _column("n_right", pa.int32()),
            _column("n_tied", pa.int32()),
            _column("n_unscored", pa.int32()),
            # In percent, of the pairs that are scored; null where none is.
            _column("accuracy", pa.float64(), nullable=True),
            _column("low", pa.float64(), nullable=True),
            _column("high", pa.float64(), nullable=True),
            _column("note", pa.string(), nullable=True),
        ]
    ),
    ("dataset", "category", "model"),
)

SCHEMAS = {
    schema.name: schema
    for schema in (
        QUESTIONS,
        SOLUTIONS,
        CRITIQUES,
        CRITIQUE_CHECKS,
        EXAMPLE_TOKENS,
        REWARDS,
        SCORED_CRITIQUES,
        CURVES,
        EXAMPLES,
        ACCURACY,
        COMPARISONS,
        VARIANCE,
        CRITIQUE_COUNTS,
        VERIFICATION,
        RELIABILITY,
        STEP_VERIFICATION,
        LEDGER,
        PAIRS,
        PAIRWISE,
    )
}
