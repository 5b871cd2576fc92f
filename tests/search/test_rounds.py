"""The loop: one request per round for all questions, budgets, and journals from which a killed search goes on."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from multirm.engines.base import Completed, Key, Prompt, Request
from multirm.engines.name import EngineName
from multirm.running.journal import Journal, open_journal
from multirm.search.judge import Judge, Question
from multirm.search.methods import plan_of
from multirm.search.options import PolicyOptions, SearchOptions
from multirm.search.policy import Policy
from multirm.search.rounds import Search, search_all
from multirm.search.rows import node_rows, search_row
from multirm.search.tree import Limits, SearchTree
from multirm.tables.rewards import Scale
from multirm.tables.search_nodes import SearchEnd
from multirm.tables.searches import NodeValue, SearchMethod
from tests.origins import made_of
from tests.search.toy import ToyEngine, ToyReader, ToyTokenizer

POLICY = PolicyOptions(engine=EngineName.TRANSFORMERS, max_tokens=200, seed=3)
OPTIONS = SearchOptions(
    method=SearchMethod.BEAM_SEARCH, candidates=4, max_steps=6, max_step_tokens=60
)
METHODS = [
    {"method": method} for method in SearchMethod
] + [{"method": SearchMethod.MCTS, "node_value": NodeValue.REWARD, "exploration": 0.1}]  # fmt: skip


def asked(n: int) -> list[dict[str, Any]]:
    return [
        {"dataset": "d", "category": "c", "question_id": f"q{k}", "question": f"Question {k}?"}
        | {"options": None, "answer": "2"}
        for k in range(n)
    ]


def says(prompt: Prompt, text: str, sample: int) -> str:
    """Up to four steps, each with a number from the key, then an answer."""
    draw = np.random.default_rng([sum(map(ord, str(prompt.key))), sample, len(text)])
    n_left = 4 - text.count("\n\n")
    lines = [f"Say {draw.integers(1000)}." for _ in range(max(0, n_left))]
    return "\n\n".join([*lines, f"The answer is {draw.integers(3)}."])


def rewarded(steps: tuple[str, ...]) -> float:
    return sum(map(ord, steps[-1])) % 97 / 97


class KilledError(Exception):
    pass


class DyingEngine(ToyEngine):
    """Dies at its call number `dies`, after the first batch."""

    def __init__(self, says: Callable[[Prompt, str, int], str], dies: int) -> None:
        super().__init__(says)
        self._dies = dies

    def generate(self, request: Request) -> Iterator[list[Completed]]:
        for some in super().generate(request):
            yield some
            if self.n_calls >= self._dies:
                raise KilledError


def searched(
    journal: Journal,
    options: SearchOptions,
    engine: ToyEngine,
    reader: ToyReader,
    n: int = 3,
) -> list[Search]:
    rows = asked(n)
    keys: list[Key] = [("d", "c", row["question_id"]) for row in rows]
    prompts = {key: [*map(ord, row["question"])] for key, row in zip(keys, rows, strict=True)}
    texts = {key: Question(row["question"], "c") for key, row in zip(keys, rows, strict=True)}
    policy = Policy(
        engine,
        ToyTokenizer(),  # type: ignore[arg-type]
        POLICY,
        options.step_end.stop,
        options.max_step_tokens,
        prompts,
        None,
        journal,
    )
    judge = Judge(reader, texts, journal)
    begin = partial(plan_of, options, reader.scale, 3)
    searches = [
        Search(SearchTree(key, Limits(6, 200)), begin, options.policy_tokens) for key in keys
    ]
    search_all(searches, policy, judge)
    return searches


@contextmanager
def journal_in(folder: Path) -> Iterator[Journal]:
    with open_journal(folder / "out.parquet", made_of()) as journal:
        yield journal


def tables_of(searches: Sequence[Search], options: SearchOptions) -> list[Any]:
    rows = asked(len(searches))
    nodes = [
        node_rows("s", row, each.tree, options) for row, each in zip(rows, searches, strict=True)
    ]
    return [
        (own, search_row("s", row, each.tree, own, each.cost, options, Scale.PROBABILITY))
        for row, each, own in zip(rows, searches, nodes, strict=True)
    ]


@pytest.mark.parametrize("method", METHODS, ids=lambda each: "-".join(map(str, each.values())))
def test_a_killed_search_goes_on_to_the_same_tables(tmp_path: Path, method: dict[str, Any]) -> None:
    options = SearchOptions(**{**vars(OPTIONS), **method})
    with journal_in(tmp_path) as journal:
        whole = searched(journal, options, engine := ToyEngine(says), ToyReader(rewarded))
    for dies in range(1, engine.n_calls + 1, 3):
        with pytest.raises(KilledError), journal_in(tmp_path) as journal:
            searched(journal, options, DyingEngine(says, dies), ToyReader(rewarded))
        with journal_in(tmp_path) as journal:
            again = ToyEngine(says)
            resumed = searched(journal, options, again, ToyReader(rewarded))
        assert json.dumps([nodes for nodes, _ in tables_of(resumed, options)]) == json.dumps(
            [nodes for nodes, _ in tables_of(whole, options)]
        )
        assert len(again.asked) < len(engine.asked)
        for one, other in zip(resumed, whole, strict=True):
            assert one.cost.policy_generated == other.cost.policy_generated
            assert one.cost.policy_computed == other.cost.policy_computed
            assert one.cost.reward_new == other.cost.reward_new


@pytest.mark.parametrize("method", METHODS, ids=lambda each: "-".join(map(str, each.values())))
def test_all_questions_are_asked_together(tmp_path: Path, method: dict[str, Any]) -> None:
    options = SearchOptions(**{**vars(OPTIONS), **method})
    engines = []
    for n in (1, 8):
        with journal_in(tmp_path) as journal:
            engine, reader = ToyEngine(says), ToyReader(rewarded)
            searches = searched(journal, options, engine, reader, n)
        engines.append((engine.n_calls, reader.n_calls))
        # Two methods divide samples unequally, and ask once for each number of samples.
        rounds = max(node.depth for each in searches for node in each.tree.nodes) + 1
        if options.method in (SearchMethod.BEST_OF_N, SearchMethod.BEAM_SEARCH):
            assert engine.n_calls <= 2 * rounds
    (one, _), (many, read) = engines
    assert many <= 4 * one
    assert read <= many


def test_costs_are_those_of_the_question(tmp_path: Path) -> None:
    with journal_in(tmp_path) as journal:
        searches = searched(journal, OPTIONS, ToyEngine(says), ToyReader(rewarded), 2)
    for each in searches:
        nodes = each.tree.nodes
        assert each.cost.policy_generated == sum(node.step.n_drawn for node in nodes)
        # Each beginning of a solution is read once, also if two samples have it.
        read = {each.tree.steps(number) for number in range(1, len(nodes))}
        n_read = sum(len(steps[-1]) for steps in read)
        assert each.cost.reward_computed == each.cost.reward_new == n_read
        assert each.cost.reward_flops == each.cost.reward_new
        assert each.cost.policy_flops is None
        assert each.cost.seconds > 0


@pytest.mark.parametrize("method", METHODS, ids=lambda each: "-".join(map(str, each.values())))
def test_methods_draw_equally_many_tokens(tmp_path: Path, method: dict[str, Any]) -> None:
    options = SearchOptions(**{**vars(OPTIONS), **method, "candidates": 4, "policy_tokens": 1000})
    with journal_in(tmp_path) as journal:
        searches = searched(journal, options, ToyEngine(says), ToyReader(rewarded), 8)
    drawn = [each.cost.policy_generated for each in searches]
    assert sum(drawn) / len(drawn) == pytest.approx(1000, rel=0.05)
    assert any(each.tree.finished for each in searches)


def test_best_of_n_stays_near_a_budget_of_few_solutions(tmp_path: Path) -> None:
    method = SearchMethod.BEST_OF_N
    options = SearchOptions(**{**vars(OPTIONS), "method": method, "candidates": 16})
    options = replace(options, policy_tokens=90)
    with journal_in(tmp_path) as journal:
        searches = searched(journal, options, ToyEngine(says), ToyReader(rewarded), 8)
    # Solutions have about 60 tokens.
    assert all(each.cost.policy_generated < 150 for each in searches)


def test_a_search_that_draws_nothing_does_not_begin_again(tmp_path: Path) -> None:
    class Full(ToyEngine):
        def generate(self, request: Request) -> Iterator[list[Completed]]:
            self.n_calls += 1
            yield [Completed.without_room(each, request.sampling) for each in request.left]

    options = SearchOptions(**{**vars(OPTIONS), "policy_tokens": 1000})
    with journal_in(tmp_path) as journal:
        searches = searched(journal, options, engine := Full(says), ToyReader(rewarded))
    assert engine.n_calls == 1
    [[nodes, row], *_] = tables_of(searches, options)
    assert {node["end"] for node in nodes[1:]} == {SearchEnd.OVERRUN}
    assert (row["best_answer"], row["best_outcome"], row["n_overrun"]) == (None, 0, 4)


HOSTILE: dict[str, Callable[[Prompt, str, int], str]] = {
    "never stops": lambda prompt, text, sample: "a" * 500,
    "only blank lines": lambda prompt, text, sample: " " * 20 + "\n\n",
    "says nothing": lambda prompt, text, sample: "",
    "repeats itself": lambda prompt, text, sample: "Hm.\n\n" * 100,
    "ends at once": lambda prompt, text, sample: "The answer is 2.",
}


@pytest.mark.parametrize("method", METHODS, ids=lambda each: "-".join(map(str, each.values())))
@pytest.mark.parametrize("policy", HOSTILE)
@pytest.mark.parametrize("budget", [None, 90])
def test_searches_end_whatever_the_policy_does(
    tmp_path: Path, method: dict[str, Any], policy: str, budget: int | None
) -> None:
    options = SearchOptions(**{**vars(OPTIONS), **method, "policy_tokens": budget})
    with journal_in(tmp_path) as journal:
        searches = searched(journal, options, ToyEngine(HOSTILE[policy]), ToyReader(rewarded), 1)
    [(nodes, row)] = tables_of(searches, options)
    ends = {node["end"] for node in nodes[1:]}
    if policy == "ends at once":
        assert ends == {SearchEnd.FINISHED}
        assert row["covered"] == row["best_outcome"] == row["majority_outcome"] == 1
    else:
        assert SearchEnd.FINISHED not in ends
        assert row["best_answer"] is row["majority_answer"] is row["weighted_answer"] is None
        assert row["n_finished"] == row["best_outcome"] == row["covered"] == 0
    if policy == "says nothing":
        assert ends == {SearchEnd.UNSCORED}
        assert row["reward_computed"] == 0
    n_ended = sum(row[f"n_{end}"] for end in ("finished", "overrun", "looped", "unscored"))
    assert n_ended == sum(node["end"] is not None for node in nodes)


@pytest.mark.parametrize("method", METHODS, ids=lambda each: "-".join(map(str, each.values())))
def test_no_tokens_are_drawn_beyond_the_limit(tmp_path: Path, method: dict[str, Any]) -> None:
    def endless(prompt: Prompt, text: str, sample: int) -> str:
        return "\n\n".join(f"{len(text)}, {k} {'so on' * 8}." for k in range(99))

    options = SearchOptions(**{**vars(OPTIONS), **method})
    with journal_in(tmp_path) as journal:
        searches = searched(journal, options, ToyEngine(endless), ToyReader(rewarded), 1)
    longest = max(node.n_ids for node in searches[0].tree.nodes)
    # As many as a solution may have in `POLICY`.
    assert longest == POLICY.max_tokens


def test_blank_lines_are_not_asked_for_without_end(tmp_path: Path) -> None:
    def blank(prompt: Prompt, text: str, sample: int) -> str:
        return "\n\n"

    with journal_in(tmp_path) as journal:
        searches = searched(journal, OPTIONS, engine := ToyEngine(blank), ToyReader(rewarded), 1)
    assert engine.n_calls == 9
    assert {node.end for node in searches[0].tree.nodes[1:]} == {SearchEnd.OVERRUN}


def test_without_rewards_nothing_is_chosen(tmp_path: Path) -> None:
    with journal_in(tmp_path) as journal:
        searches = searched(journal, OPTIONS, ToyEngine(says), ToyReader(lambda steps: None))
    for nodes, row in tables_of(searches, OPTIONS):
        assert (row["n_unscored"], row["n_finished"], row["best_answer"]) == (4, 0, None)
        assert [node["reward"] for node in nodes] == [None] * 5


def test_without_questions_nothing_is_asked(tmp_path: Path) -> None:
    with journal_in(tmp_path) as journal:
        assert searched(journal, OPTIONS, engine := ToyEngine(says), ToyReader(rewarded), 0) == []
    assert engine.n_calls == 0


@pytest.mark.parametrize("method", METHODS, ids=lambda each: "-".join(map(str, each.values())))
def test_one_candidate_is_one_solution(tmp_path: Path, method: dict[str, Any]) -> None:
    options = SearchOptions(**{**vars(OPTIONS), **method, "candidates": 1, "children": 1})
    with journal_in(tmp_path) as journal:
        searches = searched(journal, options, ToyEngine(says), ToyReader(rewarded))
    for nodes, row in tables_of(searches, options):
        assert row["n_finished"] == 1
        assert row["best_answer"] == row["majority_answer"] == row["weighted_answer"]
        assert [node["node"] for node in nodes] == list(range(len(nodes)))
