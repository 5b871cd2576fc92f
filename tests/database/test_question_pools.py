"""Pools question by question: the same choices as in SQL, with what they rest on."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from multirm.database.choices import Pool
from multirm.database.opening import open_database
from multirm.database.question_pools import (
    QuestionPool,
    models_of,
    read_pools,
    scored_datasets,
)
from multirm.database.question_texts import read_critiques, read_texts, verdict_span
from multirm.database.reasons import (
    NO_ANSWER,
    Basis,
    ExplainedChoice,
    Scorer,
    Trait,
    explained_choices,
    traits_of_choices,
)
from multirm.tables import parquet
from multirm.tables.accuracy import Aggregation, Selection
from multirm.tables.nodes import NODES
from multirm.tables.questions import QUESTIONS
from multirm.tables.reward_models import Kind
from multirm.tables.rewards import SCORED_CRITIQUES
from multirm.tables.samples import SAMPLES
from multirm.tables.search_nodes import SEARCH_NODES
from multirm.tables.views import find_tables
from tests.database.pools import write_pools
from tests.origins import made_of

ONE, OTHER = Scorer("one", Aggregation.MIN), Scorer("other", Aggregation.MIN)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pools(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def database(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_database(find_tables(folder)) as database:
        yield database


@pytest.fixture(scope="module")
def pools(database: duckdb.DuckDBPyConnection) -> list[QuestionPool]:
    models = models_of(database, "d")
    return [
        pool for place in scored_datasets(database) for pool in read_pools(database, *place, models)
    ]


def test_choices_are_those_of_the_view(
    database: duckdb.DuckDBPyConnection, pools: list[QuestionPool]
) -> None:
    columns = "correct, n_tied, solution_ids, score"
    rows = database.sql(
        f"SELECT category, question_id, selection, model, aggregation, {columns} FROM choices "
        "WHERE is_default OR model IS NULL"
    ).fetchall()
    wanted = {row[:5]: row[5:] for row in rows}
    found = {
        (*pool.key[1:], str(each.choice.selection), *(each.scorer or (None, None))): (
            each.choice.correct,
            each.choice.n_tied,
            [pool.solution_ids[place] for place in each.choice.positions],
            each.choice.score,
        )
        for pool in pools
        for each in pool.choices
    }
    assert len(found) == 24 * 7
    assert found.keys() == wanted.keys()
    for key, (correct, n_tied, solutions, score) in found.items():
        assert (correct, n_tied, solutions) == wanted[key][:3], key
        assert score == pytest.approx(wanted[key][3]), key


def test_what_is_chosen_comes_first_and_the_rest_by_worth(pools: list[QuestionPool]) -> None:
    bases = set()
    for pool in pools:
        for each in pool.choices:
            bases.add(each.basis)
            chosen = sorted(place for own in each.chosen for place in own.solutions)
            assert chosen == list(each.choice.positions)
            rest = [
                -np.inf if own.worth is None else own.worth
                for own in each.candidates[each.choice.n_tied :]
            ]
            assert rest == sorted(rest, reverse=True)
            places = [place for own in each.candidates for place in own.solutions]
            is_best = each.choice.selection is Selection.BEST_OF_N
            everyone = np.flatnonzero(np.full(len(pool.answers), is_best) | (pool.answers >= 0))
            assert sorted(places) == everyone.tolist()
    assert bases == set(Basis)


def test_votes_are_sums_of_weights(pools: list[QuestionPool]) -> None:
    for pool in pools:
        for each in pool.choices:
            if each.scorer is None or each.choice.selection is not Selection.WEIGHTED_VOTE:
                continue
            if each.basis is not Basis.REWARDS:
                continue
            for own in each.candidates:
                cast = pool.weights[each.scorer][list(own.solutions)]
                cast = cast[~np.isnan(cast)]
                assert own.worth == (pytest.approx(cast.sum()) if len(cast) else None)


def explained(
    codes: list[int],
    correct: list[int],
    weights: dict[Scorer, list[float]],
    complete: list[bool] | None = None,
) -> list[ExplainedChoice]:
    pool = Pool(np.array(codes), np.array(correct, dtype=bool), True)
    rewards = {scorer: np.array(own) for scorer, own in weights.items()}
    is_complete = np.array(complete or [True] * len(codes))
    return explained_choices(pool, is_complete, rewards, rewards)


@pytest.mark.parametrize(
    ("correct", "one", "other", "traits"),
    [
        # The vote is for answer 0.
        ([1, 1, 0], [0.9, 0.1, 0.2], [0.8, 0.1, 0.2], set()),
        ([1, 1, 0], [0.9, 0.1, 0.2], [0.2, 0.1, 0.8], {Trait.DISAGREE, Trait.ONLY_ONE_RIGHT}),
        ([0, 0, 1], [0.1, 0.1, 0.9], [0.1, 0.2, 0.9], {Trait.AGAINST_VOTE}),
        # A tie between solutions with the same answer does not matter.
        ([1, 1, 0], [0.9, 0.9, 0.2], [0.9, 0.9, 0.2], set()),
        ([1, 1, 0], [0.9, 0.1, 0.9], [0.9, 0.1, 0.9], {Trait.TIED}),
        ([1, 1, 0], [0.9, 0.1, 0.9], [0.9, 0.1, 0.2], {Trait.TIED, Trait.DISAGREE}),
    ],
)
def test_traits_of_choices(
    correct: list[int], one: list[float], other: list[float], traits: set[Trait]
) -> None:
    assert traits_of_choices(explained([0, 0, 1], correct, {ONE: one, OTHER: other})) == traits


def test_one_of_one_model_is_not_the_only_one() -> None:
    found = explained([0, 0, 1], [1, 1, 0], {ONE: [0.9, 0.1, 0.2]})
    assert traits_of_choices(found) == set()


def test_without_rewards_a_solution_is_better_than_a_sample_that_is_none() -> None:
    nan = float("nan")
    found = explained([NO_ANSWER, 0, 1], [0, 1, 0], {ONE: [nan] * 3}, [False, True, True])
    best = next(each for each in found if each.choice.selection is Selection.BEST_OF_N)
    assert list(best.choice.positions) == [1, 2]
    assert best.choice.correct == 0.5
    assert best.basis is Basis.NO_REWARDS
    assert best.candidates[2].solutions == (0,)


def test_samples_that_are_no_solutions_are_wrong_members_of_their_pool(tmp_path: Path) -> None:
    folder = write_pools(tmp_path, has_answers=True)
    key = {"dataset": "d", "category": "law"}
    sample = {**key, "text": "I think", "n_tokens_read": 1, "n_tokens_generated": 2}
    rows = [
        {**sample, "question_id": "q0", "solution_id": 90, "reason": "cut_off"},
        {**sample, "question_id": "q0", "solution_id": 0, "reason": None},
        # A question without any solution.
        {**sample, "question_id": "z", "solution_id": 0, "reason": "no_answer"},
    ]
    parquet.write(folder / "samples.parquet", SAMPLES, rows, made_of())
    database = open_database(find_tables(folder))
    models = models_of(database, "d")
    found = {
        pool.question_id: pool
        for pool in read_pools(database, "d", "law", models, question_ids=["q0", "z"])
    }
    assert found["q0"].solution_ids[-1] == 90
    assert found["q0"].reasons[-1] == "cut_off"
    assert (found["q0"].answers[-1], bool(found["q0"].correct[-1])) == (NO_ANSWER, False)
    assert Trait.MISSING not in {*found["z"].traits}
    assert [each.choice.correct for each in found["z"].choices] == [0.0] * 7
    texts = read_texts(database, "d", "law", ["q0", "z"])
    assert texts["q0"].steps[90] == ["I think"]
    assert len(texts["q0"].steps) == len(found["q0"].solution_ids)
    database.close()


def test_texts_of_a_question(tmp_path: Path) -> None:
    key = {"dataset": "d", "category": "law", "question_id": "q"}
    question = {**key, "question": "Which?", "options": ["this", "that"], "answer": "B"}
    other = {**question, "question_id": "other"}
    parquet.write(tmp_path / "q.parquet", QUESTIONS, [question, other], made_of())
    critique = {**key, "solution_id": 3, "model": "g", "truncated": False, "n_tokens_generated": 1}
    verdict = "</think>\nVerification: Is the answer correct (Yes/No)? Yes"
    critiques = [
        {**critique, "critique_id": 1, "critique": "…", "reward": None, "reason": "length"},
        {**critique, "critique_id": 0, "critique": verdict, "reward": 0.5, "reason": None},
    ]
    parquet.write(tmp_path / "c.parquet", SCORED_CRITIQUES, critiques, made_of())
    nodes = [
        {**key, "node": node, "parent": parent, "depth": node, "text": "x", "value": 0.5}
        | {"n_leaves": 1, "standard_error": None, "solution_ids": [3, 4], "rewards": [0.0, 1.0]}
        for node, parent in [(0, None), (1, 0)]
    ]
    parquet.write(tmp_path / "n.parquet", NODES, nodes, made_of())
    searched = [
        {**key, "search": "beam", "node": node, "parent": parent, "depth": node, "text": "x"}
        | {"n_tokens": 1, "reward": 0.25, "value": None, "visits": 2, "end": end}
        | {"parsed_answer": end and "B", "outcome": end and 1}
        for node, parent, end in [(0, None, None), (1, 0, "finished")]
    ]
    parquet.write(tmp_path / "s.parquet", SEARCH_NODES, searched, made_of())

    database = open_database(find_tables(tmp_path))
    texts = read_texts(database, "d", "law", ["q"])["q"]
    assert (texts.question, texts.options, texts.answer) == ("Which?", ["this", "that"], "B")
    trees: list[Any] = [(tree.search, tree.nodes[1]) for tree in texts.trees]
    assert [search for search, _ in trees] == ["beam", ""]
    assert trees[0][1]["worth"] == 0.25
    assert (trees[0][1]["end"], trees[0][1]["n"], trees[0][1]["outcome"]) == ("finished", 2, 1)
    assert (trees[1][1]["worth"], trees[1][1]["n"], trees[1][1]["parent"]) == (0.5, 2, 0)

    found = read_critiques(database, "d", "law", [("q", 3), ("q", 4)], {"g": Kind.GORM})
    first, second = found["q", 3, "g"]
    assert first.verdict is not None
    assert first.text[slice(*first.verdict)] == "Yes"
    assert (second.reward, second.reason, second.verdict) == (None, "length", None)
    assert read_critiques(database, "d", "law", [("other", 3)], {}) == {}
    database.close()


def test_the_last_verdict_is_marked_whatever_the_kind() -> None:
    critique = "</think> Is the solution correct? Yes. No: Is the solution correct? No"
    assert verdict_span(critique, Kind.GPRM) == (len(critique) - 2, len(critique))
    assert verdict_span(critique, None) == (len(critique) - 2, len(critique))
    assert verdict_span(critique, Kind.GORM) is None
    assert verdict_span("Is the solution correct? Yes", Kind.GPRM) is None
