"""Options that depend on the reward model: what is chosen must not depend on how a solution was drawn."""

import pytest

from multirm.search.costs import Cost
from multirm.search.options import SearchOptions
from multirm.search.rows import node_rows, search_row
from multirm.search.tree import ROOT, SearchTree
from multirm.tables.accuracy import Aggregation
from multirm.tables.rewards import Scale, Unit
from multirm.tables.searches import SearchMethod
from tests.search.toy import LIMITS, step

QUESTION = {"dataset": "d", "category": "c", "question_id": "q", "question": "?"} | {
    "options": None,
    "answer": "1",
}


def chosen(options: SearchOptions, *, is_whole: bool) -> str | None:
    """The best answer of two solutions, of which each reading rewards the last step only."""
    tree = SearchTree(("d", "c", "q"), LIMITS)
    for answer, at_first, at_last in (("2", 0.6, 0.5), ("1", 0.2, 0.9)):
        first = tree.add(ROOT, step(f"Think of {answer}."), is_whole=is_whole)
        if not is_whole:
            tree.reward(first, [at_first])
        text = f"The answer is {answer}."
        tree.reward(tree.add(first, step(text, is_last=True), is_whole=is_whole), [None, at_last])
    nodes = node_rows("s", QUESTION, tree, options)
    row = search_row("s", QUESTION, tree, nodes, Cost(), options, Scale.PROBABILITY)
    return str(row["best_answer"])


@pytest.mark.parametrize("unit", [Unit.SOLUTION, Unit.CRITIQUE])
@pytest.mark.parametrize("final", Aggregation)
def test_a_reward_of_the_solution_so_far_is_that_of_its_last_step(
    unit: Unit, final: Aggregation
) -> None:
    asked = SearchOptions(method=SearchMethod.BEAM_SEARCH, final=final, pruning=final)
    options = asked.suited_to(unit)
    assert options.pruning is options.final is Aggregation.LAST
    assert chosen(options, is_whole=True) == chosen(options, is_whole=False) == "1"
    assert asked.suited_to(Unit.STEP) == asked
