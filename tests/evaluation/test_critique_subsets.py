"""Subsets and halves of each solution's critiques."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from multirm.evaluation.critique_subsets import (
    counts_up_to,
    critique_count,
    critique_orders,
    with_critiques,
)
from multirm.evaluation.pools import Category
from multirm.reward_models.aggregate import aggregate_lists
from multirm.tables.accuracy import Aggregation
from multirm.tables.rewards import RewardType, Scale, Unit


def category(lists: list[list[float | None]], unit: Unit = Unit.CRITIQUE) -> Category:
    count = len(lists)
    return Category(
        "law",
        np.array([f"q{k // 2}" for k in range(count)], dtype=object),
        np.zeros(count, dtype=np.int64),
        np.ones(count, dtype=bool),
        np.ones(count, dtype=bool),
        np.ones(count, dtype=bool),
        pa.nulls(count, pa.list_(pa.int8())),
        {"gORM": pa.array(lists, pa.list_(pa.float32()))},
        {"gORM": RewardType(unit, Scale.PROBABILITY)},
    )


@pytest.mark.parametrize(
    ("lists", "unit", "expected"),
    [
        ([[0.5, 0.25], [1.0, None]], Unit.CRITIQUE, 2),
        ([[0.5, 0.25], [1.0, 0.0]], Unit.STEP, 1),
        ([[0.5, 0.25], [1.0]], Unit.CRITIQUE, 1),
        ([[0.5], [1.0]], Unit.CRITIQUE, 1),
        ([[0.5], [1.0]], Unit.SOLUTION, 1),
        ([], Unit.CRITIQUE, 1),
    ],
)
def test_each_solution_has_equally_many_rewards_of_critiques(
    lists: list[list[float | None]], unit: Unit, expected: int
) -> None:
    assert critique_count(category(lists, unit), "gORM") == expected


@pytest.mark.parametrize("first", [0, 1])
def test_chosen_critiques_are_kept_and_missing_rewards_stay_missing(first: int) -> None:
    """Also for slices of longer arrays, as for categories."""
    given = category([[0.0, 0.125, 0.25], [0.5, None, 1.0], [0.75, 0.0, 0.5]])
    part = given.lists["gORM"].slice(first)
    given = replace(given, lists={"gORM": part})
    chosen = np.array([[2, 0], [1, 2], [0, 1]])[first:]
    fewer = with_critiques(given, "gORM", chosen).lists["gORM"]
    assert fewer.to_pylist() == [[0.25, 0.0], [None, 1.0], [0.75, 0.0]][first:]
    assert aggregate_lists(fewer, Aggregation.MEAN)[1 - first] == 1.0


def test_solutions_to_a_question_share_an_order_that_depends_only_on_the_question() -> None:
    given = category([[0.5] * 5] * 6)
    orders = critique_orders(given, 5, 3, seed=1)
    assert orders.shape == (3, 6, 5)
    assert (np.sort(orders, axis=-1) == np.arange(5)).all()
    assert (orders[:, 0] == orders[:, 1]).all()
    alone = critique_orders(category([[0.5] * 5] * 2), 5, 3, seed=1)
    assert (alone == orders[:, :2]).all()


def test_equal_question_ids_in_two_categories_have_different_orders() -> None:
    law = category([[0.5] * 8] * 2)
    orders = [critique_orders(replace(law, name=name), 8, 3, seed=1) for name in ("law", "physics")]
    assert (orders[0] != orders[1]).any()


def test_counts_double_up_to_all() -> None:
    assert [list(counts_up_to(n)) for n in (1, 2, 4, 10, 16)] == [
        [1],
        [1, 2],
        [1, 2, 4],
        [1, 2, 4, 8, 10],
        [1, 2, 4, 8, 16],
    ]
