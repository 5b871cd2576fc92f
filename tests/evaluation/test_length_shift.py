"""Shifts of length: distances against scipy's, parts against loops."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.stats import wasserstein_distance

from multirm.errors import InputError
from multirm.evaluation.length_shift import (
    Source,
    length_rows,
    measure_length_shift,
    read_lengths,
    shift,
    shift_rows,
    wasserstein,
)
from multirm.tables import parquet
from multirm.tables.critiques import CRITIQUES
from multirm.tables.length_shift import LENGTH_SHIFT, STEP_COUNTS, Part
from multirm.tables.solutions import SOLUTIONS
from tests.origins import made_of


def test_the_distance_is_scipy_s() -> None:
    generator = np.random.default_rng(0)
    for _ in range(20):
        counts, others = generator.integers(0, 5, (2, 9)) + np.eye(9, dtype=int)[0]
        expected = wasserstein_distance(range(9), range(9), counts, others)
        assert wasserstein(counts, others) == pytest.approx(expected)


def test_lengths_that_are_all_longer_by_two_are_two_away() -> None:
    short = np.array([[0, 1, 1, 0, 0], [0, 2, 0, 0, 0]])
    longer = np.roll(short, 2, axis=1)
    assert shift(short, longer).distance == pytest.approx(2)
    assert shift(short, short).columns["distance_low"] == 0


def test_questions_are_left_out_one_at_a_time_on_both_sides() -> None:
    generator = np.random.default_rng(1)
    lengths, others = generator.integers(1, 4, (5, 6)), generator.integers(1, 4, (7, 8))
    wide = np.pad(lengths, ((0, 0), (0, 2)))
    variance = 0.0
    for side, other in ((wide, others), (others, wide)):
        found = [
            wasserstein(np.delete(side, k, axis=0).sum(axis=0), other.sum(axis=0))
            for k in range(len(side))
        ]
        n = len(found)
        variance += (n - 1) / n * sum((each - sum(found) / n) ** 2 for each in found)
    assert shift(lengths, others).variance == pytest.approx(variance)


def test_the_interval_holds_the_distance_of_known_distributions() -> None:
    """Of 200 samples of 40 questions with 4 solutions, at least 90 % of intervals hold it."""
    generator = np.random.default_rng(2)

    def sample(low: float) -> np.ndarray:
        counts = np.zeros((40, 40), dtype=int)
        for question, mean in enumerate(generator.uniform(low, low + 4, 40)):
            for length in 1 + generator.poisson(mean, 4):
                counts[question, length] += 1
        return counts

    held = 0
    for _ in range(200):
        columns = shift(sample(2), sample(5)).columns
        held += columns["distance_low"] <= 3 <= columns["distance_high"]  # type: ignore[operator]
    assert held >= 180


def test_one_question_has_no_interval() -> None:
    columns = shift(np.array([[0, 1, 1]]), np.array([[0, 1, 0], [0, 0, 1]])).columns
    assert columns == {"distance": pytest.approx(0), "distance_low": None, "distance_high": None}


def solution(dataset: str, category: str, question: int, labels: list[int]) -> dict[str, Any]:
    return {
        "dataset": dataset,
        "category": category,
        "question_id": str(question),
        "solution_id": len(labels),
        "question": "Q",
        "answer": None,
        "parsed_answer": None,
        "steps": ["s"] * len(labels),
        "outcome": labels[-1],
        "step_labels": labels,
    }


def critique(of: dict[str, Any], number: int, kept: bool) -> dict[str, Any]:
    key = {name: of[name] for name in SOLUTIONS.key}
    return {
        **key,
        "critique_id": number,
        "critique": "c",
        "verdict": 1,
        "truncated": False,
        "kept": kept,
        "reason": None if kept else "duplicate",
    }


TEST = [solution("test", category, k, [1] * 3) for category in ("b", "a") for k in range(2)]
TRAIN = [
    solution("train", "a", 0, [1, 0, 0, 0]),
    solution("train", "a", 1, [1, 1]),
    solution("train", "b", 0, [1] * 5),
    solution("train", "c", 0, [1] * 9),
]
KEPT = [critique(TRAIN[0], 0, True), critique(TRAIN[0], 1, True), critique(TRAIN[1], 0, False)]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    paths = {name: tmp_path / f"{name}.parquet" for name in ("b", "a", "train", "gORM", "gPRM")}
    for category, rows in (("b", TEST[:2]), ("a", TEST[2:])):
        parquet.write(paths[category], SOLUTIONS, rows, made_of())
    parquet.write(paths["train"], SOLUTIONS, TRAIN, made_of())
    for kind in ("gORM", "gPRM"):
        parquet.write(paths[kind], CRITIQUES, KEPT, made_of({"kind": kind, "stage": "shortened"}))
    return paths


def test_what_lengths_are_of(files: dict[str, Path]) -> None:
    kept = {("set", kind): [files[kind]] for kind in ("gORM", "gPRM")}
    found = read_lengths([files["b"], files["a"]], [files["train"]], kept)
    totals = {
        source: {
            category: {k: n for k, n in enumerate(of.sum(axis=0).tolist()) if n}
            for category, of in lengths.items()
        }
        for source, lengths in found.items()
    }
    assert totals == {
        Source(Part.TEST): {"b": {3: 2}, "a": {3: 2}},
        Source(Part.TRAIN, "train"): {"b": {5: 1}, "a": {2: 1, 4: 1}},
        Source(Part.KEPT, "train", "set", "gORM"): {"a": {4: 2}},
        Source(Part.KEPT, "train", "set", "gPRM"): {"a": {4: 2}},
        Source(Part.SEEN, "train", "set", "gPRM"): {"a": {2: 2}},
    }
    assert list(found[Source(Part.TEST)]) == ["b", "a"]


@pytest.mark.parametrize("version", [1, 2])
def test_earlier_critiques_have_the_same_lengths(files: dict[str, Path], version: int) -> None:
    kept = {("set", kind): [files[kind]] for kind in ("gORM", "gPRM")}
    arguments = [files["b"], files["a"]], [files["train"]], kept
    expected = read_lengths(*arguments)
    for (path,) in kept.values():
        table = pq.read_table(path).drop_columns(["n_tokens_read", "n_tokens_generated"])
        counts = ["n_tokens"] if version == 1 else ["n_tokens", "n_prompt_tokens"]
        for name in counts:
            table = table.append_column(name, pa.nulls(len(table), pa.int32()))
        if version == 1:
            table = table.drop_columns(["deviations"])
        footer = json.loads(table.schema.metadata[parquet.FOOTER_KEY])
        footer = json.dumps(footer | {"schema_version": version}).encode()
        pq.write_table(table.replace_schema_metadata({parquet.FOOTER_KEY: footer}), path)
    found = read_lengths(*arguments)
    assert found.keys() == expected.keys()
    for source, lengths in found.items():
        assert lengths.keys() == expected[source].keys()
        for category, of in lengths.items():
            np.testing.assert_array_equal(of, expected[source][category])


def test_overall_is_the_mean_over_categories(files: dict[str, Path]) -> None:
    found = read_lengths([files["b"], files["a"]], [files["train"]], {})
    overall, b, a = shift_rows(found)
    assert [row["category"] for row in (overall, b, a)] == ["Overall", "b", "a"]
    assert (b["distance"], a["distance"]) == (2, 1)
    assert overall["distance"] == 1.5
    assert overall["n_solutions"] == 3
    shares = {
        (row["part"], row["category"], row["n_steps"]): row["share"] for row in length_rows(found)
    }
    assert shares["train", "Overall", 5] == 0.5
    assert shares["train", "Overall", 2] == shares["train", "Overall", 4] == 0.25
    assert shares["test", "Overall", 3] == 1


def test_tables_are_written(files: dict[str, Path], tmp_path: Path) -> None:
    measure_length_shift(
        [files["b"], files["a"]],
        [files["train"]],
        tmp_path / "out",
        [f"set={files[kind]}" for kind in ("gORM", "gPRM")],
    )
    rows = parquet.read(tmp_path / "out" / "length_shift.parquet", LENGTH_SHIFT).to_pylist()
    assert [row["part"] for row in rows] == ["train"] * 3 + ["kept"] * 4 + ["seen"] * 2
    assert {row["dataset"] for row in rows} == {"test"}
    assert parquet.read(tmp_path / "out" / "step_counts.parquet", STEP_COUNTS).num_rows


def test_a_learned_category_may_have_no_solutions(files: dict[str, Path], tmp_path: Path) -> None:
    empty = tmp_path / "empty.parquet"
    parquet.write(empty, SOLUTIONS, [], made_of())
    found = read_lengths([files["a"]], [files["train"], empty], {})
    assert list(found) == list(read_lengths([files["a"]], [files["train"]], {}))
    assert list(read_lengths([files["a"]], [empty], {})) == [Source(Part.TEST)]
    with pytest.raises(InputError, match="expected one dataset, found none"):
        read_lengths([empty], [], {})


def test_two_test_sets_and_critiques_without_a_set_are_refused(files: dict[str, Path]) -> None:
    with pytest.raises(InputError, match="expected one dataset, found test, train"):
        read_lengths([files["a"], files["train"]], [], {})
    with pytest.raises(InputError, match="expected SET=PATH"):
        measure_length_shift([files["a"]], [], files["a"].parent / "out", [str(files["gORM"])])
