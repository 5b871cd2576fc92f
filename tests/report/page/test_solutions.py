"""The payload of the section Solutions: which questions are in it, and what is said of each."""

import base64
import gzip
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multirm.database.opening import open_database
from multirm.database.question_pools import models_of, read_pools
from multirm.database.question_texts import Critique, Texts, Tree
from multirm.report.page.assemble import packed
from multirm.report.page.solutions import (
    MARKS,
    RANDOM,
    TREE,
    Candidate,
    choose_questions,
    pool_payload,
    solutions_payload,
)
from multirm.tables import parquet
from multirm.tables.accuracy import ACCURACY
from multirm.tables.nodes import NODES
from multirm.tables.rewards import REWARDS
from multirm.tables.views import find_tables
from tests.database.pools import write_pools
from tests.origins import made_of
from tests.report.page.rows import accuracy


def unpacked(pool: str) -> Any:
    return json.loads(gzip.decompress(base64.b64decode(pool)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_pools(tmp_path_factory.mktemp("results"), has_answers=True)
    node = {"dataset": "d", "category": "art", "question_id": "t", "standard_error": None}
    node |= {"text": "x", "value": 0.5, "n_leaves": 1, "solution_ids": [0], "rewards": [0.5]}
    nodes = [
        {**node, "node": 0, "parent": None, "depth": 0},
        {**node, "node": 1, "parent": 0, "depth": 1},
    ]
    parquet.write(folder / "nodes.parquet", NODES, nodes, made_of())
    return folder


@pytest.fixture(scope="module")
def database(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_database(find_tables(folder)) as database:
        yield database


def test_everything_is_shown_where_it_fits(database: duckdb.DuckDBPyConnection) -> None:
    payload = solutions_payload(database)
    keys = [tuple(row[:3]) for row in payload["questions"]]
    wanted = [(0, "art", "t")]
    wanted += [(0, category, f"q{n}") for category in ("law", "math") for n in range(12)]
    assert keys == sorted(wanted)
    (dataset,) = payload["datasets"]
    assert (dataset["n_questions"], dataset["n_shown"]) == (25, 25)
    assert [model["name"] for model in dataset["models"]] == ["critiques", "scores", "steps"]
    assert [scorer["aggregation"] for scorer in dataset["scorers"]] == ["mean", "last", "min"]
    assert all(row[4] & 1 << MARKS.index(RANDOM) for row in payload["questions"])


def test_pools_that_were_evaluated_without_reward_models_are_shown(tmp_path: Path) -> None:
    write_pools(tmp_path, has_answers=True)
    for rewards in find_tables(tmp_path)[REWARDS.name]:
        rewards.unlink()
    with open_database(find_tables(tmp_path)) as database:
        assert solutions_payload(database)["questions"] == ()
    rows = [accuracy("majority_vote", 4, category="law")]
    parquet.write(tmp_path / "accuracy.parquet", ACCURACY, rows, made_of())
    with open_database(find_tables(tmp_path)) as database:
        payload = solutions_payload(database)
    assert [row[1] for row in payload["questions"]] == ["law"] * 12
    (choice,) = unpacked(payload["pools"][0])["choices"]
    assert choice["selection"] == "majority_vote"


def test_a_pool_says_what_its_tables_say(database: duckdb.DuckDBPyConnection) -> None:
    payload = solutions_payload(database)
    found = {
        tuple(row[1:3]): unpacked(pool)
        for row, pool in zip(payload["questions"], payload["pools"], strict=True)
    }
    rows = database.sql(
        "SELECT category, question_id, list(solution_id ORDER BY solution_id), "
        "list(parsed_answer ORDER BY solution_id) FROM solutions GROUP BY ALL"
    ).fetchall()
    for category, question_id, ids, _ in rows:
        assert found[category, question_id]["ids"] == ids
    scores = database.sql(
        "SELECT category, question_id, model, list(score ORDER BY solution_id), "
        "list(correct ORDER BY solution_id) FROM scores WHERE is_default GROUP BY ALL"
    ).fetchall()
    for category, question_id, model, own, correct in scores:
        pool = found[category, question_id]
        place = ["critiques", "scores", "steps"].index(model)
        assert pool["scores"][place] == [
            None if score is None else pytest.approx(score, rel=1e-5) for score in own
        ]
        assert pool["correct"] == [int(right) for right in correct]
    rewards = database.sql(
        "SELECT category, question_id, solution_id, list(rewards ORDER BY model) FROM rewards GROUP BY ALL"
    ).fetchall()
    for category, question_id, solution_id, own in rewards:
        pool = found[category, question_id]
        details = pool["details"][str(pool["ids"].index(solution_id))]
        assert details["rewards"] == own
        missing = [pool["ids"].index(solution_id) in places for places in pool["missing"]]
        assert missing == [None in each for each in own]
    assert len(found["art", "t"]["trees"][0]["nodes"]) == 2
    assert "ids" not in found["art", "t"]


def test_the_budget_is_kept_and_what_is_left_out_is_counted(
    database: duckdb.DuckDBPyConnection,
) -> None:
    whole = solutions_payload(database)
    size = len(json.dumps([whole["questions"], whole["pools"]]))
    budget = size // 2
    part = solutions_payload(database, budget)
    assert len(json.dumps([part["questions"], part["pools"]])) <= budget
    assert 5 < len(part["questions"]) < 20
    assert part["datasets"][0]["n_questions"] == 25
    assert part["datasets"][0]["n_shown"] == len(part["questions"])
    assert part == solutions_payload(database, budget)
    pools = {
        tuple(row[:3]): pool for row, pool in zip(whole["questions"], whole["pools"], strict=True)
    }
    for row, pool in zip(part["questions"], part["pools"], strict=True):
        assert pools[tuple(row[:3])] == pool
    other = solutions_payload(database, budget, seed=1)
    assert other["questions"] != part["questions"]


def test_a_single_question_is_shown_however_small_the_budget(
    database: duckdb.DuckDBPyConnection,
) -> None:
    assert len(solutions_payload(database, budget=1)["questions"]) == 1


def test_without_tables_there_is_nothing(tmp_path: Path) -> None:
    with open_database(find_tables(tmp_path)) as empty:
        payload = solutions_payload(empty)
    assert (payload["datasets"], list(payload["questions"]), list(payload["pools"])) == ([], [], [])


CANDIDATES = st.lists(
    st.builds(
        Candidate,
        st.tuples(st.sampled_from("de"), st.just("law"), st.text("abc", min_size=1, max_size=3)),
        st.frozensets(st.sampled_from(MARKS[:4])),
    ),
    unique_by=lambda each: each.key,
    max_size=40,
)


@given(CANDIDATES, st.integers(0, 3))
def test_all_questions_have_their_turn(candidates: list[Candidate], seed: int) -> None:
    order = list(choose_questions(candidates, seed))
    first = dict.fromkeys(each.key for each, _ in order)
    assert sorted(first) == sorted(each.key for each in candidates)
    counts = Counter((each.key, is_random) for each, is_random in order)
    assert set(counts.values()) <= {1}
    # The sample is the beginning of one random order, whatever the marks.
    plain = [Candidate(each.key, frozenset()) for each in candidates]
    sample = [each.key for each, is_random in order if is_random]
    assert sample == [each.key for each, _ in choose_questions(plain, seed)]


def test_rare_marks_have_as_many_turns_as_frequent_ones() -> None:
    common = [Candidate(("d", "law", f"c{n}"), frozenset(["disagree"])) for n in range(500)]
    rare = [Candidate(("d", "law", f"r{n}"), frozenset(["tied"])) for n in range(10)]
    shown = [each for each, _ in choose_questions([*common, *rare], 42)][:60]
    assert set(rare) <= set(shown)


@pytest.mark.parametrize("text", ["</script><!--", "\ud800", "\u202e\u2028\x00", "é" * 3])
def test_any_text_can_be_packed(text: str) -> None:
    assert unpacked(packed([text])) == [text]
    assert packed([text]) == packed([text])
    assert packed([text]).isascii()
    assert "<" not in packed([text])


def critiques_of(*texts: str, verdict: str = "Yes") -> dict[Any, list[Critique]]:
    return {
        ("q0", 0, "critiques"): [
            Critique(text, 0.5, None, False, (text.index(verdict), text.index(verdict) + 3))
            for text in texts
        ]
    }


def test_long_critiques_keep_their_verdict(database: duckdb.DuckDBPyConnection) -> None:
    models = models_of(database, "d")
    pool = next(read_pools(database, "d", "law", models, question_ids=["q0"]))
    long = "😀" * 30_000 + "Yes." + "x" * 100
    short = "😀 Yes"
    found = pool_payload(pool, Texts("?"), critiques_of(long, short), models)
    first, second = found["details"][0]["critiques"][0]
    for critique in (first, second):
        start, end = critique["verdict"]
        as_utf16 = critique["text"].encode("utf-16-le")
        assert as_utf16[2 * start : 2 * end].decode("utf-16-le") == "Yes"
    assert len(first["text"]) < 21_000
    assert "10104 characters left out" in first["text"]


def test_what_of_a_pool_does_not_fit_is_counted(database: duckdb.DuckDBPyConnection) -> None:
    models = models_of(database, "d")
    pools = read_pools(database, "d", "law", models)
    pool = max(pools, key=lambda each: len(each.solution_ids))
    steps = {each: ["x" * 19_000] for each in pool.solution_ids}
    first = pool.choices[0].candidates[0].solutions[0]
    key = pool.question_id, pool.solution_ids[first], "critiques"
    critiques = {key: [Critique("y" * 19_000, 0.5, None, False, None)] * 9}
    nodes = [
        {"node": n, "parent": n - 1 if n else None, "text": "z" * 10_000, "worth": None, "n": 1}
        | {"end": None, "parsed_answer": None, "outcome": None}
        for n in range(9)
    ]
    texts = Texts("?", steps=steps, trees=[Tree("s", nodes)])
    found = pool_payload(pool, texts, critiques, models)
    assert len(found["ids"]) == 8
    assert len(found["details"]) == 2
    # What was chosen comes first.
    chosen = {choice.candidates[0].solutions[0] for choice in pool.choices if choice.candidates}
    assert set(found["details"]) <= chosen
    assert found["details"][first]["n_critiques"][0] == 9
    assert len(found["details"][first]["critiques"][0]) == 2
    (tree,) = found["trees"]
    assert (len(tree["nodes"]), tree["n_nodes"]) == (3, 9)


def test_a_question_with_a_tree_is_marked(database: duckdb.DuckDBPyConnection) -> None:
    payload = solutions_payload(database)
    marked = [row[2] for row in payload["questions"] if row[4] & 1 << MARKS.index(TREE)]
    assert marked == ["t"]
