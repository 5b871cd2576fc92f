"""Pairwise accuracy: ties count half, missing scores are counted rather than guessed."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from multirm.data.judgebench import read_pairs
from multirm.errors import InputError
from multirm.evaluation.pairs import evaluate_pairs, pairwise
from multirm.tables import parquet
from multirm.tables.accuracy import OVERALL
from multirm.tables.pairs import PAIRS, PAIRWISE
from tests.origins import made_of


def pair(category: str, pair_id: str, chosen: float | None, rejected: float | None) -> Any:
    return {
        "dataset": "d",
        "category": category,
        "pair_id": pair_id,
        "model": "rm",
        "score_chosen": chosen,
        "score_rejected": rejected,
    }


def test_ties_count_half_and_missing_scores_are_left_out() -> None:
    chosen = np.array([2.0, 1.0, 1.0, math.nan, 5.0])
    rejected = np.array([1.0, 2.0, 1.0, 0.0, math.nan])
    found = pairwise(chosen, rejected)
    assert found[:4] == (5, 1, 1, 2)
    assert found.accuracy == pytest.approx(0.5)


def test_the_interval_is_wilsons() -> None:
    # Newcombe (1998), table I: 81 of 263, and 0 of 20.
    found = pairwise(np.r_[np.ones(81), np.zeros(182)], np.full(263, 0.5))
    assert (round(found.low, 4), round(found.high, 4)) == (0.2553, 0.3662)
    none = pairwise(np.zeros(20), np.ones(20))
    assert (none.low, round(none.high, 4)) == (0.0, 0.1611)
    every = pairwise(np.ones(20), np.zeros(20))
    assert (round(every.low, 4), every.high) == (0.8389, 1.0)


def test_one_row_per_category_and_one_for_all_pairs(tmp_path: Path) -> None:
    rows = [
        pair("math", "1", 1, 0),
        pair("math", "2", 1, 0),
        pair("math", "3", 1, 1),
        pair("law", "1", 0, 1),
        pair("none", "1", None, 1),
    ]
    given, output = tmp_path / "pairs.parquet", tmp_path / "pairwise.parquet"
    parquet.write(given, PAIRS, rows, made_of())
    evaluate_pairs([given], output)
    found = {row["category"]: row for row in parquet.read(output, PAIRWISE).to_pylist()}
    assert list(found) == [OVERALL, "law", "math", "none"]
    counts = ("n_pairs", "n_right", "n_tied", "n_unscored", "accuracy")
    assert [found[OVERALL][name] for name in counts] == [5, 2, 1, 1, 62.5]
    assert [found["math"][name] for name in counts] == [3, 2, 1, 0, pytest.approx(250 / 3)]
    assert [found["law"][name] for name in counts] == [1, 0, 0, 0, 0.0]
    assert [found["none"][name] for name in counts] == [1, 0, 0, 1, None]


def test_a_repeated_pair_is_refused(tmp_path: Path) -> None:
    given = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    for path in given:
        parquet.write(path, PAIRS, [pair("law", "1", 1, 0)], made_of())
    with pytest.raises(InputError, match="expected each key once"):
        evaluate_pairs(given, tmp_path / "out.parquet")


def test_judgebench_accuracies_are_those_of_its_games(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "judgebench" / "skywork_reward_llama_3.1_8b.jsonl"
    pairs, output = tmp_path / "pairs.parquet", tmp_path / "pairwise.parquet"
    read_pairs([str(source)], "JudgeBench", pairs)
    evaluate_pairs([pairs], output)
    rows = {row["category"]: row for row in parquet.read(output, PAIRWISE).to_pylist()}
    overall = rows.pop(OVERALL)
    counts = [overall[name] for name in ("n_pairs", "n_right", "n_tied", "n_unscored")]
    assert counts == [350, 218, 1, 0]
    assert overall["accuracy"] == pytest.approx(100 * 218.5 / 350)
    assert overall["model"] == "Skywork/Skywork-Reward-Llama-3.1-8B"
    assert len(rows) == 17
    assert sum(row["n_right"] for row in rows.values()) == 218
    assert rows["livebench-reasoning"]["n_pairs"] == 98
