"""The hub's CSV layout: written here as pandas does, and read without evaluating anything."""

import csv
import io
from pathlib import Path
from typing import Any

import pytest

from multirm.data import mmlu_pro, versaprm_csv
from multirm.data.read import read_solutions
from multirm.data.tally import Tally
from multirm.errors import InputError
from multirm.formats.json_source import read_json
from multirm.formats.sources import Reader
from multirm.tables import parquet
from multirm.tables.solutions import SOLUTIONS
from multirm.text.labels import format_question

COLUMNS = (
    "question,answer,category,src,id,chain_of_thoughts,labels,cot_id,parsed_answer,parsed_answer_correctness"
).split(",")


def row(**changes: Any) -> dict[str, Any]:
    values = {
        "question": "Question: Which?\nA. x\nB. y",
        "answer": "B",
        "category": "computer science",
        "src": "mmlu",
        "id": "7_mmlu_computer_science",
        "chain_of_thoughts": ['It\'s \\(x\\) or "y".', "The answer is (B)."],
        "labels": [1, 1],
        "cot_id": "0",
        "parsed_answer": "B",
        "parsed_answer_correctness": True,
    }
    return values | changes


def text_of(*rows: dict[str, Any]) -> str:
    """The rows as CSV; lists and truths are written as Python's `str` writes them."""
    names = [name for name in COLUMNS if name in rows[0]]
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, names)
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "file.csv"


def read(
    file: Path, *rows: dict[str, Any], tally: Tally | None = None, repair: bool = False
) -> list[dict[str, Any]]:
    file.write_text(text_of(*rows), encoding="utf-8", newline="")
    found = versaprm_csv.solutions([file], "computer_science", tally or Tally(), repair)
    return [{**row} for _, row in found]


def test_a_row(file: Path) -> None:
    assert read(file, row(labels=[1, -1], cot_id="15")) == [
        {
            "category": "computer_science",
            "question_id": "7_mmlu_computer_science",
            "solution_id": 15,
            "question": "Which?\nA. x\nB. y",
            "answer": "B",
            "steps": ['It\'s \\(x\\) or "y".', "The answer is (B)."],
            "parsed_answer": "B",
            "outcome": 1,
            "step_labels": [1, 0],
        }
    ]


def test_real_solutions_in_this_layout(shared_data: Path, file: Path) -> None:
    """All exemplars, with real questions of many lines, come back as the reader of MMLU-Pro has them."""
    records = read_json([shared_data / "mmlu_pro" / "exemplars.json"])
    wanted = [each for _, each in mmlu_pro.solutions(records) if each["category"] == "physics"]
    rows = [
        row(
            question=f"Question: {each['question']}",
            answer=each["answer"],
            category="physics",
            id=each["question_id"],
            chain_of_thoughts=each["steps"],
            labels=[1] * len(each["steps"]),
            parsed_answer=each["parsed_answer"],
        )
        for each in wanted
    ]
    file.write_text(text_of(*rows), encoding="utf-8", newline="")
    found = [each for _, each in versaprm_csv.solutions([file], "physics", Tally(), False)]
    assert len(found) == 5
    for each, own in zip(found, wanted, strict=True):
        assert each == {**own, "step_labels": [1] * len(own["steps"])}
    for (_, each), own in zip(versaprm_csv.questions([file], "physics"), wanted, strict=True):
        assert format_question(each["question"], each["options"]) == own["question"]


def test_solutions_without_labels(file: Path) -> None:
    """MMLU-Pro-CoT-Eval lacks the column; pandas writes a missing list as an empty field."""
    without = {name: value for name, value in row().items() if name != "labels"}
    for each in (without, row(labels="")):
        (found,) = read(file, each)
        assert (found["step_labels"], found["outcome"]) == (None, 1)


def test_what_is_changed_or_left_out_is_counted(file: Path) -> None:
    steps, tally = ["One.", "", "Two. The answer is (A).", " "], Tally()
    rows = read(
        file,
        row(chain_of_thoughts=steps, labels=[1, 1, -1, -1], parsed_answer="A"),
        row(cot_id="1", chain_of_thoughts=["", ""]),
        row(cot_id="2", parsed_answer=""),
        row(cot_id="2", parsed_answer=""),
        row(category="law", chain_of_thoughts="not even a list"),
        tally=tally,
    )
    assert [(each["solution_id"], each["step_labels"]) for each in rows] == [
        (0, [1, 0]),
        (2, [1, 1]),
    ]
    assert rows[0]["steps"] == ["One.", "Two. The answer is (A)."]
    assert (rows[1]["parsed_answer"], rows[1]["outcome"]) == (None, 0)
    assert tally.of("computer_science") == {
        "empty steps left out": 4,
        "solutions without steps left out": 1,
        "solutions with another parsed_answer_correctness": 2,
        "repeated solutions left out": 1,
    }


def test_questions_without_a_solution_are_counted_once(file: Path) -> None:
    """Only those of which no row has one."""
    tally = Tally()
    empty = row(chain_of_thoughts=[""], labels=[1])
    others = [empty | {"id": "8", "cot_id": str(k)} for k in range(3)]
    assert len(read(file, empty, *others, row(cot_id="1"), tally=tally)) == 1
    assert tally.of("computer_science")["questions without a solution left out"] == 1


@pytest.mark.parametrize("name", ["question", "answer"])
def test_two_questions_with_one_id_are_refused(file: Path, name: str) -> None:
    other = row(cot_id="1") | {name: "A"}
    message = r"row 2, key id: expected one question and answer for each, found others for 7_mmlu"
    with pytest.raises(InputError, match=message):
        read(file, row(), other)


@pytest.mark.parametrize(
    ("labels", "answer", "last", "repaired"),
    [
        ([1, 1], "A", "The answer is (A).", [1, 0]),
        ([1, 1], "A", "So (A).", [1, 1]),
        ([1, -1], "A", "The answer is (A).", [1, 0]),
        ([1, 1], "B", "The answer is (B).", [1, 1]),
        ([1, -1], "B", "The answer is (B).", [1, 1]),
        ([1, -1], "B", "So (B).", [1, 0]),
        ([-1, -1], "B", "The answer is (B).", [0, 0]),
    ],
)
def test_repair_of_last_labels(
    file: Path, labels: list[int], answer: str, last: str, repaired: list[int]
) -> None:
    own = row(
        labels=labels,
        parsed_answer=answer,
        parsed_answer_correctness=answer == "B",
        chain_of_thoughts=["One.", last],
    )
    (found,) = read(file, own)
    as_written = [int(label == 1) for label in labels]
    assert found["step_labels"] == as_written
    tally = Tally()
    (found,) = read(file, own, tally=tally, repair=True)
    assert found["step_labels"] == repaired
    kind = "correct" if answer == "B" else "incorrect"
    counted = {f"last labels repaired to {kind}": 1} if repaired != as_written else {}
    assert tally.of("computer_science") == counted


def test_a_single_step_and_missing_labels_are_not_repaired(file: Path) -> None:
    (found,) = read(file, row(chain_of_thoughts=["The answer is (B)."], labels=[-1]), repair=True)
    assert found["step_labels"] == [0]
    (found,) = read(file, row(labels=""), repair=True)
    assert found["step_labels"] is None


def test_counts_are_in_the_footer(file: Path, tmp_path: Path) -> None:
    wrong = {"parsed_answer": "A", "parsed_answer_correctness": False}
    file.write_text(text_of(row(**wrong)), encoding="utf-8", newline="")
    output = tmp_path / "t.parquet"
    read_solutions(
        Reader.VERSAPRM_CSV, [str(file)], "d", "computer_science", output, repair_last_labels=True
    )
    assert parquet.read(output, SOLUTIONS)["step_labels"].to_pylist() == [[1, 0]]
    parameters = parquet.read_footer(output).parameters
    assert parameters["repair_last_labels"] is True
    assert parameters["counted"] == {"last labels repaired to incorrect": 1}
    with pytest.raises(InputError, match="repair_last_labels: expected the reader versaprm_csv"):
        read_solutions(Reader.VERSAPRM, [str(file)], "d", "law", output, repair_last_labels=True)


def test_questions_are_read_once(file: Path) -> None:
    file.write_text(text_of(row(), row(cot_id="1")), encoding="utf-8", newline="")
    assert [each for _, each in versaprm_csv.questions([file], "computer_science")] == [
        {
            "category": "computer_science",
            "question_id": "7_mmlu_computer_science",
            "question": "Which?",
            "options": ["x", "y"],
            "answer": "B",
        }
    ]
    file.write_text(text_of(row(), row(answer="A")), encoding="utf-8", newline="")
    with pytest.raises(
        InputError, match="row 2, key id: expected one question and answer for each"
    ):
        list(versaprm_csv.questions([file], "computer_science"))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"labels": [1]}, "key labels: expected a label for each of 2 steps, found 1 labels"),
        ({"labels": [1, 2]}, "key labels: expected -1, 0 or 1, found 2"),
        ({"labels": "[1, x]"}, "key labels: expected a Python list of numbers"),
        ({"labels": "[1, 1.0]"}, "key labels: expected a Python list of numbers"),
        (
            {"chain_of_thoughts": "['a', __import__('os').system('true')]"},
            "key chain_of_thoughts: expected a Python list of texts",
        ),
        ({"chain_of_thoughts": '["a", null]'}, "key chain_of_thoughts: expected a Python list"),
        ({"chain_of_thoughts": "[" * 100_000}, "key chain_of_thoughts: expected a Python list"),
        ({"chain_of_thoughts": "x" * 200_000}, "expected CSV, found field larger than field limit"),
        ({"cot_id": "first"}, "key cot_id: expected a number from 0, found 'first'"),
        ({"question": " "}, "key question: expected a text, found an empty one"),
        ({"id": ""}, "key id: expected a text, found an empty one"),
    ],
)
def test_bad_rows_are_named(file: Path, changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError, match="file.csv, row 1.*" + complaint) as caught:
        read(file, row(**changes))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "expected a header and at least one row, found none"),
        (b"question,answer\n", "expected a header and at least one row, found none"),
        (
            b"question,answer\nWhy?,B\n",
            "expected the columns question, answer, category, .*, found",
        ),
        (b'[{"question": "Why?"}]\n[]', "expected the columns question, answer"),
        (
            text_of(row()).encode() + b"a,b\r\n",
            "row 2: expected a field for each column, found fewer",
        ),
        (
            text_of(row()).encode() + b"," * 20,
            "row 2: expected a field for each column, found more",
        ),
        (text_of(row()).encode() + b'"a', "row 2: expected CSV, found unexpected end of data"),
        (b"question,\xff\n", "row 1: expected UTF-8, found the byte 0xff"),
    ],
)
def test_bad_files_are_named(file: Path, data: bytes, complaint: str) -> None:
    file.write_bytes(data)
    with pytest.raises(InputError, match="file.csv.*" + complaint):
        list(versaprm_csv.solutions([file], "computer_science", Tally(), False))


def test_a_category_that_is_not_there(file: Path) -> None:
    with pytest.raises(InputError, match="rows of the category computer_science, found only law"):
        read(file, row(category="law"))
