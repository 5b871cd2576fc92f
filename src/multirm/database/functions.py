"""Functions in SQL for what rewards and answers mean: the same code that evaluation runs."""

from collections.abc import Sequence
from dataclasses import asdict
from functools import lru_cache
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from duckdb import func

from multirm.database.choices import Pool, best_of_n, majority_vote, pool_of, weighted_vote
from multirm.reward_models.aggregate import (
    DIGITS,
    aggregate_lists,
    weights_in_pools,
    without_rounding_errors,
)
from multirm.tables.accuracy import Aggregation
from multirm.tables.rewards import Scale
from multirm.text.answer_rules import AnswerRule
from multirm.text.answers import spelled_alike

SPELLED = "STRUCT(parsed VARCHAR, reference VARCHAR)"

CHOICE = (
    "STRUCT(selection VARCHAR, positions BIGINT[], examples BIGINT[], n_tied INTEGER, correct DOUBLE, score DOUBLE,"
    " vote_share DOUBLE)"
)

_POOL = ("VARCHAR[]", "BOOLEAN[]")


def define_functions(database: duckdb.DuckDBPyConnection) -> None:
    """Define functions in a database.

    - aggregated(rewards, aggregation, scale): one reward for a list of rewards, null where missing; without rounding
      errors, so that what ties in evaluation is equal.
    - spelled(parsed_answer, answer, rule): a parsed answer and its reference answer, as strings that are equal if the
      answers are equal by an AnswerRule.
    - chosen_by_rewards(rewards, answers, correct, aggregation, scale): what best-of-N and the weighted vote choose
      from a pool, given lists with a member per solution.
    - chosen_by_majority(answers, correct): what the majority vote chooses from a pool.
    """
    for name, function, parameters, returned in (
        ("aggregated", _aggregated, ("DOUBLE[]", "VARCHAR", "VARCHAR"), "DOUBLE"),
        ("spelled", _spelled, ("VARCHAR", "VARCHAR", "VARCHAR"), SPELLED),
        (
            "chosen_by_rewards",
            _chosen_by_rewards,
            ("DOUBLE[][]", *_POOL, "VARCHAR", "VARCHAR"),
            f"{CHOICE}[]",
        ),
        ("chosen_by_majority", _chosen_by_majority, _POOL, f"{CHOICE}[]"),
    ):
        database.create_function(
            name,
            function,
            list(parameters),
            returned,
            type=func.PythonUDFType.ARROW,
            null_handling=func.FunctionNullHandling.SPECIAL,
        )


def _aggregated(
    rewards: pa.ChunkedArray, aggregations: pa.ChunkedArray, scales: pa.ChunkedArray
) -> pa.Array:
    lists, names = _whole(rewards), aggregations.to_numpy()
    result = np.full(len(lists), np.nan)
    for name in dict.fromkeys(names.tolist()):
        own = np.flatnonzero(names == name)
        values = aggregate_lists(lists.take(pa.array(own)), Aggregation(name))
        result[own] = without_rounding_errors(values)
    # Evaluation compares scores by their differences, however small the scores themselves are.
    is_score = scales.to_numpy() == Scale.SCORE
    result[is_score] = np.ldexp(np.round(np.ldexp(result[is_score], DIGITS)), -DIGITS)
    return pa.array(result, mask=np.isnan(result))


def _spelled(parsed: pa.ChunkedArray, answers: pa.ChunkedArray, rules: pa.ChunkedArray) -> pa.Array:
    rows = zip(parsed.to_pylist(), answers.to_pylist(), rules.to_pylist(), strict=True)
    pairs = [_spelled_pair(*row) for row in rows]
    columns = [[pair[place] for pair in pairs] for place in range(2)]
    return pa.StructArray.from_arrays(
        [pa.array(column, pa.string()) for column in columns], ["parsed", "reference"]
    )


@lru_cache(maxsize=1 << 16)
def _spelled_pair(
    parsed: str | None, answer: str | None, rule: str
) -> tuple[str | None, str | None]:
    # Answers to questions without a reference answer are not interpreted.
    if answer is None:
        return None if parsed is None else parsed.strip(), None
    return spelled_alike(parsed, answer, AnswerRule(rule))


def _chosen_by_rewards(
    rewards: pa.ChunkedArray,
    answers: pa.ChunkedArray,
    correct: pa.ChunkedArray,
    aggregations: pa.ChunkedArray,
    scales: pa.ChunkedArray,
) -> pa.Array:
    lists, pools = _whole(rewards), _pools(answers, correct)
    names, of_scale = aggregations.to_pylist(), scales.to_pylist()
    result: list[list[dict[str, Any]]] = [[] for _ in pools]
    for kind in dict.fromkeys(zip(names, of_scale, strict=True)):
        own = [k for k, each in enumerate(zip(names, of_scale, strict=True)) if each == kind]
        aggregation, scale = Aggregation(kind[0]), kind[1]
        part = lists.take(pa.array(own))
        starts = part.offsets.to_numpy()
        within = part.flatten()
        # Best-of-N is the same whatever the scale; what a vote weighs is not known without it.
        weights = without_rounding_errors(
            weights_in_pools(
                within, aggregation, starts[:-1] - starts[0], Scale(scale or Scale.PROBABILITY)
            )
        )
        scores = without_rounding_errors(aggregate_lists(within, aggregation))
        edges = (starts - starts[0])[1:-1]
        for k, weight, score in zip(
            own, np.split(weights, edges), np.split(scores, edges), strict=True
        ):
            found = [best_of_n(pools[k], weight, score)]
            if scale:
                found.append(weighted_vote(pools[k], weight))
            result[k] = [asdict(choice) for choice in found]
    return pa.array(result, _CHOICES)


def _chosen_by_majority(answers: pa.ChunkedArray, correct: pa.ChunkedArray) -> pa.Array:
    pools = _pools(answers, correct)
    return pa.array([[asdict(majority_vote(pool))] for pool in pools], _CHOICES)


_CHOICES = pa.list_(
    pa.struct(
        [
            ("selection", pa.string()),
            ("positions", pa.list_(pa.int64())),
            ("examples", pa.list_(pa.int64())),
            ("n_tied", pa.int32()),
            ("correct", pa.float64()),
            ("score", pa.float64()),
            ("vote_share", pa.float64()),
        ]
    )
)


def _pools(answers: pa.ChunkedArray, correct: pa.ChunkedArray) -> Sequence[Pool]:
    rows = zip(answers.to_pylist(), correct.to_pylist(), strict=True)
    return [pool_of(*row) for row in rows]


def _whole(values: pa.ChunkedArray) -> pa.Array:
    return values.combine_chunks()
