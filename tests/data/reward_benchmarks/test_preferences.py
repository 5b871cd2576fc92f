"""Responses as preferences: each better one with each worse one, with the benchmark's margin."""

import json
from pathlib import Path
from typing import Any

import pytest

from multirm.data.reward_benchmarks.preferences import prefer_responses
from multirm.data.reward_benchmarks.read import read_responses
from multirm.data.reward_benchmarks.truncate import truncate_responses
from multirm.errors import InputError
from multirm.tables import parquet
from multirm.tables.preferences import PREFERENCES
from multirm.tables.responses import Benchmark
from multirm.tables.solutions import SOLUTIONS
from tests.origins import made_of


def written(tmp_path: Path, *completions: tuple[str, int]) -> tuple[Path, Path]:
    """UltraFeedback's completions of one prompt, with a rating each."""
    source = tmp_path / "rows.jsonl"
    rows = [
        {"response": text, "annotations": {"honesty": {"Rating": str(rating)}}}
        for text, rating in completions
    ]
    source.write_text(json.dumps({"instruction": "Why?", "completions": rows}))
    paths = tmp_path / "responses.parquet", tmp_path / "solutions.parquet"
    read_responses(Benchmark.ULTRAFEEDBACK, [str(source)], "d", *paths)
    return paths


def preferences(tmp_path: Path, *paths: Path) -> list[dict[str, Any]]:
    prefer_responses(*paths, tmp_path / "preferences.parquet")
    return parquet.read(tmp_path / "preferences.parquet", PREFERENCES).to_pylist()


def test_better_responses_are_preferred_to_each_worse_one(tmp_path: Path) -> None:
    paths = written(tmp_path, ("a\n\nb", 5), ("c", 3), ("d", 5), ("e", 1), ("d", 3))
    found = preferences(tmp_path, *paths)
    sides = [(row["chosen"], row["rejected"]) for row in found]
    # The pair of `d` with itself is left out.
    texts = [(["a", "b"], ["c"]), (["a", "b"], ["e"]), (["a", "b"], ["d"])]
    assert sides == [*texts, (["d"], ["c"]), (["d"], ["e"])]
    assert {(row["kind"], row["margin"], row["question"]) for row in found} == {
        ("outcome", 2.0, "Why?")
    }
    assert [row["pair_id"] for row in found] == [0, 1, 2, 3, 4]


def test_steps_are_processes(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "prm800k" / "raw" / "phase2-test-example.json"
    paths = tmp_path / "responses.parquet", tmp_path / "solutions.parquet"
    read_responses(Benchmark.PRM800K, [str(source)], "d", *paths)
    found = preferences(tmp_path, *paths)
    assert len(found) == 3
    for row in found:
        assert row["kind"] == "process"
        assert row["chosen"][:-1] == row["rejected"][:-1]
        assert row["chosen"][-1] != row["rejected"][-1]


def test_what_is_no_pair_is_refused(tmp_path: Path) -> None:
    paths = written(tmp_path, ("a", 5), ("a", 3))
    with pytest.raises(InputError, match="expected better and worse responses to a prompt"):
        preferences(tmp_path, *paths)
    made = tmp_path / "variants.parquet", tmp_path / "texts.parquet"
    truncate_responses(*paths, [4], *made)
    with pytest.raises(InputError, match="expected whole responses, found 4 characters"):
        preferences(tmp_path, *made)
    parquet.write(paths[1], SOLUTIONS, parquet.read(paths[1], SOLUTIONS)[:1], made_of())
    with pytest.raises(InputError, match="expected the text of every response"):
        preferences(tmp_path, *paths)
