"""PRM800K in VersaPRM's format: ratings become labels, alternatives become solutions."""

import json
from pathlib import Path
from typing import Any

import pytest

from multirm.data import prm800k
from multirm.errors import InputError
from multirm.json_source import Record, read_json


def test_the_real_file(shared_data: Path) -> None:
    path = shared_data / "prm800k" / "phase2_eval_small.json"
    rows = [row for _, row in prm800k.solutions(read_json([path]))]
    expected = []
    for question in json.loads(path.read_text()):
        for chain in question["chain_of_thoughts"]:
            expected.append((chain["steps"], chain["labels"]))
            for aug in chain["augs"]:
                at = aug["aug_idx"]
                expected.append(
                    ([*chain["steps"][:at], aug["aug_step"]], [*chain["labels"][:at], aug["aug_type"]])
                )  # fmt: skip
    assert len(rows) == len(expected) == 44
    for row, (steps, ratings) in zip(rows, expected, strict=True):
        assert row["steps"] == [step.strip() for step in steps]
        assert row["step_labels"] == [0 if rating == -1 else 1 for rating in ratings]
        assert row["outcome"] == int(-1 not in ratings)
        assert row["category"] == "math"
        assert row["answer"] is row["parsed_answer"] is None


def record(**changes: Any) -> Record:
    chain = {"steps": ["one", "two"], "labels": [1, 0], "augs": []} | changes
    values = {"domain": "prm_math", "question": "Why?", "chain_of_thoughts": [chain]}
    return Record("f.json, row 2", values)


def test_an_alternative_in_the_middle_ends_there() -> None:
    augs = [{"aug_step": "other", "aug_idx": 0, "aug_type": -1}]
    rows = [row for _, row in prm800k.solutions([record(augs=augs)])]
    assert [(row["solution_id"], row["steps"], row["step_labels"]) for row in rows] == [
        (0, ["one", "two"], [1, 1]),
        (1, ["other"], [0]),
    ]
    assert [row["outcome"] for row in rows] == [1, 0]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"labels": [1]}, "key labels: expected a label for each of 2 steps, found 1 labels"),
        ({"labels": [1, 2]}, "key labels: expected -1, 0 or 1, found 2"),
        ({"labels": [1, None]}, r"key labels\[1\]: expected a whole number"),
        ({"steps": "one"}, "key steps: expected a list"),
        (
            {"augs": [{"aug_step": "x", "aug_idx": 3, "aug_type": 1}]},
            r"augs\[0\], key aug_idx: expected a place from 0 to 2, found 3",
        ),
        (
            {"augs": [{"aug_step": "x", "aug_idx": 1, "aug_type": "1"}]},
            r"augs\[0\], key aug_type: expected a whole number",
        ),
    ],
)
def test_bad_rows_are_named(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError, match=r"f.json, row 2, chain_of_thoughts\[0\], " + complaint):
        list(prm800k.solutions([record(**changes)]))
