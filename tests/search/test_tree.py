"""Trees: where solutions end, and which rewards they have."""

import math

import numpy as np
import pytest

from multirm.search.tree import Limits, SearchTree
from multirm.tables.accuracy import Aggregation
from multirm.tables.search_nodes import SearchEnd
from tests.search.toy import step


@pytest.fixture
def tree() -> SearchTree:
    return SearchTree(("q",), Limits(steps=3, tokens=10))


def test_paths_have_their_steps_ids_and_rewards(tree: SearchTree) -> None:
    one = tree.add(0, step("One.", n=2))
    other = tree.add(0, step("Other.", n=1))
    two = tree.add(one, step("Two.", is_last=True))
    tree.reward(one, [0.5])
    tree.reward(two, [0.5, 0.25])
    assert tree.path(two) == [one, two]
    assert list(tree.ancestors(two)) == [two, one, 0]
    assert tree.steps(two) == ("One.", "Two.")
    assert tree.ids(two) == [7] * 5
    assert tree.rewards(two) == [0.5, 0.25]
    assert tree.finished == [two]
    assert [tree.goes_on(node) for node in (0, one, other, two)] == [True, True, True, False]
    scores = tree.scores([two, one, 0], Aggregation.MIN)
    np.testing.assert_array_equal(scores, [0.25, 0.5, math.nan])


def test_a_solution_that_is_too_long_overruns(tree: SearchTree) -> None:
    assert tree.nodes[tree.add(0, step("Long", n=11, is_last=True))].end is SearchEnd.OVERRUN
    assert tree.nodes[tree.add(0, step("Full", n=10))].end is SearchEnd.OVERRUN
    assert tree.nodes[tree.add(0, step("Fits", n=10, is_last=True))].end is None
    assert tree.nodes[tree.add(0, step("Cut", is_cut=True))].end is SearchEnd.OVERRUN
    node = 0
    for k in range(3):
        assert tree.goes_on(node)
        node = tree.add(node, step(f"{k}", n=1))
    assert tree.nodes[node].end is SearchEnd.OVERRUN
    assert tree.nodes[tree.add(node - 1, step("End.", n=1, is_last=True))].end is None


def test_a_repeated_step_loops_unless_it_is_the_last(tree: SearchTree) -> None:
    one = tree.add(0, step("So."))
    assert tree.nodes[tree.add(one, step("So."))].end is SearchEnd.LOOPED
    assert tree.nodes[tree.add(one, step("so."))].end is None
    assert tree.nodes[tree.add(one, step("So.", is_last=True))].end is None
    # It is in one piece, so there is no telling where to stop.
    assert tree.nodes[tree.add(one, step("So."), is_whole=True)].end is None


def test_the_end_of_a_solution_may_have_no_text(tree: SearchTree) -> None:
    one = tree.add(0, step("The answer is 4."))
    tree.reward(one, [0.75])
    end = tree.add(one, step("", n=1, is_last=True))
    tree.reward(end, [0.75])
    assert tree.is_finished(end)
    assert tree.nodes[end].reward == 0.75
    assert tree.steps(end) == ("The answer is 4.",)
    assert tree.rewards(end) == [0.75]
    nothing = tree.add(0, step("", n=1, is_last=True))
    tree.reward(nothing, [])
    assert tree.nodes[nothing].end is SearchEnd.UNSCORED


def test_only_the_reward_of_the_leaf_must_be_there(tree: SearchTree) -> None:
    one = tree.add(0, step("One."), is_whole=True)
    two = tree.add(one, step("Two.", is_last=True), is_whole=True)
    tree.reward(two, [None, 0.5])
    assert tree.is_finished(two)
    assert tree.scores([two], Aggregation.MIN).tolist() == [0.5]
    last = tree.add(0, step("One.", is_last=True))
    tree.reward(last, [None])
    assert tree.nodes[last].end is SearchEnd.UNSCORED
