"""Tables of nodes: check figures on GSM8K, rewards from elsewhere, and tables that do not fit."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from multirm.errors import InputError
from multirm.tables import parquet
from multirm.tables.accuracy import Aggregation
from multirm.tables.nodes import NODES
from multirm.tables.rewards import REWARDS
from multirm.tables.solutions import SOLUTIONS
from multirm.text.segments import KeepApart, Segments, Similarity
from multirm.trees.build import build_trees
from multirm.trees.options import MergingOptions
from tests.data.conftest import solution
from tests.origins import made_of

Rows = list[dict[str, Any]]
BY_STEP = {"segments": Segments.STEPS}


def nodes_of(path: Path, tmp_path: Path, **merging: Any) -> Rows:
    output = tmp_path / "nodes.parquet"
    build_trees(path, output, merging=MergingOptions(**BY_STEP, **merging))
    rows: Rows = parquet.read(output, NODES).to_pylist()
    return rows


@pytest.mark.parametrize(
    ("merging", "n_nodes", "n_shared", "n_pairs"),
    [
        ({"similarity": Similarity.EXACT}, 22_946, 173, 762),
        ({}, 22_220, 751, 886),
        ({"keep_apart": [KeepApart.NUMBERS]}, 22_470, 565, 838),
        ({"similarity": Similarity.LEVENSHTEIN}, 22_547, 507, 837),
        ({"threshold": 0.75}, 20_974, 1_617, 986),
    ],
)
def test_real_solutions(
    gsm8k: Path, tmp_path: Path, merging: dict[str, Any], n_nodes: int, n_shared: int, n_pairs: int
) -> None:
    nodes = [row for row in nodes_of(gsm8k, tmp_path, **merging) if row["parent"] is not None]
    assert len(nodes) == n_nodes
    assert sum(len(row["solution_ids"]) > 1 for row in nodes) == n_shared
    siblings = itertools.groupby(
        sorted(nodes, key=lambda row: (row["question_id"], row["parent"])),
        key=lambda row: (row["question_id"], row["parent"]),
    )
    values = [[row["value"] for row in group] for _, group in siblings]
    assert sum(max(each) - min(each) >= 0.2 - 1e-9 for each in values) == n_pairs


def test_a_small_tree(write_solutions: Callable[[Rows], Path], tmp_path: Path) -> None:
    rows = [solution(0, number, 2, labelled=False) for number in (2, 1, 0)]
    rows[0]["steps"] = ["Same.", "Other end."]
    rows[1]["steps"] = ["Same.", "End."]
    rows[2]["steps"] = ["Same.", "End."]
    rows[0]["outcome"] = None
    nodes = nodes_of(write_solutions(rows), tmp_path, similarity=Similarity.EXACT)
    names = ("node", "parent", "depth", "text", "value", "n_leaves", "solution_ids", "rewards")
    # In the order of ids, whatever that of the rows; the solution without an outcome does not count.
    assert [tuple(row[name] for name in names) for row in nodes] == [
        (0, None, 0, "", 0.5, 2, [0, 1, 2], [0, 1, None]),
        (1, 0, 1, "Same.", 0.5, 2, [0, 1, 2], [0, 1, None]),
        (2, 1, 2, "End.", 0.5, 2, [0, 1], [0, 1]),
        (3, 1, 2, "Other end.", None, 0, [2], [None]),
    ]
    assert nodes[0]["standard_error"] == pytest.approx(0.5)
    assert nodes[3]["standard_error"] is None


def test_values_from_a_reward_model(
    write_solutions: Callable[[Rows], Path], tmp_path: Path
) -> None:
    rows = [solution(0, number, 2) for number in range(2)]
    solutions = write_solutions(rows)
    rewards = tmp_path / "rewards.parquet"
    keys = [{name: row[name] for name in SOLUTIONS.key} for row in rows]
    scored = [
        {**key, "model": "m", "rewards": each, "unit": "step", "scale": "score"}
        for key, each in zip(keys, ([3.0, -5.5], [1.0, None]), strict=True)
    ]
    parquet.write(rewards, REWARDS, scored, made_of())
    output = tmp_path / "nodes.parquet"
    build_trees(solutions, output, rewards=rewards, aggregation=Aggregation.LAST)
    root = parquet.read(output, NODES).to_pylist()[0]
    assert (root["value"], root["n_leaves"], root["rewards"]) == (-5.5, 1, [-5.5, None])
    parquet.write(rewards, REWARDS, scored[:1], made_of())
    with pytest.raises(InputError, match=r"rewards\.parquet: expected rewards of .*, found none"):
        build_trees(solutions, output, rewards=rewards, aggregation=Aggregation.LAST)
    with pytest.raises(InputError, match="--aggregation: expected it beside --rewards"):
        build_trees(solutions, output, rewards=rewards)


def test_solutions_to_a_question_stand_together(
    write_solutions: Callable[[Rows], Path], tmp_path: Path
) -> None:
    path = write_solutions([solution(0, 0), solution(1, 0), solution(0, 1)])
    with pytest.raises(InputError, match=r"row 3 .* one after the other, found others between"):
        nodes_of(path, tmp_path)
    assert not (tmp_path / "nodes.parquet").exists()


def test_an_enormous_segment(write_solutions: Callable[[Rows], Path], tmp_path: Path) -> None:
    rows = [solution(0, 0, 1), solution(0, 1, 1)]
    rows[1]["steps"] = ["a" * 100_000]
    nodes = nodes_of(write_solutions(rows), tmp_path)
    assert [row["depth"] for row in nodes] == [0, 1, 1]


def test_many_questions_in_batches(
    write_solutions: Callable[[Rows], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches, in reading and in writing, change nothing."""
    rows = [solution(question, number) for question in range(40) for number in range(3)]
    path = write_solutions(rows)
    whole = nodes_of(path, tmp_path)
    monkeypatch.setattr("multirm.trees.build._ROWS_AT_ONCE", 7)
    monkeypatch.setattr("multirm.tables.parquet.ROWS_AT_ONCE", 5)
    assert nodes_of(path, tmp_path) == whole
    assert pq.read_metadata(tmp_path / "nodes.parquet").num_row_groups > 10
    assert isinstance(parquet.read(tmp_path / "nodes.parquet", NODES), pa.Table)
