"""PRM800K's own files: ratings become labels, completions that were not chosen become solutions of their own."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from multirm.data import prm800k
from multirm.data.tally import Tally
from multirm.errors import InputError
from multirm.formats.json_source import Record, read_objects


def read(*records: Record, tally: Tally | None = None) -> list[dict[str, Any]]:
    return [{**row} for _, row in prm800k.solutions(records, tally or Tally())]


def objects(path: Path) -> list[dict[str, Any]]:
    """The objects of a file, by another way than the reader's: each starts at a brace in the first column."""
    text, found = path.read_text(), []
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in text.splitlines()]
    for part in f"\n{text.strip()}".split("\n{")[1:]:
        found.append(json.loads(f"{{{part}"))
    return found


@pytest.mark.parametrize(
    ("file", "n_rows", "n_questions", "n_solutions"),
    [
        ("prm800k/raw/phase1-test-example.json", 1, 1, 10),
        ("prm800k/raw/phase1-train-example.json", 3, 3, 123),
        ("prm800k/raw/phase2-test-example.json", 1, 1, 4),
        ("openr/samples_prm800k.jsonl", 6, 6, 34),
    ],
)
def test_the_real_files(
    shared_data: Path, file: str, n_rows: int, n_questions: int, n_solutions: int
) -> None:
    path, tally = shared_data / file, Tally()
    rows = read(*read_objects([path]), tally=tally)
    raw = objects(path)
    assert len(raw) == n_rows
    assert len({row["question_id"] for row in rows}) == n_questions
    assert len(rows) == n_solutions
    # Each rated completion is labelled once, in the chain or as an alternative, unless its text is repeated.
    rated = Counter(
        each["rating"] != -1
        for row in raw
        for step in row["label"]["steps"]
        for each in step["completions"] or []
        if each["rating"] is not None
    )
    labels = Counter(label for row in rows for label in row["own_labels"])
    repeated = tally.of("math").get("repeated alternatives left out", 0)
    assert labels[0] + labels[1] + repeated == rated.total()
    assert labels[0] <= rated[False]
    assert set(tally.of("math")) <= {"repeated alternatives left out"}


def test_copies_of_rows_are_left_out(shared_data: Path) -> None:
    tally = Tally()
    files = sorted((shared_data / "prm800k" / "raw").iterdir())
    rows = read(*read_objects(files), tally=tally)
    assert len(rows) == 123 + 4
    assert tally.of("math") == {"repeated rows left out": 1}


def completion(text: str, rating: int | None) -> dict[str, Any]:
    return {"text": text, "rating": rating, "flagged": False}


def step(*completions: dict[str, Any], **changes: Any) -> dict[str, Any]:
    values = {"completions": list(completions), "human_completion": None, "chosen_completion": 0}
    return values | changes


def record(
    *steps: dict[str, Any], finish: str = "solution", line: int = 1, **question: Any
) -> Record:
    label = {"steps": list(steps), "total_time": 1, "finish_reason": finish}
    asked = {"problem": "Why?", "ground_truth_answer": "2"} | question
    return Record(f"f.jsonl, line {line}", {"timestamp": line, "question": asked, "label": label})


GOOD, NEUTRAL, BAD = completion("a", 1), completion("b", 0), completion("c", -1)


def test_neutral_steps_are_correct() -> None:
    (row,) = read(record(step(GOOD), step(NEUTRAL)))
    assert (row["steps"], row["step_labels"], row["outcome"]) == (["a", "b"], [1, 1], 1)


@pytest.mark.parametrize(
    ("last", "finish", "outcome"),
    [
        (GOOD, "solution", 1),
        (GOOD, "give_up", None),
        (GOOD, "found_error", None),
        (BAD, "solution", 0),
        (BAD, "give_up", 0),
    ],
)
def test_only_a_finished_solution_is_known_to_be_correct(
    last: dict[str, Any], finish: str, outcome: int | None
) -> None:
    (row,) = read(record(step(NEUTRAL), step(last), finish=finish))
    assert row["outcome"] == outcome


def test_alternatives_are_labelled_at_their_own_step() -> None:
    second = step(BAD, GOOD, completion("d", 0), completion("e", None), chosen_completion=1)
    rows = read(record(step(NEUTRAL), second, step(completion("f", 1))))
    assert [(row["steps"], row["own_labels"], row["outcome"]) for row in rows] == [
        (["b", "a", "f"], [1, 1, 1], 1),
        (["b", "c"], [None, 0], 0),
        (["b", "d"], [None, 1], None),
    ]
    assert [row["step_labels"] for row in rows] == [[1, 1, 1], [1, 0], [1, 1]]
    assert [row["solution_id"] for row in rows] == [0, 1, 2]


def test_a_step_that_a_person_wrote_has_no_label() -> None:
    written = step(BAD, human_completion=completion("mine", None), chosen_completion=None)
    rows = read(record(step(NEUTRAL), written, step(completion("f", 1), BAD)))
    assert [(row["steps"], row["own_labels"], row["outcome"]) for row in rows] == [
        (["b", "mine", "f"], [1, None, 1], None),
        (["b", "c"], [None, 0], 0),
        (["b", "mine", "c"], [None, None, 0], 0),
    ]
    assert [row["step_labels"] for row in rows] == [None, [1, 0], None]
    (row,) = read(record(step(BAD), step(**written), step(GOOD), finish="solution"))[:1]
    assert (row["step_labels"], row["own_labels"]) == ([0, 0, 0], [0, None, 1])


def test_a_finished_solution_ends_at_its_first_error() -> None:
    """In phase 2, the solution's own step is the first completion; those after its error were never rated."""
    last = step(BAD, completion("d", 1), chosen_completion=None)
    rows = read(record(step(GOOD), last, finish="found_error", pre_generated_steps=["a", "c", "z"]))
    assert [(row["steps"], row["own_labels"], row["outcome"]) for row in rows] == [
        (["a", "c"], [1, 0], 0),
        (["a", "d"], [None, 1], None),
    ]


def test_a_solution_ends_where_nothing_was_chosen() -> None:
    nothing = step(chosen_completion=None, completions=None)
    rows = read(record(step(GOOD), nothing, step(NEUTRAL), finish="give_up"))
    assert [row["steps"] for row in rows] == [["a"]]
    unrated = step(completion("e", None), chosen_completion=None)
    assert [row["steps"] for row in read(record(step(GOOD), unrated))] == [["a"]]


def test_rows_about_one_problem_are_one_question() -> None:
    rows = read(
        record(step(GOOD), line=1),
        record(step(GOOD), line=2, problem="How?"),
        record(step(BAD, GOOD), line=3),
    )
    assert [(row["question_id"], row["solution_id"]) for row in rows] == [
        *(("000000", 0), ("000001", 0), ("000000", 1), ("000000", 2))
    ]


def test_what_cannot_be_used_is_counted() -> None:
    tally = Tally()
    second = step(GOOD, GOOD, completion(" ", -1), completion("b ", 0), NEUTRAL)
    rows = read(
        record(step(GOOD), finish="bad_problem", line=1),
        record(step(chosen_completion=None), line=2),
        record(second, step(completion("", 1)), line=3),
        record(second, step(completion("", 1)), line=3),
        tally=tally,
    )
    assert [row["steps"] for row in rows] == [["a"], ["b"]]
    assert tally.of("math") == {
        "rows with a bad problem left out": 1,
        "rows without a rated step left out": 1,
        "repeated alternatives left out": 2,
        "empty alternatives left out": 1,
        "empty steps left out": 1,
        "repeated rows left out": 1,
    }


def test_files_in_versaprm_s_format_are_refused(shared_data: Path) -> None:
    path = shared_data / "prm800k" / "phase2_eval_small.json"
    with pytest.raises(
        InputError, match=r"row 1: expected .* own files.*; use the reader versaprm"
    ):
        read(*read_objects([path]))


@pytest.mark.parametrize(
    ("bad", "complaint"),
    [
        (step(completion("a", 2)), r"steps\[0\], completions\[0\], key rating: expected -1, 0, 1"),
        (step(completion("a", True)), "key rating: expected -1, 0, 1 or null, found True"),  # type: ignore[arg-type]
        (step(GOOD, chosen_completion=1), "key chosen_completion: expected one of 1 completions"),
        (step(GOOD, chosen_completion="0"), "key chosen_completion: expected one of 1 completions"),
        (step(GOOD, human_completion="x", chosen_completion=None), "expected a JSON object"),
        ({"completions": []}, "expected the key chosen_completion"),
    ],
)
def test_bad_rows_are_named(bad: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError, match=r"f.jsonl, line 1, label, .*" + complaint):
        read(record(bad))


def test_an_unknown_finish_is_refused() -> None:
    with pytest.raises(
        InputError, match="label, key finish_reason: expected solution, found_error"
    ):
        read(record(step(GOOD), finish="bored"))
