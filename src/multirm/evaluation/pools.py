"""The pools of one category as arrays, with solutions and rewards joined by DuckDB."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from multirm.evaluation.input_checks import KEY
from multirm.evaluation.methods import Scorer
from multirm.reward_models.aggregate import (
    aggregate_lists,
    weights_in_pools,
    without_rounding_errors,
)
from multirm.tables.rewards import RewardType
from multirm.tables.sql import graded_answer, literal

logger = logging.getLogger(__name__)

CATEGORIES = "SELECT category FROM solutions GROUP BY category ORDER BY min(place), category"

SOLUTIONS = """
    SELECT
        category,
        question_id,
        CASE
            WHEN {parsed} IS NULL THEN -1
            ELSE dense_rank() OVER (
                PARTITION BY category, question_id ORDER BY {parsed} NULLS LAST
            ) - 1
        END AS answer,
        {correct} AS correct,
        answer IS NOT NULL OR outcome IS NOT NULL AS judged,
        complete,
        step_labels
    FROM solutions
    ORDER BY list_position($categories, category), question_id, {order}
"""

OF_STEPS = """
    SELECT category, {column} FROM solutions
    ORDER BY list_position($categories, category), question_id, solution_id
"""

# Our comparison: equal answers are equal strings (`answer_spellings`). Solutions are ordered by id, so that the order
# of rows in a file has no influence. Without a reference answer, the outcome label says what is correct.
OURS = {
    "parsed": "parsed_answer",
    "correct": "coalesce(CASE WHEN answer IS NULL THEN outcome = 1 ELSE parsed_answer = answer END, false)",
    "order": "solution_id",
}

# By outcome labels, whatever the reference answers are. Samples that are no solutions have no answer.
GRADED = {
    "parsed": f"CASE WHEN complete THEN {graded_answer('parsed_answer')} END",
    "correct": "outcome = 1",
    "order": "solution_id",
}

# The characters that Python's strip removes; SQL's trim removes only spaces by default.
BLANKS = literal("".join(filter(str.isspace, map(chr, range(0x3001)))))

# The paper's comparison: in file order, letters in either case, and anything that is not a letter from A to J is an
# answer like any other.
LETTER = "'[A-Ja-j]'"
REFERENCES = f"""
    SELECT count(answer), count(*) FILTER (regexp_full_match(trim(answer, {BLANKS}), {LETTER}))
    FROM (SELECT any_value(answer) AS answer FROM solutions GROUP BY category, question_id)
"""
AS_TEXT = f"coalesce(lower(trim(parsed_answer, {BLANKS})), 'n/a')"
AS_LETTER = (
    f"CASE WHEN regexp_full_match(trim(parsed_answer, {BLANKS}), {LETTER})"
    f" THEN lower(trim(parsed_answer, {BLANKS})) ELSE 'n/a' END"
)
PAPER, PAPER_LETTERS = (
    {
        "parsed": parsed,
        "correct": f"coalesce(({parsed}) = lower(trim(answer, {BLANKS})), false)",
        "order": "place, row",
    }
    for parsed in (AS_TEXT, AS_LETTER)
)

REWARDS = f"""
    SELECT coalesce(rewards, []) AS rewards
    FROM solutions LEFT JOIN (FROM rewards WHERE model = $model) USING ({KEY})
    ORDER BY list_position($categories, category), question_id, {{order}}
"""

SAMPLES = """
    SELECT
        category,
        count(DISTINCT question_id) AS n_questions,
        count(*) FILTER (NOT complete) AS n_incomplete,
        count(DISTINCT question_id) - count(DISTINCT question_id) FILTER (complete) AS n_without_solution
    FROM solutions GROUP BY category
"""

CUT_OFF = "SELECT category, count(*) FROM samples WHERE reason = 'cut_off' GROUP BY category"

# Downloaded rewards do not say what was truncated; the count is then unknown rather than 0.
LEDGER = f"""
    SELECT
        category,
        model,
        count(*) AS n_solutions,
        count(*) FILTER (parsed_answer IS NULL) AS n_unanswered,
        CASE WHEN count(other_form) = count(*) THEN count(*) FILTER (other_form) END AS n_other_form,
        sum(len(rewards) - list_count(rewards)) AS n_null_rewards,
        CASE WHEN count(truncated) = count(*) THEN count(*) FILTER (truncated) END AS n_truncated
    FROM solutions JOIN rewards USING ({KEY})
    GROUP BY category, model
"""


NO_SOLUTIONS = dict.fromkeys(
    ("n_solutions", "n_unanswered", "n_other_form", "n_null_rewards", "n_truncated"), 0
)


@dataclass(frozen=True)
class Pools:
    """Questions of one category whose pools have the same size.

    Attributes:
        category: their category.
        question_ids: one per question, unique in the category.
        answers: int [questions, size], equal if answers are equal; -1 for no answer.
        correct: bool [questions, size].
        complete: bool [questions, size], as in `Category`.
        rewards: float64 [questions, size] for each scorer; NaN if missing.
    """

    category: str
    question_ids: Sequence[str]
    answers: np.ndarray
    correct: np.ndarray
    complete: np.ndarray
    rewards: Mapping[Scorer, np.ndarray]

    @property
    def size(self) -> int:
        return int(self.answers.shape[1])

    def ranking(self, scorer: Scorer) -> np.ndarray:
        """The rewards by which best-of-N selects, float64 [questions, size]; NaN for the last choice.

        A solution without a reward is a better choice than a sample that is no solution.
        """
        rewards = self.rewards[scorer]
        return np.where(np.isnan(rewards) & self.complete, -np.inf, rewards)

    @property
    def keys(self) -> list[str]:
        """One key per question, unique across categories, which seeds what is drawn for it."""
        return [f"{self.category}/{question_id}" for question_id in self.question_ids]

    def split(self, questions: int) -> Iterator["Pools"]:
        """The same pools in parts of at most `questions` questions."""
        for start in range(0, len(self.question_ids), questions):
            part = slice(start, start + questions)
            yield Pools(
                self.category,
                self.question_ids[part],
                self.answers[part],
                self.correct[part],
                self.complete[part],
                {scorer: rewards[part] for scorer, rewards in self.rewards.items()},
            )

    def taken(self, positions: np.ndarray) -> "Pools":
        """A subset of each pool, given positions, int [questions, smaller size]."""

        def taken(values: np.ndarray) -> np.ndarray:
            return np.take_along_axis(values, positions, axis=1)

        return Pools(
            self.category,
            self.question_ids,
            taken(self.answers),
            taken(self.correct),
            taken(self.complete),
            {scorer: taken(rewards) for scorer, rewards in self.rewards.items()},
        )


@dataclass(frozen=True)
class Category:
    """The solutions of one category, in the order of their keys.

    Attributes:
        question_ids: one per solution.
        answers: int [solutions], equal if answers to a question are equal; -1 for no answer.
        correct: bool [solutions].
        judged: bool [solutions], whether its correctness is known.
        complete: bool [solutions]; others are samples that were cut off or have no answer, and no rewards.
        step_labels: a list, or null, per solution.
        lists: for each model, a list of rewards per solution.
        types: the type of each model's rewards.
    """

    name: str
    question_ids: np.ndarray
    answers: np.ndarray
    correct: np.ndarray
    judged: np.ndarray
    complete: np.ndarray
    step_labels: pa.ListArray
    lists: Mapping[str, pa.ListArray]
    types: Mapping[str, RewardType]

    def only_complete(self) -> "Category":
        """The category without samples that are no solutions."""
        kept = pa.array(self.complete)
        return replace(
            self,
            question_ids=self.question_ids[self.complete],
            answers=self.answers[self.complete],
            correct=self.correct[self.complete],
            judged=self.judged[self.complete],
            complete=self.complete[self.complete],
            step_labels=self.step_labels.filter(kept),
            lists={model: lists.filter(kept) for model, lists in self.lists.items()},
        )


def read_categories(
    database: duckdb.DuckDBPyConnection,
    types: Mapping[str, RewardType],
    answers: Mapping[str, str] = OURS,
) -> Iterator[Category]:
    """Read each category's solutions, with each model's rewards in the same order.

    The database's solutions and rewards must match one to one (`input_checks.check_rewards`).

    Args:
        types: the type of each model's rewards.
        answers: how answers are compared: `OURS`, `GRADED` or `paper_answers`.
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
    names = ("question_id", "answer", "correct", "judged", "complete")
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
            columns["complete"][part],
            step_labels.slice(start, count),
            {model: rewards.slice(start, count) for model, rewards in lists.items()},
            types,
        )
        start += count


def read_n_steps(database: duckdb.DuckDBPyConnection) -> dict[str, np.ndarray]:
    """The number of steps of each solution, -1 if unknown, int [solutions] for each category.

    Categories and solutions are in the order of `read_categories`, which leaves the steps' texts unread.
    """
    found = _of_steps(database, "coalesce(n_steps, -1)")
    return {name: own.to_numpy() for name, own in found.items()}


def read_step_lengths(database: duckdb.DuckDBPyConnection) -> dict[str, pa.ListArray]:
    """The number of characters of each step of each solution, null if unknown, for each category.

    Categories and solutions are in the order of `read_categories`.
    """
    return _of_steps(database, "step_lengths")


def _of_steps(database: duckdb.DuckDBPyConnection, column: str) -> dict[str, pa.Array]:
    """What SQL gives for each solution, for each category, in the order of `read_categories`."""
    order = {"categories": [name for (name,) in database.execute(CATEGORIES).fetchall()]}
    query = OF_STEPS.format(column=f"{column} AS found")
    table = database.sql(query, params=order).to_arrow_table()
    values, start, parts = _array(table["found"]), 0, {}
    for name, count in zip(*_runs(table["category"]), strict=True):
        parts[name] = values.slice(start, count)
        start += count
    return parts


def paper_answers(database: duckdb.DuckDBPyConnection) -> Mapping[str, str]:
    """How the paper's evaluation compares answers, which supports only the letters A to J.

    If at least half of the reference answers are letters, it is followed bit for bit: every other parsed answer is
    `N/A`, and questions whose reference is not a letter cannot be answered correctly, which is logged. Otherwise it
    does not apply, and answers are compared as text, ignoring case.
    """
    ((n_questions, n_letters),) = database.execute(REFERENCES).fetchall()
    if 2 * n_letters < n_questions:
        if n_letters:
            logger.warning(
                "%d of %d reference answers are letters from A to J: all are compared as text",
                n_letters,
                n_questions,
            )
        return PAPER
    if n_letters < n_questions:
        logger.warning(
            "%d of %d reference answers are not letters from A to J: by the paper's protocol, "
            "no solution to these questions is correct",
            n_questions - n_letters,
            n_questions,
        )
    return PAPER_LETTERS


def lay_out(category: Category, scorers: Sequence[Scorer], to_the_bit: bool = False) -> list[Pools]:
    """Arrange the solutions as pools, a row per question, grouped by pool size.

    Args:
        to_the_bit: leave aggregated rewards as computed. Otherwise, differences from the order of summation are
            removed, and products do not underflow.
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
                category.complete[rows],
                {scorer: values[rows] for scorer, values in rewards.items()},
            )
        )
    return result


def count_missing(
    database: duckdb.DuckDBPyConnection, models: Sequence[str], *, has_samples: bool
) -> dict[tuple[str, str], dict[str, int | None]]:
    """Counts of samples that are no solutions, and of missing and truncated rewards, for each category and model.

    Args:
        has_samples: whether it is known which samples are no solutions.
    """
    of_models = {
        (row.pop("category"), row.pop("model")): row
        for row in database.sql(LEDGER).to_arrow_table().to_pylist()
    }
    cut_off = dict(database.sql(CUT_OFF).fetchall()) if has_samples else {}
    found = {}
    for row in database.sql(SAMPLES).to_arrow_table().to_pylist():
        category = row.pop("category")
        if has_samples:
            row["n_cut_off"] = cut_off.get(category, 0)
        else:
            row |= dict.fromkeys(("n_incomplete", "n_cut_off", "n_without_solution"))
        for model in models:
            found[category, model] = {**row, **of_models.get((category, model), NO_SOLUTIONS)}
    return found


def _runs(column: pa.ChunkedArray) -> tuple[list[str], list[int]]:
    """The distinct values of a sorted column, and their counts."""
    counts = pc.value_counts(column.combine_chunks())
    return counts.field("values").to_pylist(), counts.field("counts").to_pylist()


def _array(column: pa.ChunkedArray) -> pa.ListArray:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
