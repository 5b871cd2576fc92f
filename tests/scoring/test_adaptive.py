"""Stopping early leaves the best of a pool the best: surely, or as often as is promised."""

from collections.abc import Sequence
from itertools import permutations, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from multirm.scoring.adaptive import bounds, round_size, sample_in_rounds, undecided, wealth

NONE = np.nan


def pools(largest: int, samples: int) -> st.SearchStrategy[np.ndarray]:
    """Rewards [solutions, M] of every kind: none at all, ties, 0 and 1, anything."""
    rewards = st.sampled_from([0.0, 0.25, 1.0, NONE]) | st.floats(0, 1, width=32)
    shapes = st.tuples(st.integers(1, largest), st.integers(1, samples))
    return shapes.flatmap(lambda shape: arrays(np.float64, shape, elements=rewards))


def means(rewards: np.ndarray) -> np.ndarray:
    """Of what is there in each row; -inf where nothing is."""
    return np.array(
        [np.mean(row[row == row]) if (row == row).any() else -np.inf for row in rewards]
    )


def stopped(pool: np.ndarray, error: float) -> np.ndarray:
    """A pool in which all that is not sampled is NaN; float64 like `pool`."""
    seen = np.full_like(pool, np.nan)

    def sample(chosen: Sequence[int], first: int, n: int) -> list[list[dict[str, Any]]]:
        assert np.isnan(seen[list(chosen), first:]).all() and n > 0
        for index in chosen:
            seen[index, first : first + n] = pool[index, first : first + n]
        return [
            [{"reward": None if r != r else float(r)} for r in pool[index, first : first + n]]
            for index in chosen
        ]

    critiques = sample_in_rounds(sample, ["pool"] * len(pool), pool.shape[1], error)
    for row, written in zip(seen, critiques, strict=True):
        assert np.isnan(row[len(written) :]).all()
    return seen


def n_sampled(pool: np.ndarray, error: float) -> list[int]:
    """How many of each solution's rewards, none of which may be missing, are looked at."""
    return (~np.isnan(stopped(pool, error))).sum(axis=1).tolist()


@settings(max_examples=300)
@given(pools(6, 9))
def test_without_error_the_best_stays_the_best(pool: np.ndarray) -> None:
    assert means(stopped(pool, 0)).argmax() == means(pool).argmax()


def test_without_error_the_best_stays_the_best_in_all_small_pools() -> None:
    for rewards in product([0.0, 0.5, 1.0, NONE], repeat=6):
        pool = np.array(rewards).reshape(2, 3)
        assert means(stopped(pool, 0)).argmax() == means(pool).argmax()


@settings(max_examples=100)
@given(st.data())
def test_who_is_out_for_sure_is_out_however_it_goes_on_and_nobody_else(data: st.DataObject) -> None:
    pool = data.draw(pools(3, 5).filter(lambda pool: len(pool) > 1))
    size, samples = pool.shape
    sampled = np.array(
        data.draw(st.lists(st.integers(1, samples), min_size=size, max_size=size)), dtype=int
    )
    seen = np.where(np.arange(samples) < sampled[:, None], pool, np.nan)
    ends = [
        [
            means(np.array([[*row[:n], *rest]]))[0]
            for rest in product([0, 1, NONE], repeat=samples - n)
        ]
        for row, n in zip(seen, sampled.tolist(), strict=True)
    ]
    low, high = bounds(seen, sampled)
    np.testing.assert_allclose(low, [min(end) for end in ends], atol=1e-12)
    np.testing.assert_allclose(high, [max(end) for end in ends], atol=1e-12)
    # The solutions are independent: one can be the best if its best end is no worse than all others' worst.
    possible = np.array([max(end) >= max(map(min, ends)) - 1e-9 for end in ends])
    expected = possible & (sampled < samples) if possible.sum() > 1 else np.zeros(size, dtype=bool)
    assert undecided(seen, sampled, 0).tolist() == expected.tolist()


POPULATIONS = [
    [0.0, 0.0, 1.0, 1.0, 1.0],
    [0.1, 0.5, 0.5, 0.9, 1.0],
    [0.2, NONE, 0.7, NONE, 1.0],
    [0.0, 0.0, 0.0, 0.0, NONE],
    [NONE] * 5,
]


@pytest.mark.parametrize("population", POPULATIONS, ids=str)
def test_bets_are_fair_in_random_order(population: list[float]) -> None:
    """Over all orders wealth is 1 on average if the mean is the one that is bet against, less if it is lower."""
    orders = np.array(list(permutations(population)))
    (mean,) = means(np.array([population]))
    mean = max(mean, 0.0)
    against = np.array([mean, *np.linspace(mean, 1, 6)[1:]])
    for n in range(1, 6):
        counts = np.full(len(orders), n)
        seen = np.where(np.arange(5) < n, orders, np.nan)
        found = wealth(seen, counts, against).mean(axis=0)
        assert found[0] == pytest.approx(1, abs=1e-9) or mean == 0
        assert (found <= 1 + 1e-9).all()


@settings(max_examples=200)
@given(pools(4, 6), st.data())
def test_evidence_against_a_mean_is_evidence_against_lower_ones(
    pool: np.ndarray, data: st.DataObject
) -> None:
    """Which is why it is enough to look at some means. Up to the lowest mean that is possible at all."""
    size, samples = pool.shape
    sampled = np.array(
        data.draw(st.lists(st.integers(1, samples), min_size=size, max_size=size)), dtype=int
    )
    seen = np.where(np.arange(samples) < sampled[:, None], pool, np.nan)
    tried = np.linspace(0.01, 1, 34)
    for row, low in zip(wealth(seen, sampled, tried), bounds(seen, sampled)[0], strict=True):
        possible = row[tried >= low + 1e-6]
        assert (np.diff(possible) <= 1e-9 * np.maximum(possible[:-1], 1)).all()


@pytest.mark.parametrize("error", [0.05, 0.2, 0.5])
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([1, 1, 0, 0], [1, 1, 1, 0]),
        ([1, 1, 1, 0], [1, 1, 0, 0]),
        ([0.4, 0.9, 0.9, 1.0], [0.0, 0.9, 0.9, 1.0]),
        ([1, NONE, 0, 0], [0, 0, 0, 1]),
        ([1, NONE, NONE, NONE], [0.9, 0.9, 1, 1]),
        ([0, 0, 1, 1], [0, 1, 0, 1]),
        ([0, 0, 1, 1, 1, 1], [0, 0, 0, 1, 1, 1]),
        ([0, 0, 0, 0, 0, 0.1], [1, 0, 0, 0, 0, 0]),
    ],
    ids=str,
)
def test_the_error_over_all_orders_is_as_promised(
    one: list[float], other: list[float], error: float
) -> None:
    best = means(np.array([one, other], dtype=float)).argmax()
    wrong = [
        means(stopped(np.array([a, b], dtype=float), error)).argmax() != best
        for a in set(permutations(one))
        for b in set(permutations(other))
    ]
    assert np.mean(wrong) <= error


@pytest.mark.parametrize("spread", [0.5, 4.0, 40.0])
@pytest.mark.parametrize("alike", [False, True])
def test_the_error_in_simulation_is_as_promised(spread: float, alike: bool) -> None:
    """Also where all solutions are equally good, and who comes out best is chance."""
    generator = np.random.default_rng(0)
    error, n_pools, wrong, spent = 0.2, 200, 0, 0
    for _ in range(n_pools):
        quality = np.full(8, 0.5) if alike else generator.uniform(0.05, 0.95, 8)
        pool = generator.beta(spread * quality, spread * (1 - quality), (12, 8)).T
        pool[generator.random(pool.shape) < 0.1] = np.nan
        seen = stopped(pool, error)
        wrong += means(seen).argmax() != means(pool).argmax()
        spent += (seen == seen).sum() / (pool == pool).sum()
    # Three standard errors above what is promised; by far fewer, as it turns out.
    assert wrong / n_pools <= error + 3 * np.sqrt(error * (1 - error) / n_pools)
    assert spent / n_pools < 1


@pytest.mark.parametrize(
    ("right", "samples", "error", "expected"),
    [
        (1, 10, 0, [6] * 8),
        (1, 10, 0.05, [4] * 8),
        (1, 40, 0, [24] * 8),
        (1, 40, 0.05, [8] * 8),
        # The good ones cannot be told apart.
        (4, 10, 0, [10] * 4 + [6] * 4),
        (4, 10, 0.05, [10] * 4 + [4] * 4),
    ],
)
def test_what_clear_cases_cost(right: int, samples: int, error: float, expected: list[int]) -> None:
    pool = np.zeros((8, samples))
    pool[:right] = 1
    assert n_sampled(pool, error) == expected


def test_one_solution_alone_is_sampled_once() -> None:
    assert n_sampled(np.full((1, 10), 0.5), 0) == [2]


@pytest.mark.parametrize(("samples", "size"), [(1, 1), (4, 1), (5, 1), (10, 2), (16, 4)])
def test_five_rounds_at_most(samples: int, size: int) -> None:
    assert round_size(samples) == size
    calls: list[tuple[int, int]] = []

    def sample(chosen: Sequence[int], first: int, n: int) -> list[list[dict[str, Any]]]:
        calls.append((first, n))
        return [[{"reward": 0.5}] * n for _ in chosen]

    sample_in_rounds(sample, [0, 0], samples, 0)
    assert sum(n for _, n in calls) == samples
    assert len(calls) <= 5


def test_pools_are_decided_by_themselves() -> None:
    pool = np.array([[1.0] * 10, [0.0] * 10, [1.0] * 10, [1.0] * 10])

    def sample(chosen: Sequence[int], first: int, n: int) -> list[list[dict[str, Any]]]:
        return [[{"reward": float(r)} for r in pool[index, first : first + n]] for index in chosen]

    critiques = sample_in_rounds(sample, ["a", "a", "b", "b"], 10, 0)
    assert [len(written) for written in critiques] == [6, 6, 10, 10]
