"""TRL's stepwise data: true, false, fractions and null stay what they are; everything else is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from multirm.errors import InputError
from multirm.formats.trl import read_stepwise, solution_rows
from multirm.tables import parquet
from multirm.tables.solutions import SOLUTIONS
from tests.origins import made_of


def written(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
    return path


def row(labels: list[Any], prompt: str = "What is 2 + 3?", **values: Any) -> dict[str, Any]:
    steps = [f"Step {k}." for k in range(len(labels))]
    return {"prompt": prompt, "completions": steps, "labels": labels} | values


def test_truths_are_labels_and_numbers_are_values(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", row([True, False]), row([0.25, None, True, 1, 0]))
    hard, soft = read_stepwise([path])
    assert (hard.labels, hard.values) == ([1, 0], [None, None])
    assert hard.step_labels == [1, 0]
    assert soft.labels == [None, None, 1, None, None]
    assert soft.values == [0.25, None, None, 1.0, 0.0]
    assert soft.step_labels is None


def test_empty_steps_go_with_their_labels(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", row([1, True, False], completions=["A", " \n", " B\n"]))
    (found,) = read_stepwise([path])
    assert (found.steps, found.labels, found.values) == (["A", "B"], [None, 0], [1.0, None])
    assert found.n_empty == 1


def test_solutions_to_one_prompt_are_one_pool(tmp_path: Path) -> None:
    rows = [row([True, True]), row([False], prompt="Other?"), row([True, False])]
    path = written(tmp_path / "a.jsonl", *rows, row([0.5]))
    made = solution_rows(read_stepwise([tmp_path]), "mine", "all")
    parquet.write(tmp_path / "mine.parquet", SOLUTIONS, made, made_of({}, [path]))
    read = parquet.read(tmp_path / "mine.parquet", SOLUTIONS).to_pylist()
    assert [each["solution_id"] for each in read] == [0, 0, 1, 2]
    assert len({each["question_id"] for each in read}) == 2
    assert [each["outcome"] for each in read] == [1, 0, 0, None]
    assert [each["step_labels"] for each in read] == [[1, 1], [0], [1, 0], None]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (row([True, -100]), r"line 1, key labels\[1\]: .* found -100; a step without .* null"),
        (row([2]), r"labels\[0\]: expected true, false, or a number from 0 to 1, found 2"),
        (row(["true"]), "found 'true'"),
        (row([True], completions=["A", "B"]), "one for each of 2 completions, found 1"),
        (row([]), "at least one step with text, found none"),
        (row([True], prompt=" "), "key prompt: expected a text"),
        ({"prompt": "Q", "completions": ["A"]}, "expected the key labels"),
        (row([True], completions=[1]), r"completions\[0\]: expected a text"),
    ],
)
def test_other_rows_are_refused(tmp_path: Path, bad: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_stepwise([written(tmp_path / "a.jsonl", bad)])


def test_not_a_number_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"prompt": "Q", "completions": ["A"], "labels": [NaN]}\n')
    with pytest.raises(InputError, match="found nan"):
        read_stepwise([tmp_path / "a.jsonl"])
