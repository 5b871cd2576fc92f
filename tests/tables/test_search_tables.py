"""Tables of searches: which rows are refused."""

from pathlib import Path
from typing import Any

import pytest

from multirm.errors import InputError
from multirm.tables import parquet
from multirm.tables.search_nodes import SEARCH_NODES, SearchEnd
from multirm.tables.searches import SEARCHES, SearchMethod
from tests.origins import made_of

KEY = {"search": "PBS-4", "dataset": "Facts", "category": "history", "question_id": "q1"}

ROOT = {
    **KEY,
    "node": 0,
    "parent": None,
    "depth": 0,
    "text": "",
    "n_tokens": 0,
    "reward": None,
    "value": None,
    "visits": 2,
    "end": None,
    "parsed_answer": None,
    "outcome": None,
}

LEAF = {
    **ROOT,
    "node": 1,
    "parent": 0,
    "depth": 1,
    "text": "The answer is 4.",
    "n_tokens": 7,
    "reward": -0.5,
    "end": SearchEnd.FINISHED,
    "parsed_answer": "4",
    "outcome": 1,
}

SEARCH = {
    **KEY,
    "method": SearchMethod.BEAM_SEARCH,
    "n_finished": 1,
    "n_overrun": 0,
    "n_looped": 0,
    "n_unscored": 0,
    "n_dropped": 0,
    "best_answer": "4",
    "best_outcome": 1,
    "majority_answer": "4",
    "majority_outcome": 1,
    "weighted_answer": None,
    "weighted_outcome": 0,
    "covered": 1,
    "policy_generated": 7,
    "policy_computed": None,
    "policy_cached": None,
    "reward_new": 9,
    "reward_computed": 9,
    "reward_cached": 0,
    "policy_flops": None,
    "reward_flops": 1e9,
    "seconds": 0.5,
}


def test_nodes_are_read_as_written(tmp_path: Path) -> None:
    path = tmp_path / "nodes.parquet"
    parquet.write(path, SEARCH_NODES, [ROOT, LEAF], made_of())
    assert parquet.read(path, SEARCH_NODES).to_pylist() == [ROOT, LEAF]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"parent": None}, "a parent for every node but 0"),
        ({"parent": 1}, "a parent with a lower number"),
        ({"end": "tired"}, "an end"),
        ({"end": SearchEnd.LOOPED}, "answers and outcomes of finished solutions only"),
        ({"outcome": 2}, "outcome 0, 1 or null"),
    ],
)
def test_wrong_nodes_are_refused(tmp_path: Path, change: dict[str, Any], expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        parquet.write(tmp_path / "n.parquet", SEARCH_NODES, [ROOT, {**LEAF, **change}], made_of())


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"method": "guessing"}, "a method"),
        ({"weighted_outcome": -1}, "outcomes 0, 1 or null"),
        ({"covered": 3}, "outcomes 0, 1 or null"),
    ],
)
def test_wrong_searches_are_refused(tmp_path: Path, change: dict[str, Any], expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        parquet.write(tmp_path / "s.parquet", SEARCHES, [{**SEARCH, **change}], made_of())


def test_searches_are_read_as_written(tmp_path: Path) -> None:
    path = tmp_path / "searches.parquet"
    parquet.write(path, SEARCHES, [SEARCH], made_of())
    assert parquet.read(path, SEARCHES).to_pylist() == [SEARCH]
