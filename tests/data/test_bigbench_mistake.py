"""BIG-Bench-Mistake: a mistake becomes step labels, a file a category."""

import json
from pathlib import Path
from typing import Any

import pytest

from multirm.data import bigbench_mistake
from multirm.errors import InputError


@pytest.mark.parametrize(
    ("category", "n_mistakes", "n_right", "n_right_despite_mistakes"),
    [
        ("logical_deduction", 294, 45, 39),
        ("multistep_arithmetic", 238, 45, 1),
        ("tracking_shuffled_objects", 260, 45, 12),
    ],
)
def test_the_real_files(
    shared_data: Path,
    category: str,
    n_mistakes: int,
    n_right: int,
    n_right_despite_mistakes: int,
) -> None:
    path = shared_data / "bigbench_mistake" / f"{category}.jsonl"
    raw = [json.loads(line) for line in path.read_text().splitlines()]
    rows = [row for _, row in bigbench_mistake.solutions([path])]
    assert len(rows) == len(raw) == 300
    assert {row["category"] for row in rows} == {category}
    assert len({row["question_id"] for row in rows}) == 300
    for row, own in zip(rows, raw, strict=True):
        labels, mistake = row["step_labels"], own["mistake_index"]
        assert labels == [int(mistake is None or k < mistake) for k in range(len(own["steps"]))]
    has_mistake = [not all(row["step_labels"]) for row in rows]
    assert sum(has_mistake) == n_mistakes
    exactly = sum((own["answer"] or "").strip() == own["target"].strip() for own in raw)
    assert sum(row["outcome"] for row in rows) == exactly == n_right
    despite = sum(row["outcome"] for row, bad in zip(rows, has_mistake, strict=True) if bad)
    assert despite == n_right_despite_mistakes


def read(tmp_path: Path, **changes: Any) -> list[dict[str, Any]]:
    path = tmp_path / "Word Sorting.jsonl"
    values = {"input": "Sort.", "steps": ["a", "b"], "target": "a b", "answer": "A  b"}
    path.write_text(json.dumps(values | {"mistake_index": None} | changes))
    return [{**row} for _, row in bigbench_mistake.solutions([path])]


def test_a_solution(tmp_path: Path) -> None:
    assert read(tmp_path, mistake_index=1) == [
        {
            "category": "word_sorting",
            "question_id": "000000",
            "solution_id": 0,
            "question": "Sort.",
            "answer": "a b",
            "steps": ["a", "b"],
            "parsed_answer": "A  b",
            "outcome": 1,
            "step_labels": [1, 0],
        }
    ]


@pytest.mark.parametrize(("answer", "outcome"), [("] )", 1), ("] ) }", 0), ("} )", 0), (None, 0)])
def test_brackets_are_compared_as_texts(tmp_path: Path, answer: str | None, outcome: int) -> None:
    (row,) = read(tmp_path, target="] )", answer=answer)
    assert row["outcome"] == outcome


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"mistake_index": 2}, "key mistake_index: expected null or a step from 0 to 1, found 2"),
        ({"mistake_index": -1}, "key mistake_index: expected null or a step from 0 to 1, found -1"),
        ({"mistake_index": "1"}, "key mistake_index: expected a whole number"),
        ({"steps": []}, "key steps: expected steps with text, found no steps"),
        ({"steps": ["a", " "]}, "key steps: expected steps with text, found an empty one at"),
        ({"target": ""}, "key target: expected a text"),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError, match="Word Sorting.jsonl, line 1, " + complaint):
        read(tmp_path, **changes)
