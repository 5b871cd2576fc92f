"""Search trees: where nodes stand, and what the figure shows of hostile and unfinished ones."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multirm.errors import InputError
from multirm.figures.render import rendered
from multirm.figures.search_tree import (
    GOES_ON,
    RIGHT,
    UNFINISHED,
    UNJUDGED,
    WRONG,
    chart,
    cut,
    draw_search_tree,
    placed,
)
from multirm.tables import parquet
from multirm.tables.search_nodes import SEARCH_NODES
from tests.evaluation.test_searches import nodes
from tests.origins import made_of

Row = dict[str, Any]

POOL = [
    ([0.9, None], "4", "finished"),
    ([0.5], "5\n</script><b>", "finished"),
    ([0.2], None, "looped"),
]


def drawn(rows: list[Row]) -> tuple[list[Row], str]:
    """What nodes are drawn from, and the sentences below the title."""
    figure = chart(rows)
    assert rendered(figure, [".svg"])
    found = figure.to_dict()
    data = next(own for own in found["datasets"].values() if own and "worth" in own[0])
    return data, " ".join(found["title"]["subtitle"])


def test_nodes_have_their_ends_rewards_and_safe_texts() -> None:
    data, said = drawn(nodes(POOL))
    assert [each["end"] for each in data] == [GOES_ON, GOES_ON, RIGHT, WRONG, UNFINISHED]
    assert [each["worth"] for each in data] == [None, 0.9, None, 0.5, 0.2]
    assert data[3]["answer"] == "5\\n</script><b>" and data[3]["label"] == "5\\n</sc…"
    assert "4 steps, 2 finished solutions, of which 1 are right." in said
    assert "the reward of the step; white: none." in said and "1 solutions did not finish" in said


def test_where_nodes_have_values_these_are_shown() -> None:
    rows = nodes(POOL)
    rows[1] |= {"value": 0.7}
    rows[2] |= {"outcome": None}
    data, said = drawn(rows)
    assert [each["worth"] for each in data] == [None, 0.7, None, None, None]
    assert data[2]["end"] == UNJUDGED
    assert "the value of the step" in said


def test_a_question_alone_and_a_chain_deeper_than_the_stack_are_trees() -> None:
    drawn(nodes([]))
    assert placed({0: None} | {k: k - 1 for k in range(1, 5_000)}) == dict.fromkeys(range(5_000), 0)


@given(st.lists(st.integers(0, 30), min_size=1, max_size=30))
def test_leaves_are_apart_and_no_branches_cross(choices: list[int]) -> None:
    parents: dict[int, int | None] = {0: None}
    parents |= {k: choice % k for k, choice in enumerate(choices, 1)}
    places = placed(parents)
    assert places.keys() == parents.keys()
    leaves = [node for node in parents if node not in parents.values()]
    assert sorted(places[leaf] for leaf in leaves) == list(range(len(leaves)))

    def below(node: int) -> list[float]:
        """The places of the leaves of a node."""
        own = [child for child, parent in parents.items() if parent == node]
        return sorted(x for child in own for x in below(child)) if own else [places[node]]

    for node in parents:
        within = below(node)
        # The leaves of a node are side by side, and it is amid them.
        assert within[-1] - within[0] == len(within) - 1
        assert within[0] <= places[node] <= within[-1]


def test_texts_are_cut() -> None:
    assert cut("short", 8) == "short"
    assert cut("exactly8", 8) == "exactly8"
    assert cut("far too long", 8) == "far too…"
    assert cut("\x1b[31m", 4) == "\\x1…"


def test_one_tree_of_a_table_is_drawn(tmp_path: Path) -> None:
    path, figure = tmp_path / "nodes.parquet", tmp_path / "tree.svg"
    rows = nodes(POOL) + nodes(POOL[:1], question_id="q2")
    parquet.write(path, SEARCH_NODES, rows, made_of())
    draw_search_tree(path, [figure])
    assert "question q1" in figure.read_text()
    draw_search_tree(path, [figure], question_id="q2")
    assert "question q2" in figure.read_text() and "2 steps" in figure.read_text()
    with pytest.raises(InputError, match="a tree of search 'PBS', found none"):
        draw_search_tree(path, [figure], search="PBS")
    parquet.write(path, SEARCH_NODES, [], made_of())
    draw_search_tree(path, [figure])
    assert "no tree to draw" in figure.read_text()
