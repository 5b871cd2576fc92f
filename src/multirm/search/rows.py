"""A search as rows of tables: its nodes, and what was chosen at what cost."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from multirm.search.choice import Candidate, choose
from multirm.search.costs import Cost
from multirm.search.options import SearchOptions
from multirm.search.tree import ROOT, SearchTree
from multirm.tables.questions import QUESTIONS
from multirm.tables.rewards import Scale
from multirm.tables.search_nodes import SearchEnd
from multirm.tables.searches import SearchMethod
from multirm.text.answers import answer_form, outcome_label, spell
from multirm.text.solving import Asked, read_reply
from multirm.text.step_ends import StepEnd

Row = Mapping[str, Any]


def node_rows(
    name: str, question: Row, tree: SearchTree, options: SearchOptions
) -> list[dict[str, Any]]:
    """The rows of a tree.

    Args:
        name: of the search.
        question: a row of a questions table.
        tree: its tree.
        options: of the search.
    """
    key = {column: question[column] for column in QUESTIONS.key}
    asked, rows = Asked.of(question), []
    for number, node in enumerate(tree.nodes):
        answer = None
        if tree.is_finished(number):
            answer = _answer(tree, number, asked, options.step_end)
        rows.append(
            {
                "search": name,
                **key,
                "node": number,
                "parent": node.parent,
                "depth": node.depth,
                "text": node.step.text,
                "n_tokens": node.step.n_drawn,
                "reward": node.reward,
                "value": node.value,
                "visits": node.visits if options.method is SearchMethod.MCTS else node.n_asked,
                "end": node.end,
                "parsed_answer": answer,
                "outcome": _outcome(answer, question) if tree.is_finished(number) else None,
            }
        )
    return rows


def search_row(
    name: str,
    question: Row,
    tree: SearchTree,
    nodes: Sequence[Row],
    cost: Cost,
    options: SearchOptions,
    scale: Scale,
) -> dict[str, Any]:
    """The row of a question's search.

    Args:
        nodes: rows of its nodes.
        scale: of the rewards.
    """
    finished = [row for row in nodes if row["end"] == SearchEnd.FINISHED]
    candidates = [
        Candidate(
            row["parsed_answer"],
            _spelling(row["parsed_answer"], question["answer"]),
            tree.rewards(row["node"]),
        )
        for row in finished
        if row["parsed_answer"] is not None
    ]
    chosen = choose(candidates, options.final, scale)
    outcomes = [row["outcome"] for row in finished if row["outcome"] is not None]
    ends = Counter(row["end"] for row in nodes)
    goes_on_after = {row["parent"] for row in nodes} | {ROOT}
    dropped = [row for row in nodes if row["end"] is None and row["node"] not in goes_on_after]
    return {
        "search": name,
        **{column: question[column] for column in QUESTIONS.key},
        "method": options.method,
        "n_finished": len(finished),
        "n_overrun": ends[SearchEnd.OVERRUN],
        "n_looped": ends[SearchEnd.LOOPED],
        "n_unscored": ends[SearchEnd.UNSCORED],
        "n_dropped": len(dropped),
        "best_answer": chosen.best,
        "best_outcome": _outcome(chosen.best, question),
        "majority_answer": chosen.majority,
        "majority_outcome": _outcome(chosen.majority, question),
        "weighted_answer": chosen.weighted,
        "weighted_outcome": _outcome(chosen.weighted, question),
        "covered": None if question["answer"] is None else int(1 in outcomes),
        **vars(cost),
    }


def _answer(tree: SearchTree, number: int, asked: Asked, step_end: StepEnd) -> str | None:
    """The answer that a finished solution gives last."""
    text = step_end.joined(tree.steps(number))
    return read_reply(text, asked)[1]


def _spelling(answer: str, reference: str | None) -> str:
    """A spelling that equal answers share; without a reference, the answer itself."""
    return answer.strip() if reference is None else spell(answer, answer_form(reference)).text


def _outcome(answer: str | None, question: Row) -> int | None:
    reference = question["answer"]
    return None if reference is None else outcome_label(answer, reference)
