"""PRM800K in VersaPRM's format: ratings become labels, alternatives become solutions."""

import json
from pathlib import Path
from typing import Any

import pytest

from multirm.data import prm800k
from multirm.errors import InputError
from multirm.formats.json_source import Record, read_json


def test_the_real_file(shared_data: Path) -> None:
    path = shared_data / "prm800k" / "phase2_eval_small.json"
    rows = [row for _, row in prm800k.solutions(read_json([path]))]
    expected = []
    for question in json.loads(path.read_text()):
        for chain in question["chain_of_thoughts"]:
            labels = [label == 1 for label in chain["labels"]]
            expected.append((chain["steps"], labels))
            for aug in chain["augs"]:
                at = aug["aug_idx"]
                expected.append(
                    ([*chain["steps"][:at], aug["aug_step"]], [*labels[:at], aug["aug_type"] in (0, 1)])
                )  # fmt: skip
    assert len(rows) == len(expected) == 44
    # A chain with a single step, which contradicts the worked answer, has the label 0.
    assert sum(not all(labels) for _, labels in expected) == 23
    for row, (steps, labels) in zip(rows, expected, strict=True):
        assert row["steps"] == [step.strip() for step in steps]
        assert row["step_labels"] == list(map(int, labels))
        assert row["outcome"] == int(all(labels))
        assert row["category"] == "math"
        assert row["answer"] is row["parsed_answer"] is None


def record(**changes: Any) -> Record:
    chain = {"steps": ["one", "two"], "labels": [1, 0], "augs": []} | changes
    values = {"domain": "prm_math", "question": "Why?", "chain_of_thoughts": [chain]}
    return Record("f.json, row 2", values)


def test_an_alternative_ends_the_chain() -> None:
    augs = [{"aug_step": "other", "aug_idx": 0, "aug_type": -1}]
    rows = [row for _, row in prm800k.solutions([record(augs=augs)])]
    assert [(row["solution_id"], row["steps"], row["step_labels"]) for row in rows] == [
        (0, ["one", "two"], [1, 0]),
        (1, ["other"], [0]),
    ]
    assert [row["outcome"] for row in rows] == [0, 0]


@pytest.mark.parametrize(("kind", "label"), [(1, 1), (0, 1), (-1, 0), ("non-sequitur", 0), ("", 0)])
def test_an_alternative_is_correct_if_it_is_rated_good_or_neutral(
    kind: int | str, label: int
) -> None:
    augs = [{"aug_step": "other", "aug_idx": 1, "aug_type": kind}]
    _, (_, row) = prm800k.solutions([record(labels=[1, 1], augs=augs)])
    assert (row["step_labels"], row["outcome"]) == ([1, label], label)


@pytest.mark.parametrize("label", [-1, 0])
def test_a_step_of_a_chain_is_correct_only_if_it_is_rated_good(label: int) -> None:
    ((_, row),) = prm800k.solutions([record(labels=[1, label])])
    assert (row["step_labels"], row["outcome"]) == ([1, 0], 0)


def test_the_files_of_prm800k_itself_are_refused(tmp_path: Path) -> None:
    row = {"question": {"problem": "2 + 3?"}, "label": {"steps": []}}
    with pytest.raises(InputError, match="expected a question in VersaPRM's training format"):
        list(prm800k.solutions([Record("f.jsonl, line 1", row)]))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"labels": [1]}, "key labels: expected a label for each of 2 steps, found 1 labels"),
        ({"labels": [1, 2]}, "key labels: expected -1, 0 or 1, found 2"),
        ({"labels": [1, None]}, r"key labels\[1\]: expected a whole number"),
        ({"steps": "one"}, "key steps: expected a list"),
        (
            {"augs": [{"aug_step": "x", "aug_idx": 3, "aug_type": 1}]},
            r"augs\[0\], key aug_idx: expected a position from 0 to 2, found 3",
        ),
        (
            {"augs": [{"aug_step": "x", "aug_idx": 1, "aug_type": "1"}]},
            r"augs\[0\], key aug_type: expected -1, 0, 1 or the name of an error",
        ),
    ],
)
def test_bad_rows_are_named(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError, match=r"f.json, row 2, chain_of_thoughts\[0\], " + complaint):
        list(prm800k.solutions([record(**changes)]))
