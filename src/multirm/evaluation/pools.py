"""Solution and reward tables → pools: joined by DuckDB, checked one to one, laid out as arrays."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from multirm import tables
from multirm.evaluation.aggregate import aggregate_lists
from multirm.evaluation.matching import KEY, check_rewards, check_solutions
from multirm.vocabulary import Aggregation

# Answers are strings in one spelling: equal answers are equal strings, whatever the format.
POOLS = """
    SELECT
        category,
        question_id,
        CASE
            WHEN parsed_answer IS NULL THEN -1
            ELSE dense_rank() OVER (
                PARTITION BY category, question_id ORDER BY parsed_answer NULLS LAST
            ) - 1
        END AS answer,
        coalesce(parsed_answer = answer, false) AS correct
    FROM solutions
    ORDER BY category, question_id, solution_id
"""

REWARDS_IN_ORDER = """
    SELECT reward FROM scored WHERE model = $model ORDER BY category, question_id, solution_id
"""

LEDGER = f"""
    SELECT
        dataset,
        category,
        model,
        count(DISTINCT question_id) AS n_questions,
        count(*) AS n_solutions,
        count(*) FILTER (parsed_answer IS NULL) AS n_unanswered,
        count(*) FILTER (reward IS NULL) AS n_unscored,
        sum(len(rewards) - list_count(rewards)) AS n_null_rewards,
        -- Published rewards do not say, and then the count is unknown rather than 0.
        CASE WHEN count(truncated) = count(*) THEN count(*) FILTER (truncated) END AS n_truncated
    FROM solutions JOIN scored USING ({KEY})
    GROUP BY dataset, category, model
    ORDER BY list_position($models, model), list_position($categories, category)
"""


@dataclass(frozen=True)
class Pools:
    """Questions of one category whose pools are of one size.

    Attributes:
        question_ids: one per question.
        answers: int [questions, size], equal where answers are equal; -1 where there is none.
        correct: bool [questions, size].
        rewards: float64 [questions, size] for each model; NaN where missing.
    """

    question_ids: Sequence[str]
    answers: np.ndarray
    correct: np.ndarray
    rewards: Mapping[str, np.ndarray]

    @property
    def size(self) -> int:
        return int(self.answers.shape[1])

    def split(self, questions: int) -> Iterator["Pools"]:
        """The same pools, at most so many questions at a time."""
        for start in range(0, len(self.question_ids), questions):
            part = slice(start, start + questions)
            yield Pools(
                self.question_ids[part],
                self.answers[part],
                self.correct[part],
                {model: rewards[part] for model, rewards in self.rewards.items()},
            )


@dataclass(frozen=True)
class Evaluated:
    """What one dataset's tables hold: each category's pools, in the order given, and the ledger."""

    dataset: str
    pools: Mapping[str, Sequence[Pools]]
    ledger: pa.Table


def read_pools(
    solutions: Sequence[Path], rewards: Sequence[Path], aggregations: Mapping[str, Aggregation]
) -> Evaluated:
    """Read and join one dataset's tables.

    Raises:
        InputError: an empty table, several datasets, a question without one reference answer, or
            rewards and solutions that do not match one to one.
    """
    database = duckdb.connect()
    solution_table = _read(solutions, tables.SOLUTIONS)
    reward_table = _read(rewards, tables.REWARDS)
    database.register("solutions", solution_table)
    database.register("rewards", reward_table)
    check_solutions(database)
    check_rewards(database, aggregations)
    database.register("scored", _with_reward(reward_table, aggregations))
    categories = solution_table["category"].unique().to_pylist()
    ledger = database.sql(LEDGER, params={"models": list(aggregations), "categories": categories})
    return Evaluated(
        dataset=solution_table["dataset"][0].as_py(),
        ledger=ledger.to_arrow_table().cast(tables.LEDGER.columns),
        pools=_lay_out(database, categories, list(aggregations)),
    )


def _read(paths: Sequence[Path], schema: tables.Schema) -> pa.Table:
    """The tables at `paths`, each row with the file it came from."""
    parts = [schema.columns.empty_table().append_column("file", pa.array([], pa.string()))]
    for path in paths:
        table = tables.read(path, schema)
        parts.append(table.append_column("file", pa.array([str(path)] * table.num_rows)))
    return pa.concat_tables(parts).combine_chunks()


def _with_reward(table: pa.Table, aggregations: Mapping[str, Aggregation]) -> pa.Table:
    """The reward tables with a column `reward`: each list aggregated in its model's way."""
    parts = []
    for model, aggregation in aggregations.items():
        part = table.filter(pc.equal(table["model"], model)).combine_chunks()
        lists = part["rewards"].combine_chunks()
        reward = pa.array(aggregate_lists(lists, aggregation), from_pandas=True)
        parts.append(part.append_column("reward", reward))
    empty = table.slice(0, 0).append_column("reward", pa.array([], pa.float64()))
    return pa.concat_tables([empty, *parts])


def _lay_out(
    database: duckdb.DuckDBPyConnection, categories: Sequence[str], models: Sequence[str]
) -> dict[str, list[Pools]]:
    """The rows of each category's questions, side by side where their pools are of one size."""
    columns = database.execute(POOLS).fetchnumpy()
    answers, correct = np.asarray(columns["answer"]), np.asarray(columns["correct"])
    rewards = {
        model: np.ma.filled(
            database.execute(REWARDS_IN_ORDER, {"model": model}).fetchnumpy()["reward"], np.nan
        )
        for model in models
    }
    category, question = np.asarray(columns["category"]), np.asarray(columns["question_id"])
    starts = np.flatnonzero(
        np.r_[True, (category[1:] != category[:-1]) | (question[1:] != question[:-1])]
    )
    sizes = np.diff(np.r_[starts, len(answers)])
    result: dict[str, list[Pools]] = {}
    for name in categories:
        inside = category[starts] == name
        result[name] = []
        for size in np.unique(sizes[inside]):
            first = starts[inside & (sizes == size)]
            rows = first[:, None] + np.arange(size)
            result[name].append(
                Pools(
                    [str(question_id) for question_id in question[first]],
                    answers[rows],
                    correct[rows],
                    {model: values[rows] for model, values in rewards.items()},
                )
            )
    return result
