"""VersaPRM's JSON files: labels of chains, alternatives as solutions, and everything that is left out is counted."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from multirm.data import versaprm
from multirm.data.read import read_solutions
from multirm.data.tally import Tally
from multirm.errors import InputError
from multirm.formats.json_source import Record, read_json
from multirm.formats.sources import Reader
from multirm.tables import parquet
from multirm.tables.labels import LABELS


def test_the_real_file(shared_data: Path) -> None:
    path = shared_data / "prm800k" / "phase2_eval_small.json"
    rows = read(*read_json([path]))
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
        is_alternative = row["solution_id"] > 0
        assert row["outcome"] == (None if is_alternative and all(labels) else int(all(labels)))
        assert row["category"] == "math"
        assert row["answer"] is row["parsed_answer"] is None


def read(*records: Record, tally: Tally | None = None) -> list[dict[str, Any]]:
    return [{**row} for _, row in versaprm.solutions(records, tally or Tally())]


def test_every_label_of_the_real_file_is_learned_once(shared_data: Path, tmp_path: Path) -> None:
    """VersaPRM learns a chain's labels, and of an alternative only its own: 72 + 1 and 11 + 22 of them."""
    path, labels = shared_data / "prm800k" / "phase2_eval_small.json", tmp_path / "labels.parquet"
    output = tmp_path / "solutions.parquet"
    read_solutions(Reader.VERSAPRM, [str(path)], "d", "math", output, output_labels=labels)
    rows = parquet.read(labels, LABELS).to_pylist()
    assert Counter((row["solution_id"] > 0, row["label"]) for row in rows) == Counter(
        {(False, 1): 72, (False, 0): 1, (True, 1): 11, (True, 0): 22}
    )


def record(**changes: Any) -> Record:
    """A question of PRM800K in this format, with one chain, some of whose keys are changed."""
    chain = {"steps": ["one", "two"], "labels": [1, 0], "augs": []} | changes
    values = {"domain": "prm_math", "question": "Why?", "chain_of_thoughts": [chain]}
    return Record("f.json, row 2", values)


def test_an_alternative_ends_the_chain() -> None:
    augs = [{"aug_step": "other", "aug_idx": 0, "aug_type": -1}]
    rows = read(record(augs=augs))
    assert [(row["solution_id"], row["steps"], row["step_labels"]) for row in rows] == [
        (0, ["one", "two"], [1, 0]),
        (1, ["other"], [0]),
    ]
    assert [row["outcome"] for row in rows] == [0, 0]
    assert [row["parsed_answer"] for row in rows] == [None, None]


@pytest.mark.parametrize(("kind", "label"), [(1, 1), (0, 1), (-1, 0), ("non-sequitur", 0), ("", 0)])
def test_an_alternative_is_correct_if_it_is_rated_good_or_neutral(
    kind: int | str, label: int
) -> None:
    augs = [{"aug_step": "other", "aug_idx": 1, "aug_type": kind}]
    _, row = read(record(labels=[1, 1], augs=augs))
    assert (row["step_labels"], row["outcome"]) == ([1, label], None if label else 0)


@pytest.mark.parametrize("label", [-1, 0])
def test_a_step_of_a_chain_is_correct_only_if_it_is_rated_good(label: int) -> None:
    (row,) = read(record(labels=[1, label]))
    assert (row["step_labels"], row["outcome"]) == ([1, 0], 0)


def test_the_files_of_prm800k_itself_are_refused(tmp_path: Path) -> None:
    row = {"question": {"problem": "2 + 3?"}, "label": {"steps": []}}
    with pytest.raises(
        InputError, match="found a row of PRM800K's own files; use the reader prm800k"
    ):
        read(Record("f.jsonl, line 1", row))


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
        read(record(**changes))


def asked(*chains: dict[str, Any], **changes: Any) -> Record:
    """A question of MMLU-Pro with sampled chains."""
    values = {
        "id": "6762_mmlu_health",
        "category": "computer science",
        "question": "Which?",
        "options": ["x", "y"],
        "answer": "B",
        "chain_of_thoughts": list(chains),
    }
    return Record("f.json, row 1", values | changes)


def chain(cot_id: str = "0", **changes: Any) -> dict[str, Any]:
    values = {
        "steps": ["So.", "The answer is (B)."],
        "parsed_answer": "B",
        "parsed_answer_correctness": True,
        "cot_id": cot_id,
    }
    return values | changes


def test_sampled_chains_have_answers_and_their_own_ids() -> None:
    wrong = chain("11", parsed_answer="A", parsed_answer_correctness=False, labels=[1, -1])
    augs = [{"aug_step": "No.", "aug_idx": 1, "aug_type": "factual"}]
    rows = read(asked(wrong, chain("2", labels=[1, 1], eval="…", augs=augs)))
    assert [row["solution_id"] for row in rows] == [11, 2, 12]
    assert [(row["parsed_answer"], row["outcome"]) for row in rows] == [
        *(("A", 0), ("B", 1), (None, 0))
    ]
    assert [row["step_labels"] for row in rows][:2] == [[1, 0], [1, 1]]
    assert {(row["category"], row["question_id"], row["answer"]) for row in rows} == {
        ("computer_science", "6762_mmlu_health", "B")
    }
    assert {row["question"] for row in rows} == {"Which?\nA. x\nB. y"}


@pytest.mark.parametrize("changes", [{}, {"labels": None}, {"labels": None, "augs": []}])
def test_missing_and_null_labels_are_alike(changes: dict[str, Any]) -> None:
    (row,) = read(asked(chain(**changes)))
    assert (row["step_labels"], row["outcome"]) == (None, 1)


def test_without_answers_and_labels_there_is_no_outcome() -> None:
    (row,) = read(record(labels=None))
    assert (row["step_labels"], row["outcome"]) == (None, None)


@pytest.mark.parametrize(
    "question",
    ["Question: Which?\nA. x\nB. y", "Question: Question: Which?", " Which?\nA.  x \nB. y\n"],
)
def test_options_are_listed_once(question: str) -> None:
    (row,) = read(asked(chain(), question=question))
    assert row["question"].count("A. ") == row["question"].count("Which?") == 1
    assert not row["question"].startswith("Question:")


def test_only_the_last_label_of_an_alternative_is_its_own() -> None:
    augs = [{"aug_step": "No.", "aug_idx": 1, "aug_type": "factual"}]
    _, labelled = read(asked(chain(labels=[1, 1], augs=augs)))
    assert (labelled["step_labels"], labelled["own_labels"]) == ([1, 0], [None, 0])
    _, unlabelled = read(asked(chain(augs=augs)))
    assert (unlabelled["step_labels"], unlabelled["own_labels"]) == (None, [None, 0])


def test_a_scored_file_has_its_category_in_the_metadata() -> None:
    values = asked(chain(prm_reward=[0.5, 0.5])).values
    scored = {key: value for key, value in values.items() if key != "category"}
    (row,) = read(Record("f.json, row 1", scored | {"metadata": {"category": "law"}}))
    assert row["category"] == "law"


def test_empty_steps_are_left_out_with_their_labels_and_positions() -> None:
    steps, tally = ["One.", "", " ", "Four."], Tally()
    augs = [{"aug_step": "Other.", "aug_idx": 3, "aug_type": -1}]
    first, second = read(record(steps=steps, labels=[1, -1, -1, 1], augs=augs), tally=tally)
    assert (first["steps"], first["step_labels"]) == (["One.", "Four."], [1, 1])
    assert second["steps"] == ["One.", "Other."]
    assert tally.of("math") == {"empty steps left out": 2}


def test_what_cannot_be_used_is_counted() -> None:
    augs = [
        {"aug_step": "Then.", "aug_idx": -1, "aug_type": ""},
        {"aug_step": " So.", "aug_idx": 0, "aug_type": "factual"},
        {"aug_step": " ", "aug_idx": 0, "aug_type": "factual"},
        {"aug_step": "", "aug_idx": 0, "aug_type": "factual"},
        *[
            {"aug_step": "Else.", "aug_idx": 0, "aug_type": name}
            for name in ("factual", "contextual")
        ],
    ]
    tally = Tally()
    rows = read(
        asked(),
        asked(chain("0", steps=["", " "])),
        asked(chain("1", labels=[1, 1], augs=augs), chain("2"), chain("2")),
        asked(chain("3", parsed_answer_correctness=False), id="other"),
        tally=tally,
    )
    assert [(row["solution_id"], row["steps"][0]) for row in rows if row["solution_id"] > 2] == [
        (3, "Else."),
        (3, "So."),
    ]
    assert len(rows) == 4
    assert tally.of("computer_science") == {
        "questions without a solution left out": 2,
        "empty steps left out": 2,
        "solutions without steps left out": 1,
        "repeated solutions left out": 1,
        "alternatives at position -1 left out": 1,
        "alternatives like the step they replace left out": 1,
        "alternatives without text left out": 2,
        "repeated alternatives left out": 1,
        "solutions with another parsed_answer_correctness": 1,
    }


def test_a_repeated_id_of_another_solution_stays_for_the_check_of_keys() -> None:
    assert len(read(asked(chain("2"), chain("2", steps=["Else."])))) == 2


def test_questions_of_sampled_solutions() -> None:
    ((_, row),) = versaprm.questions([asked(question="Question: Which?\nA. x\nB. y")])
    assert row == {
        "category": "computer_science",
        "question_id": "6762_mmlu_health",
        "question": "Which?",
        "options": ["x", "y"],
        "answer": "B",
    }


def test_worked_solutions_are_no_answers(shared_data: Path) -> None:
    path = shared_data / "prm800k" / "phase2_eval_small.json"
    with pytest.raises(InputError, match="row 1, key answer: expected the letter of an option"):
        list(versaprm.questions(read_json([path])))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"cot_id": "x"}, r"key cot_id: expected a number from 0, found 'x'"),
        ({"cot_id": "9" * 10}, "key cot_id: expected a number from 0"),
        ({"parsed_answer": 3}, "key parsed_answer: expected a text or null"),
        ({"parsed_answer_correctness": "True"}, "expected true or false"),
    ],
)
def test_bad_chains_are_named(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError, match=r"row 1, chain_of_thoughts\[0\], .*" + complaint):
        read(asked(chain(**changes)))
