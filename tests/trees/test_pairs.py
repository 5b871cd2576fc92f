"""Pairs against looking at all of them."""

import math
from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multirm.tables.preferences import Siblings
from multirm.trees.pairs import Node, Pair, PairRule, outcome_pairs, process_pairs

VALUES = st.none() | st.sampled_from([0.0, 0.25, 0.5, 0.7, 1.0])


@st.composite
def trees(draw: st.DrawFn) -> list[Node]:
    n = draw(st.integers(1, 12))
    nodes = [Node(0, None, 0.5, n, [0])]
    for number in range(1, n):
        parent = draw(st.integers(0, number - 1))
        nodes.append(Node(number, parent, draw(VALUES), draw(st.integers(1, 3)), [number]))
    return nodes


@given(trees(), st.sampled_from([0.0, 0.2, 0.5]), st.integers(1, 3))
def test_all_siblings(nodes: list[Node], gap: float, min_leaves: int) -> None:
    found = list(process_pairs(nodes, PairRule(gap, min_leaves, Siblings.ALL)))
    expected = [
        {a.node, b.node}
        for a, b in combinations(nodes, 2)
        if a.parent == b.parent is not None
        and a.value is not None
        and b.value is not None
        and min(a.n_leaves, b.n_leaves) >= min_leaves
        and a.value != b.value
        and abs(a.value - b.value) >= gap - 1e-9
    ]
    assert sorted(map(sorted, expected)) == sorted(
        sorted((pair.chosen.node, pair.rejected.node)) for pair in found
    )
    assert all(pair.chosen.value > pair.rejected.value for pair in found)  # type: ignore[operator]


@given(trees(), st.sampled_from([0.0, 0.2, 0.5]))
def test_extremes_are_the_most_divergent_of_all(nodes: list[Node], gap: float) -> None:
    def difference(pair: Pair) -> float:
        assert pair.chosen.value is not None and pair.rejected.value is not None
        return pair.chosen.value - pair.rejected.value

    found = list(process_pairs(nodes, PairRule(gap, 1)))
    every = list(process_pairs(nodes, PairRule(gap, 1, Siblings.ALL)))
    by_parent = {pair.chosen.parent: pair for pair in found}
    assert len(by_parent) == len(found)
    assert by_parent.keys() == {pair.chosen.parent for pair in every}
    for pair in every:
        assert difference(by_parent[pair.chosen.parent]) >= difference(pair)


def test_a_difference_that_equals_the_gap_counts_and_ties_take_the_first() -> None:
    nodes = [Node(0, None, 0.6, 9, [0])]
    nodes += [Node(k, 0, value, 2, [k]) for k, value in enumerate([0.5, 0.7, 0.7, 0.5], start=1)]
    [pair] = process_pairs(nodes, PairRule(0.2))
    assert (pair.chosen.node, pair.rejected.node) == (2, 1)
    assert not list(process_pairs(nodes, PairRule(0.21)))


def test_equal_values_make_no_pair_even_without_a_gap() -> None:
    nodes = [Node(0, None, 1.0, 4, [0]), Node(1, 0, 1.0, 2, [0]), Node(2, 0, 1.0, 2, [1])]
    for siblings in Siblings:
        assert not list(process_pairs(nodes, PairRule(0.0, 1, siblings)))


@given(
    rewards=st.lists(st.sampled_from([math.nan, 0.0, 0.3, 0.5, 1.0]), max_size=8),
    gap=st.sampled_from([0.0, 0.2, 0.5]),
    n=st.integers(0, 40),
)
def test_outcome_pairs_are_some_of_those_that_differ(
    rewards: list[float], gap: float, n: int
) -> None:
    possible = {
        (a, b)
        for a, b in permutations(range(len(rewards)), 2)
        if rewards[a] > rewards[b] and rewards[a] - rewards[b] >= gap - 1e-9
    }
    drawn = outcome_pairs(np.array(rewards), gap, n, np.random.default_rng(0))
    assert len(drawn) == len(set(drawn)) == min(n, len(possible))
    assert set(drawn) <= possible


def test_outcome_pairs_are_equally_likely() -> None:
    rewards = np.array([1.0, 0.0, 0.0, 1.0, 0.5])
    draws = [outcome_pairs(rewards, 0.5, 1, np.random.default_rng(seed))[0] for seed in range(4000)]
    _, counts = np.unique(draws, axis=0, return_counts=True)
    # Two answers of 1 against two of 0 and one of 0.5, and that one against the two of 0.
    assert len(counts) == 8
    assert counts == pytest.approx(500, abs=100)
