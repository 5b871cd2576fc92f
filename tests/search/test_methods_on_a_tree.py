"""Every method on a small known tree: what it asks for, and that it finds what brute force finds."""

import itertools
import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multirm.search.beams import beam_search
from multirm.search.best_of_n import best_of_n, rounds_to_measure
from multirm.search.mcts import bound, mcts
from multirm.search.particles import particle_filtering, resample
from multirm.search.plan import Expansion, Plan, best_first, shares, trimmed
from multirm.search.rebase import allocate, rebase
from multirm.search.tree import Limits, SearchTree
from multirm.tables.accuracy import Aggregation
from multirm.tables.search_nodes import SearchEnd
from tests.search.toy import Path, Run, World, run

GENERATOR = np.random.default_rng(5)
VALUES = {
    path: float(GENERATOR.random())
    for depth in (1, 2, 3)
    for path in itertools.product(range(3), repeat=depth)
}
WORLD = World(width=3, depth=3, reward=VALUES.__getitem__)

LEAVES = [path for path in VALUES if len(path) == WORLD.depth]


def least(path: Path) -> float:
    return min(VALUES[path[: k + 1]] for k in range(len(path)))


def last(tree: SearchTree) -> partial[np.ndarray]:
    return partial(tree.scores, aggregation=Aggregation.LAST)


def smallest(tree: SearchTree) -> partial[np.ndarray]:
    return partial(tree.scores, aggregation=Aggregation.MIN)


def best_by_min(found: Run) -> Path:
    return found.best(lambda node: float(smallest(found.tree)([node])[0]))


def climb(tree: SearchTree, **options: float) -> Plan:
    settings = {"n": None, "width": 3, "at_once": 1, "exploration": 1.0, "rolls_out": False}
    return mcts(tree, smallest(tree), **{**settings, **options})  # type: ignore[arg-type]


def test_best_of_n_draws_whole_solutions_at_once_or_in_rounds() -> None:
    found = run(WORLD, lambda tree: best_of_n([5]))
    assert found.rounds == [[(0, 5, True)]]
    assert [found.paths[node] for node in found.tree.finished] == [
        (0, 0, 0), (1, 0, 0), (2, 0, 0), (0, 0, 0), (1, 0, 0),
    ]  # fmt: skip
    assert run(WORLD, lambda tree: best_of_n([3, 2])).rounds == [
        [(0, 3, True)],
        [(0, 2, True)],
    ]


def test_rounds_that_measure_begin_with_one_solution() -> None:
    assert [rounds_to_measure(n) for n in (1, 2, 3, 4, 16)] == [
        [1], [1, 1], [1, 2], [1, 1, 2], [1, 7, 8],
    ]  # fmt: skip


def test_a_beam_as_wide_as_the_tree_is_brute_force() -> None:
    world = replace(WORLD, is_random=True)
    found = run(world, lambda tree: beam_search(tree, last(tree), n=300, keep=300))
    assert {found.paths[node] for node in found.tree.finished} == set(LEAVES)
    assert best_by_min(found) == max(LEAVES, key=least)


def test_beam_search_keeps_the_best_steps_of_each_level() -> None:
    found = run(WORLD, lambda tree: beam_search(tree, last(tree), n=6, keep=2))
    beams: list[Path] = [()]
    for level, expansions in enumerate(found.rounds):
        assert [found.paths[node] for node, _, _ in expansions] == beams
        assert sum(n for _, n, _ in expansions) == 6
        # A step that is drawn twice is two candidates.
        candidates = [
            (*beam, k % 3)
            for beam, (_, n, _) in zip(beams, expansions, strict=True)
            for k in range(n)
        ]
        beams = sorted(candidates, key=lambda path: -VALUES[path])[:2]
        assert level < 3


def test_one_beam_is_greedy_search() -> None:
    found = run(WORLD, lambda tree: beam_search(tree, last(tree), n=3, keep=1))
    path: Path = ()
    for _ in range(3):
        path = max(((*path, k) for k in range(3)), key=VALUES.__getitem__)
    assert path in {found.paths[node] for node in found.tree.finished}
    assert len(found.rounds) == 3


def test_diverse_beams_are_greedy_searches_side_by_side() -> None:
    found = run(WORLD, lambda tree: beam_search(tree, last(tree), n=6, keep=1, n_groups=2))
    assert found.rounds[0] == [(0, 3, False), (0, 3, False)]
    assert all([n for _, n, _ in expansions] == [3, 3] for expansions in found.rounds)
    greedy = run(WORLD, lambda tree: beam_search(tree, last(tree), n=3, keep=1))
    expected = [greedy.paths[node] for [(node, _, _)] in greedy.rounds]
    for subtree in (0, 1):
        assert [found.paths[expansions[subtree][0]] for expansions in found.rounds] == expected


def test_a_finished_solution_takes_a_place_of_its_own_level_only() -> None:
    # The best step of the first level is the end of its solution.
    class Early(World):
        def step(self, path: Path, sample: int):  # type: ignore[no-untyped-def]
            after, drawn = super().step(path, sample)
            return after, replace(drawn, is_last=drawn.is_last or after == (0,))

    world = Early(3, 3, lambda path: 1 - sum(path) / 10 - len(path) / 100)
    found = run(world, lambda tree: beam_search(tree, last(tree), n=6, keep=2))
    finished = [found.paths[node] for node in found.tree.finished]
    # Both kept ones are copies of the finished one.
    assert finished == [(0,), (0,)]
    assert len(found.rounds) == 1
    found = run(world, lambda tree: beam_search(tree, last(tree), n=6, keep=3))
    assert [[n for _, n, _ in expansions] for expansions in found.rounds] == [[6], [6], [2, 2, 2]]


def test_rebase_goes_on_by_shares() -> None:
    found = run(WORLD, lambda tree: rebase(tree, last(tree), n=8, temperature=0.5))
    assert found.rounds[0] == [(0, 8, False)]
    for expansions in found.rounds:
        assert sum(n for _, n, _ in expansions) == 8
    drawn = list(range(1, 9))
    counts = allocate(np.array([VALUES[found.paths[node]] for node in drawn]), 8, 0.5)
    expected = [(node, n, False) for node, n in zip(drawn, counts, strict=True) if n]
    assert found.rounds[1] == expected
    assert len(found.tree.finished) == 8


def test_particles_move_once_per_round_and_end() -> None:
    generator = np.random.default_rng(3)
    found = run(WORLD, lambda tree: particle_filtering(tree, last(tree), 6, generator))
    assert [sum(n for _, n, _ in expansions) for expansions in found.rounds] == [6, 6, 6]
    assert len(found.tree.finished) == 6


def test_mcts_of_the_whole_tree_is_brute_force() -> None:
    found = run(WORLD, climb)
    assert {found.paths[node] for node in found.tree.finished} == set(LEAVES)
    assert best_by_min(found) == max(LEAVES, key=least)
    # Every node is drawn once, so its value is the mean of the scores of the nodes from it on.
    for number, path in found.paths.items():
        below = [least(each) for each in VALUES if each[: len(path)] == path]
        assert found.tree.nodes[number].value == pytest.approx(sum(below) / len(below))
        assert found.tree.nodes[number].visits == len(below)


@pytest.mark.parametrize("exploration", [0.0, 0.3, 2.0])
def test_mcts_walks_to_the_highest_bound(exploration: float) -> None:
    found = run(WORLD, partial(climb, exploration=exploration))
    assert [node for [(node, _, _)] in found.rounds] == plain_ucb(found, exploration)


def plain_ucb(found: Run, exploration: float) -> list[int]:
    """The nodes that UCB goes on from, in order, by a loop over paths."""
    number_of = {path: number for number, path in found.paths.items()}
    values: dict[Path, list[float]] = {}
    expanded: list[Path] = []

    def is_open(path: Path) -> bool:
        if len(path) == 3:
            return False
        return path not in expanded or any(is_open((*path, k)) for k in range(3))

    while is_open(()):
        path: Path = ()
        while path in expanded:
            bounds = {}
            for k in range(3):
                child = (*path, k)
                if is_open(child):
                    n, n_above = len(values[child]), len(values[path])
                    mean = sum(values[child]) / n
                    bounds[child] = mean + exploration * math.sqrt(math.log(n_above) / n)
            path = max(bounds, key=lambda child: (bounds[child], -number_of[child]))
        expanded.append(path)
        for k in range(3):
            child = (*path, k)
            for length in range(4):
                if length <= len(child):
                    values.setdefault(child[:length], []).append(least(child))
    return [number_of[path] for path in expanded]


def test_a_greedy_mcts_finds_the_best_leaf_early() -> None:
    world = World(3, 4, lambda path: 0.9 if path == (2, 1, 0, 1)[: len(path)] else 0.1)
    found = run(world, partial(climb, n=3, exploration=0.1))
    assert best_by_min(found) == (2, 1, 0, 1)
    assert len(found.rounds) == 4


def test_roll_outs_are_values_but_are_not_walked_to() -> None:
    found = run(WORLD, partial(climb, n=6, rolls_out=True))
    assert found.rounds[0] == [(0, 3, False)]
    assert found.rounds[1] == [(1, 1, True), (2, 1, True), (3, 1, True)]
    # Sample 0 of every node after the first step.
    for child in (1, 2, 3):
        path = (*found.paths[child], 0, 0)
        node = found.tree.nodes[child]
        if node.n_values == 1:
            assert node.value == pytest.approx(least(path))
    [(walked, _, _)] = found.rounds[2]
    assert walked in (1, 2, 3)
    assert len(found.tree.finished) == 6


def test_simulations_at_once_go_on_from_different_nodes() -> None:
    found = run(WORLD, partial(climb, at_once=4, exploration=0.0))
    for expansions in found.rounds:
        assert len({node for node, _, _ in expansions}) == len(expansions)
    assert {found.paths[node] for node in found.tree.finished} == set(LEAVES)


def test_a_virtual_loss_sends_the_next_simulation_elsewhere() -> None:
    values = {(0,): 0.9, (1,): 0.8, (2,): 0.1}
    world = World(3, 4, lambda path: values.get(path[:1], 0.0))
    found = run(world, partial(climb, n=1, at_once=2, exploration=0.0), most=100)
    # 0.9 and a loss of 0.1 have the mean 0.5, below 0.8.
    assert [found.paths[node] for node, _, _ in found.rounds[1]] == [(0,), (1,)]


def test_mcts_ends_where_nothing_is_left() -> None:
    world = World(2, 1, lambda path: 0.5)
    found = run(world, partial(climb, n=None, width=2))
    assert found.rounds == [[(0, 2, False)]]


@pytest.mark.parametrize("rolls_out", [False, True])
def test_without_any_value_mcts_still_ends(rolls_out: bool) -> None:
    world = World(2, 3, lambda path: None)
    found = run(world, partial(climb, n=None, width=2, rolls_out=rolls_out))
    assert found.rounds == [[(0, 2, False)]]
    assert {node.end for node in found.tree.nodes[1:]} == {SearchEnd.UNSCORED}
    assert found.tree.nodes[0].value is None
    assert found.tree.nodes[0].visits == 2


PLANS = {
    "beams": lambda tree: beam_search(tree, last(tree), n=6, keep=2),
    "diverse": lambda tree: beam_search(tree, last(tree), n=6, keep=1, n_groups=2),
    "rebase": lambda tree: rebase(tree, last(tree), n=6, temperature=0.2),
    "particles": lambda tree: particle_filtering(tree, last(tree), 6, np.random.default_rng(1)),
    "mcts": partial(climb, n=6),
    "rollouts": partial(climb, n=6, rolls_out=True),
}


@pytest.mark.parametrize("name", PLANS)
def test_ties_everywhere_have_one_outcome(name: str) -> None:
    world = World(3, 3, lambda path: 0.5)
    one, other = run(world, PLANS[name]), run(world, PLANS[name])
    assert one.rounds == other.rounds
    assert one.tree.finished


@pytest.mark.parametrize("name", PLANS)
def test_a_policy_that_never_ends_is_given_up(name: str) -> None:
    found = run(World(3, 10**9, lambda path: 0.5), PLANS[name], Limits(steps=4, tokens=60))
    assert found.tree.finished == []
    assert {node.end for node in found.tree.nodes} == {None, SearchEnd.OVERRUN}
    assert max(node.n_ids for node in found.tree.nodes) <= 63


@pytest.mark.parametrize("name", PLANS)
def test_a_policy_that_ends_at_once_is_asked_once(name: str) -> None:
    found = run(World(3, 1, lambda path: 0.5), PLANS[name])
    assert len(found.rounds) == (2 if name == "mcts" and len(found.rounds) == 2 else 1)
    assert found.tree.finished == list(range(1, len(found.tree.nodes)))


@pytest.mark.parametrize("name", PLANS)
def test_rewards_that_are_missing_end_the_search(name: str) -> None:
    found = run(World(3, 3, lambda path: None), PLANS[name])
    assert found.tree.finished == []
    assert len(found.rounds) == 1


@pytest.mark.parametrize("name", PLANS)
def test_one_that_is_missing_ends_its_solution_only(name: str) -> None:
    def reward(path: Path) -> float | None:
        return None if path[:1] == (1,) else VALUES[path]

    found = run(World(3, 3, reward), PLANS[name])
    assert {found.paths[node][0] for node in found.tree.finished} <= {0, 2}
    assert found.tree.finished


@given(
    st.lists(st.one_of(st.floats(-50, 50), st.just(math.nan)), min_size=1, max_size=12),
    st.integers(0, 64),
    st.floats(0.01, 10),
)
def test_allocations_are_the_nearest_to_the_shares(
    scores: list[float], n: int, temperature: float
) -> None:
    counts = allocate(np.array(scores), n, temperature)
    assert sum(counts) == n
    known = [-math.inf if math.isnan(score) else score / temperature for score in scores]
    if max(known) == -math.inf:
        known = [0.0] * len(scores)
    weights = [math.exp(each - max(known)) for each in known]
    for count, weight in zip(counts, weights, strict=True):
        assert abs(count - n * weight / sum(weights)) < 1 + 1e-6


def test_equal_remainders_favour_earlier_nodes() -> None:
    assert allocate(np.array([0.5, 0.5, 0.5]), 8, 0.2) == [3, 3, 2]
    assert allocate(np.array([math.nan, 0.5]), 3, 0.2) == [0, 3]
    assert allocate(np.array([]), 3, 0.2) == []


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=10),
    st.integers(1, 30),
    st.floats(0, 1, exclude_max=True),
)
def test_resampled_counts_are_shares_rounded_up_or_down(
    weights: list[float], n: int, uniform: float
) -> None:
    places = resample(np.array(weights), n, uniform)
    assert len(places) == n
    assert places == sorted(places)
    total = sum(weights)
    for place, weight in enumerate(weights):
        share = n * weight / total if total else n / len(weights)
        assert math.floor(share - 1e-6) <= places.count(place) <= math.ceil(share + 1e-6)


def test_resampling_is_unbiased() -> None:
    weights, n = np.array([0.5, 0.2, 0.0, 0.05, 0.9]), 7
    uniforms = (np.arange(2000) + 0.5) / 2000
    counts = np.array([np.bincount(resample(weights, n, u), minlength=5) for u in uniforms])
    np.testing.assert_allclose(counts.mean(axis=0), n * weights / weights.sum(), atol=2e-3)
    assert resample(np.array([math.nan, 0.3]), 3, 0.9) == [1, 1, 1]
    assert resample(np.array([0.0, math.nan]), 2, 0.0) == [0, 1]


def test_orders_and_parts() -> None:
    assert best_first([4, 5, 6, 7], np.array([0.1, math.nan, 0.3, 0.3])) == [6, 7, 4, 5]
    assert shares(7, 3) == [3, 2, 2]
    asked = [Expansion(1, 3), Expansion(2, 3)]
    assert trimmed(asked, 4) == [Expansion(1, 3), Expansion(2, 1)]
    assert trimmed(asked, 0) == []
    assert trimmed(asked, 9) == asked
    assert bound(0.5, 4, 9, 2.0) == pytest.approx(0.5 + 2 * math.sqrt(math.log(9) / 4))
