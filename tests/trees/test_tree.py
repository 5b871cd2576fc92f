"""Trees against merging by hand and by plain loops."""

import statistics
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multirm.text.segments import KeepApart, Similarity
from multirm.trees.similarity import Likeness, Texts
from multirm.trees.tree import ROOT, Tree, grow, value_of

EXACT = Likeness(Similarity.EXACT, 1.0)


def paths(tree: Tree) -> list[tuple[str, ...]]:
    """The texts from the root to each node."""
    found: list[tuple[str, ...]] = []
    for parent, text in zip(tree.parents, tree.texts, strict=True):
        found.append(() if parent is None else (*found[parent], text))
    return found


# The beginnings of OpenPRM's Table 5.
FIRST = (
    "To identify the logical fallacy used in the text, let's analyze the situation step by step."
)
SECOND = "To identify the logical fallacy in the text, let's break down the reasoning process step by step."
THEN = ["The text presents a claim.", "Nobody else was asked about the weather."]


@pytest.mark.parametrize(("threshold", "n_nodes"), [(0.75, 3), (0.88, 4)])
def test_the_tree_of_the_paper(threshold: float, n_nodes: int) -> None:
    tree = grow([[FIRST, THEN[0]], [SECOND, THEN[1]]], Likeness(Similarity.RATIO, threshold))
    assert len(tree.texts) - 1 == n_nodes
    # Merged, the first node has the first answer's words and both answers.
    assert tree.texts[1] == FIRST
    assert tree.answers[1] == ([0, 1] if threshold == 0.75 else [0])
    assert tree.depths == ([0, 1, 2, 2] if threshold == 0.75 else [0, 1, 2, 1, 2])


def test_the_order_of_answers_matters() -> None:
    # Each is like the next, but not the first like the last.
    a, b, c = "aaaaaaaaaa", "aaaaaaaaab", "aaaaaaaabb"
    rule = Likeness(Similarity.RATIO, 0.9)
    assert grow([[a], [b], [c]], rule).texts == ["", a, c]
    assert grow([[b], [a], [c]], rule).texts == ["", b]


def test_numbers_are_kept_apart_on_request() -> None:
    answers = [["He earns 18 dollars per day"], ["He earns 19 dollars per day"]]
    assert len(grow(answers, Likeness(Similarity.RATIO, 0.88)).texts) == 2
    apart = Likeness(Similarity.RATIO, 0.88, (KeepApart.NUMBERS,))
    assert len(grow(answers, apart).texts) == 3


def plainly(answers: list[list[str]], likeness: Likeness) -> dict[tuple[str, ...], list[int]]:
    """The answers through each node by the texts on its path: each segment is compared with each sibling."""
    nodes: dict[tuple[str, ...], list[int]] = {(): []}
    for number, segments in enumerate(answers):
        path: tuple[str, ...] = ()
        nodes[path].append(number)
        for segment in segments:
            for other in [known for known in nodes if known[:-1] == path and known]:
                alike = Texts()
                alike.texts.append(other[-1])
                same = likeness.must_share(other[-1]) == likeness.must_share(segment)
                if same and likeness.first_alike(segment, alike) is not None:
                    path = other
                    break
            else:
                path = (*path, segment)
                nodes[path] = []
            nodes[path].append(number)
    return nodes


@given(
    answers=st.lists(st.lists(st.text("ab1", min_size=1, max_size=4), max_size=4), max_size=12),
    apart=st.sampled_from([(), (KeepApart.NUMBERS,)]),
    threshold=st.sampled_from([0.5, 0.75, 1.0]),
)
def test_against_plain_loops(answers: list[list[str]], apart: Any, threshold: float) -> None:
    likeness = Likeness(Similarity.RATIO, threshold, apart)
    tree = grow(answers, likeness)
    assert dict(zip(paths(tree), tree.answers, strict=True)) == plainly(answers, likeness)
    assert tree.depths == [len(path) for path in paths(tree)]


def test_answers_without_segments_and_equal_ones() -> None:
    tree = grow([[], ["a"], ["a"], []], EXACT)
    assert tree.answers == [[0, 1, 2, 3], [1, 2]]
    assert grow([], EXACT).answers == [[]]


def test_ten_thousand_answers_to_one_question() -> None:
    answers = [[f"Step {number % 500}", "So be it."] for number in range(10_000)]
    tree = grow(answers, EXACT)
    assert len(tree.texts) == 1 + 500 + 500
    assert len(tree.answers[ROOT]) == 10_000


@given(st.lists(st.none() | st.floats(-100, 100), max_size=8))
def test_values(rewards: list[float | None]) -> None:
    known = [reward for reward in rewards if reward is not None]
    value = value_of(rewards)
    assert value.n_leaves == len(known)
    if not known:
        assert value.mean is None
    else:
        assert value.mean == pytest.approx(statistics.fmean(known))
    if len(known) < 2:
        assert value.standard_error is None
    else:
        expected = statistics.stdev(known) / len(known) ** 0.5
        assert value.standard_error == pytest.approx(expected, abs=1e-9)
