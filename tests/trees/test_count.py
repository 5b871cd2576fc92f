"""Counts of trees: check figures on GSM8K, and orders that change little."""

from pathlib import Path

from multirm.tables import parquet
from multirm.tables.tree_counts import TREE_COUNTS
from multirm.text.segments import Segments
from multirm.trees.count import count_trees
from multirm.trees.options import MergingOptions


def test_real_solutions(gsm8k: Path, tmp_path: Path) -> None:
    output = tmp_path / "counts.parquet"
    merging = MergingOptions(segments=Segments.STEPS)
    count_trees([gsm8k], output, merging=merging, min_leaves=1, shuffles=1)
    rows = {
        (row["shuffle"], row["keep_apart"]): row
        for row in parquet.read(output, TREE_COUNTS).to_pylist()
    }
    assert len(rows) == 2 * 4
    paper, apart = rows[0, ""], rows[0, "numbers"]
    names = ("n_questions", "n_solutions", "n_segments", "n_nodes", "n_shared_nodes", "n_pairs")
    assert [paper[name] for name in names] == [1_319, 5_276, 23_141, 22_220, 751, 886]
    assert [apart[name] for name in names] == [1_319, 5_276, 23_141, 22_470, 565, 838]
    # 27 % of all 921 merges join segments with different numbers.
    assert paper["n_segments"] - paper["n_nodes"] == 921
    assert paper["n_joined_other_numbers"] == 249
    assert apart["n_joined_other_numbers"] == 0
    other = rows[1, ""]
    assert other != {**paper, "shuffle": 1}
    assert abs(other["n_nodes"] - paper["n_nodes"]) < 0.01 * paper["n_nodes"]
