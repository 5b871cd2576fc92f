"""Solutions and rewards of one category → pools: joined by DuckDB, laid out as arrays."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from multirm.evaluation.aggregate import aggregate_lists, weights_in_pools
from multirm.evaluation.input_checks import KEY
from multirm.evaluation.methods import Scorer
from multirm.tables.rewards import RewardType
from multirm.tables.sql import literal

logger = logging.getLogger(__name__)

DIGITS = 40

CATEGORIES = "SELECT category FROM solutions GROUP BY category ORDER BY min(place), category"

SOLUTIONS = """
    SELECT
        category,
        question_id,
        CASE
            WHEN {said} IS NULL THEN -1
            ELSE dense_rank() OVER (
                PARTITION BY category, question_id ORDER BY {said} NULLS LAST
            ) - 1
        END AS answer,
        {correct} AS correct,
        answer IS NOT NULL OR outcome IS NOT NULL AS judged,
        step_labels
    FROM solutions
    ORDER BY list_position($categories, category), question_id, {order}
"""

# Ours are strings in one spelling (`spellings`): answers that are the same are equal strings. Solutions are
# in the order of their ids, so that nothing depends on that of the rows in a file. Where there is no
# reference answer, the outcome label tells what is correct.
OURS = {
    "said": "parsed_answer",
    "correct": "coalesce(CASE WHEN answer IS NULL THEN outcome = 1 ELSE parsed_answer = answer END, false)",
    "order": "solution_id",
}

# What Python's strip takes off; SQL's trim alone takes off spaces.
BLANKS = literal("".join(filter(str.isspace, map(chr, range(0x3001)))))

# As published: in the order of the file, letters in either case, and what is no letter from A to J is
# an answer like any other.
LETTER = "'[A-Ja-j]'"
REFERENCES = f"""
    SELECT count(*), count(*) FILTER (regexp_full_match(trim(answer, {BLANKS}), {LETTER}))
    FROM (SELECT any_value(answer) AS answer FROM solutions GROUP BY category, question_id)
"""
TEXT_SAID = f"coalesce(lower(trim(parsed_answer, {BLANKS})), 'n/a')"
LETTER_SAID = (
    f"CASE WHEN regexp_full_match(trim(parsed_answer, {BLANKS}), {LETTER})"
    f" THEN lower(trim(parsed_answer, {BLANKS})) ELSE 'n/a' END"
)
PUBLISHED, PUBLISHED_LETTERS = (
    {"said": said, "correct": f"({said}) = lower(trim(answer, {BLANKS}))", "order": "place, row"}
    for said in (TEXT_SAID, LETTER_SAID)
)

REWARDS = f"""
    SELECT rewards FROM rewards JOIN solutions USING ({KEY})
    WHERE model = $model
    ORDER BY list_position($categories, category), question_id, {{order}}
"""

# Published rewards do not say what was truncated, and then the count is unknown rather than 0.
LEDGER = f"""
    SELECT
        category,
        model,
        count(DISTINCT question_id) AS n_questions,
        count(*) AS n_solutions,
        count(*) FILTER (parsed_answer IS NULL) AS n_unanswered,
        CASE WHEN count(other_form) = count(*) THEN count(*) FILTER (other_form) END AS n_other_form,
        sum(len(rewards) - list_count(rewards)) AS n_null_rewards,
        CASE WHEN count(truncated) = count(*) THEN count(*) FILTER (truncated) END AS n_truncated
    FROM solutions JOIN rewards USING ({KEY})
    GROUP BY category, model
"""


@dataclass(frozen=True)
class Pools:
    """Questions of one category whose pools are of one size.

    Attributes:
        category: of all of them.
        question_ids: one per question, unique in the category.
        answers: int [questions, size], equal where answers are equal; -1 where there is none.
        correct: bool [questions, size].
        rewards: float64 [questions, size] for each scorer; NaN where missing.
    """

    category: str
    question_ids: Sequence[str]
    answers: np.ndarray
    correct: np.ndarray
    rewards: Mapping[Scorer, np.ndarray]

    @property
    def size(self) -> int:
        return int(self.answers.shape[1])

    @property
    def keys(self) -> list[str]:
        """One per question, unique among those of all categories: what is drawn for it is seeded by it."""
        return [f"{self.category}/{question_id}" for question_id in self.question_ids]

    def split(self, questions: int) -> Iterator["Pools"]:
        """The same pools, at most so many questions at a time."""
        for start in range(0, len(self.question_ids), questions):
            part = slice(start, start + questions)
            yield Pools(
                self.category,
                self.question_ids[part],
                self.answers[part],
                self.correct[part],
                {scorer: rewards[part] for scorer, rewards in self.rewards.items()},
            )

    def taken(self, positions: np.ndarray) -> "Pools":
        """Some solutions of each pool, at int [questions, smaller size]."""

        def taken(values: np.ndarray) -> np.ndarray:
            return np.take_along_axis(values, positions, axis=1)

        return Pools(
            self.category,
            self.question_ids,
            taken(self.answers),
            taken(self.correct),
            {scorer: taken(rewards) for scorer, rewards in self.rewards.items()},
        )


@dataclass(frozen=True)
class Category:
    """The solutions of one category, in the order of their keys.

    Attributes:
        question_ids: one per solution.
        answers: int [solutions], equal where answers to a question are equal; -1 where there is none.
        correct: bool [solutions].
        judged: bool [solutions], whether it is known what is correct.
        step_labels: a list, or null, for each solution.
        lists: for each model a list of rewards for each solution.
        types: for each model what its rewards are.
    """

    name: str
    question_ids: np.ndarray
    answers: np.ndarray
    correct: np.ndarray
    judged: np.ndarray
    step_labels: pa.ListArray
    lists: Mapping[str, pa.ListArray]
    types: Mapping[str, RewardType]


def read_categories(
    database: duckdb.DuckDBPyConnection,
    types: Mapping[str, RewardType],
    answers: Mapping[str, str] = OURS,
) -> Iterator[Category]:
    """Each category's solutions, and each model's rewards of them in the same order.

    The database's solutions and rewards match one to one (`input_checks.check_rewards`).

    Args:
        types: what the rewards of each model are.
        answers: how answers are compared: `OURS`, or `published_answers`.
    """
    order = {"categories": [name for (name,) in database.execute(CATEGORIES).fetchall()]}
    table = database.sql(SOLUTIONS.format(**answers), params=order).to_arrow_table()
    table = table.combine_chunks()
    query = REWARDS.format(**answers)
    lists = {
        model: _array(
            database.sql(query, params={"model": model, **order}).to_arrow_table()["rewards"]
        )
        for model in types
    }
    step_labels = _array(table["step_labels"])
    names = ("question_id", "answer", "correct", "judged")
    columns = {name: table[name].to_numpy() for name in names}
    start = 0
    for name, count in zip(*_runs(table["category"]), strict=True):
        part = slice(start, start + count)
        yield Category(
            name,
            columns["question_id"][part],
            columns["answer"][part],
            columns["correct"][part],
            columns["judged"][part],
            step_labels.slice(start, count),
            {model: rewards.slice(start, count) for model, rewards in lists.items()},
            types,
        )
        start += count


def published_answers(database: duckdb.DuckDBPyConnection) -> Mapping[str, str]:
    """How the published evaluation compares answers, which knows the letters A to J and nothing else.

    Where at least half of the reference answers are letters it is followed to the bit: every other
    parsed answer is `N/A`, and a question whose reference is no letter cannot be answered correctly;
    how many there are is logged. Where most are no letters it has nothing to say, and texts are
    compared as they are written, in either case.
    """
    ((n_questions, n_letters),) = database.execute(REFERENCES).fetchall()
    if 2 * n_letters < n_questions:
        if n_letters:
            logger.warning(
                "%d of %d reference answers are letters from A to J: all are compared as texts",
                n_letters,
                n_questions,
            )
        return PUBLISHED
    if n_letters < n_questions:
        logger.warning(
            "%d of %d reference answers are no letters from A to J: in the published protocol "
            "no solution to these questions is correct",
            n_questions - n_letters,
            n_questions,
        )
    return PUBLISHED_LETTERS


def lay_out(category: Category, scorers: Sequence[Scorer], to_the_bit: bool = False) -> list[Pools]:
    """The solutions side by side, those of one question in a row, by the size of their pools.

    Args:
        to_the_bit: leave rewards as they come out. Otherwise those are equal that differ only by the
            order in which the same numbers were added, and products do not underflow.
    """
    ids = category.question_ids
    starts = np.flatnonzero(np.r_[True, ids[1:] != ids[:-1]])
    rewards = {}
    for scorer in scorers:
        lists = category.lists[scorer.model]
        if to_the_bit:
            rewards[scorer] = aggregate_lists(lists, scorer.aggregation)
        else:
            scale = category.types[scorer.model].scale
            weights = weights_in_pools(lists, scorer.aggregation, starts, scale)
            rewards[scorer] = without_rounding_errors(weights)
    sizes = np.diff(np.r_[starts, len(ids)])
    result = []
    for size in np.unique(sizes):
        first = starts[sizes == size]
        rows = first[:, None] + np.arange(size)
        result.append(
            Pools(
                category.name,
                ids[first].tolist(),
                category.answers[rows],
                category.correct[rows],
                {scorer: values[rows] for scorer, values in rewards.items()},
            )
        )
    return result


def without_rounding_errors(values: np.ndarray) -> np.ndarray:
    """The values to 40 binary digits (12 decimal ones); arithmetic errs in the last few of its 53."""
    digits, exponent = np.frexp(values)
    return np.asarray(np.ldexp(np.round(np.ldexp(digits, DIGITS)), exponent - DIGITS))


def count_missing(
    database: duckdb.DuckDBPyConnection,
) -> dict[tuple[str, str], dict[str, int | None]]:
    """What is missing or cut short among each model's rewards in each category."""
    counts = database.sql(LEDGER).to_arrow_table().to_pylist()
    return {(row.pop("category"), row.pop("model")): row for row in counts}


def _runs(column: pa.ChunkedArray) -> tuple[list[str], list[int]]:
    """The values of a sorted column, and how often each stands in it."""
    counts = pc.value_counts(column.combine_chunks())
    return counts.field("values").to_pylist(), counts.field("counts").to_pylist()


def _array(column: pa.ChunkedArray) -> pa.ListArray:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
