"""Tables of preferences: real and small trees, wordings, gaps, and trees of other solutions."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from multirm.errors import InputError
from multirm.tables import parquet
from multirm.tables.nodes import NODES
from multirm.tables.preferences import PREFERENCES, GapUnit, Prefix, Siblings
from multirm.text.segments import Segments
from multirm.trees.build import build_trees
from multirm.trees.extract import PairOptions, extract_pairs, standard_deviation
from multirm.trees.options import MergingOptions
from tests.data.conftest import solution

Rows = list[dict[str, Any]]


def extracted(solutions: Path, tmp_path: Path, **options: Any) -> Rows:
    trees, output = tmp_path / "nodes.parquet", tmp_path / "preferences.parquet"
    build_trees(solutions, trees, merging=MergingOptions(segments=Segments.STEPS))
    extract_pairs(trees, solutions, output, options=PairOptions(**options))
    rows: Rows = parquet.read(output, PREFERENCES).to_pylist()
    return rows


def test_real_solutions(gsm8k: Path, tmp_path: Path) -> None:
    rows = extracted(gsm8k, tmp_path, min_leaves=1, n_outcome_pairs=2)
    steps = [row for row in rows if row["kind"] == "process"]
    ends = [row for row in rows if row["kind"] == "outcome"]
    assert len(steps) == 886
    for row in steps:
        # Both sides are as long as their node is deep.
        assert len(row["chosen"]) == len(row["rejected"])
        assert row["chosen_value"] - row["rejected_value"] >= 0.2 - 1e-9
    assert {row["margin"] for row in ends} == {1.0}
    # With values of two solutions at least, few siblings are left among four solutions.
    assert len(extracted(gsm8k, tmp_path)) < 100
    assert extracted(gsm8k, tmp_path, min_leaves=1, n_outcome_pairs=2) == rows


# Two wordings of one first step, and two different second ones, each right or wrong.
ONE, ANOTHER = "We add the numbers to get the sum.", "We add the numbers to get their sum."
RIGHT, WRONG = "It is 4.", "Nothing can be said about that."


@pytest.fixture
def solutions(write_solutions: Callable[[Rows], Path]) -> Path:
    ends = [RIGHT, WRONG, RIGHT, WRONG, WRONG]
    rows = [solution(0, number, labelled=False) for number in range(5)]
    for number, (row, end) in enumerate(zip(rows, ends, strict=True)):
        row["steps"] = [ANOTHER if number == 1 else ONE, end]
        row["outcome"] = int(end == RIGHT)
    return write_solutions(rows)


def test_each_side_has_its_own_wording(solutions: Path, tmp_path: Path) -> None:
    [row] = extracted(solutions, tmp_path)
    assert row["chosen"] == [ONE, RIGHT]
    assert row["rejected"] == [ANOTHER, WRONG]
    assert (row["chosen_solution_id"], row["rejected_solution_id"]) == (0, 1)
    assert (row["chosen_value"], row["rejected_value"], row["margin"]) == (1.0, 0.0, 1.0)
    assert (row["chosen_n_leaves"], row["rejected_n_leaves"]) == (2, 3)


def test_or_the_wording_of_the_nodes(solutions: Path, tmp_path: Path) -> None:
    [row] = extracted(solutions, tmp_path, prefix=Prefix.SHARED)
    assert (row["chosen"], row["rejected"]) == ([ONE, RIGHT], [ONE, WRONG])


def test_repeated_pairs_are_left_out(solutions: Path, tmp_path: Path) -> None:
    # Six pairs of whole solutions, in two wordings of the wrong ones; one of these is that of the siblings.
    rows = extracted(solutions, tmp_path, n_outcome_pairs=10)
    sides = [(tuple(row["chosen"]), tuple(row["rejected"])) for row in rows]
    assert len(sides) == len(set(sides)) == 2
    assert [row["pair_id"] for row in rows] == [0, 1]


def test_all_rewards_equal(
    write_solutions: Callable[[Rows], Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [{**solution(0, number), "outcome": 1} for number in range(8)]
    assert extracted(write_solutions(rows), tmp_path, min_leaves=1, n_outcome_pairs=3) == []
    assert "there are no pairs" in caplog.text


def test_a_cap_keeps_the_most_divergent(
    write_solutions: Callable[[Rows], Path], tmp_path: Path
) -> None:
    generator = np.random.default_rng(0)
    rows = [solution(0, number, labelled=False) for number in range(40)]
    for row in rows:
        row["steps"] = ["xyz"[k] * 9 for k in generator.integers(0, 3, 3)]
        row["outcome"] = int(generator.random() < 0.5)
    path = write_solutions(rows)
    every = extracted(path, tmp_path, gap=0.0, siblings=Siblings.ALL)
    kept = extracted(path, tmp_path, gap=0.0, siblings=Siblings.ALL, per_question=5)
    assert len(every) > 10
    margins = sorted((row["margin"] for row in every), reverse=True)
    assert sorted((row["margin"] for row in kept), reverse=True) == margins[:5]


def test_a_gap_in_standard_deviations(gsm8k: Path, tmp_path: Path) -> None:
    trees = tmp_path / "nodes.parquet"
    build_trees(gsm8k, trees, merging=MergingOptions(segments=Segments.STEPS))
    rows = parquet.read(trees, NODES).to_pylist()
    roots = [row for row in rows if row["parent"] is None]
    outcomes = [reward for row in roots for reward in row["rewards"]]
    deviation = standard_deviation(roots)
    assert deviation == pytest.approx(np.std(outcomes, ddof=1))
    in_units = extracted(gsm8k, tmp_path, min_leaves=1, gap=0.75 * deviation)
    options = {"gap": 0.75, "unit": GapUnit.STANDARD_DEVIATION}
    assert extracted(gsm8k, tmp_path, min_leaves=1, **options) == in_units


def test_trees_of_other_solutions(solutions: Path, gsm8k: Path, tmp_path: Path) -> None:
    trees = tmp_path / "nodes.parquet"
    build_trees(solutions, trees)
    with pytest.raises(InputError, match=r"expected the solutions that .* was made from"):
        extract_pairs(trees, gsm8k, tmp_path / "preferences.parquet")
