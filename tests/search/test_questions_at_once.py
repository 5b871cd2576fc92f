"""A new question begins when another one ends, so that the caches of both models are not overrun."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from multirm.search.costs import Cost
from multirm.search.plan import Expansion, Plan
from multirm.search.policy import Drawn
from multirm.search.rounds import Search, search_all
from multirm.search.tree import SearchTree
from tests.search.toy import LIMITS, step


class Recorder:
    """A policy and a judge that record which questions each round is about."""

    def __init__(self) -> None:
        self.rounds: list[list[int]] = []

    def draw(self, asked: Sequence[tuple[SearchTree, Expansion]]) -> list[Drawn]:
        self.rounds.append([int(tree.key[0]) for tree, _ in asked])
        return [Drawn([[step("So.")]], Cost()) for _ in asked]

    def reward(self, asked: Sequence[Any]) -> list[Cost]:
        return [Cost()] * len(asked)


def plan_of(tree: SearchTree, _: int) -> Plan:
    """As many rounds as the number of the question."""

    def rounds() -> Iterator[list[Expansion]]:
        for _ in range(int(tree.key[0])):
            yield [Expansion(0, 1)]

    return rounds()  # type: ignore[return-value]


def test_as_many_questions_as_fit_are_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("multirm.search.rounds.AT_ONCE", 2)
    recorder = Recorder()
    searches = [Search(SearchTree((n,), LIMITS), plan_of, None) for n in (3, 1, 2, 1)]
    search_all(searches, recorder, recorder)  # type: ignore[arg-type]
    assert recorder.rounds == [[3, 1], [3, 2], [3, 2], [1], []]
