"""The entry functions: tables from real files, and bad input, which leaves existing tables alone."""

import json
from pathlib import Path
from typing import Any

import pytest

from multirm.data.read import read_questions, read_rewards, read_solutions
from multirm.errors import InputError
from multirm.formats.sources import Reader
from multirm.running.files import digest
from multirm.tables import parquet
from multirm.tables.labels import LABELS
from multirm.tables.questions import QUESTIONS
from multirm.tables.rewards import REWARDS
from multirm.tables.solutions import SOLUTIONS

TEST: dict[str, Any] = {
    "q_id": "12",
    "question": "Which?",
    "answer": "B",
    "cot_ids": [0, 1],
    "cots": [["One.", "Two."], ["Three."]],
    "parsed_answers": ["B", None],
}


def rows_of(path: Path) -> list[dict[str, Any]]:
    return parquet.read(path, SOLUTIONS).to_pylist()


@pytest.mark.parametrize(
    ("reader", "folder", "category", "n"),
    [
        (Reader.GSM8K, "gsm8k", "math", 5276),
        (Reader.VERSAPRM, "prm800k", "math", 44),
        (Reader.PRM800K, "openr/samples_prm800k.jsonl", "math", 34),
        (Reader.MATH_SHEPHERD, "openr/samples_math-shepherd.jsonl", "math", 7),
        (Reader.MR_BEN, "mrben", "biology", 1034),
        (Reader.BIGBENCH_MISTAKE, "bigbench_mistake", "logical_deduction", 300),
        (Reader.PRMBENCH, "prmbench", "math", 1942),
        (Reader.PROCESSBENCH, "processbench", "math", 1000),
        (Reader.MMLU_PRO, "mmlu_pro", "computer_science", 5),
    ],
)
def test_real_solutions(
    shared_data: Path, tmp_path: Path, reader: Reader, folder: str, category: str, n: int
) -> None:
    output = tmp_path / "t.parquet"
    read_solutions(reader, [str(shared_data / folder)], "real", category, output)
    rows = rows_of(output)
    assert len(rows) == n
    assert {(row["dataset"], row["category"]) for row in rows} == {("real", category)}
    with pytest.raises(InputError, match=r"rows of the category cooking, found only .*"):
        read_solutions(reader, [str(shared_data / folder)], "real", "cooking", output)
    assert len(rows_of(output)) == n


@pytest.mark.parametrize(
    ("reader", "folder", "category", "n"),
    [(Reader.GSM8K, "gsm8k", "math", 1319), (Reader.MMLU_PRO, "mmlu_pro", "law", 145)],
)
def test_real_questions(
    shared_data: Path, tmp_path: Path, reader: Reader, folder: str, category: str, n: int
) -> None:
    output = tmp_path / "t.parquet"
    read_questions(reader, [str(shared_data / folder)], "real", category, output)
    assert parquet.read(output, QUESTIONS).num_rows == n


def test_fewer_questions_are_among_more_and_in_their_order(
    shared_data: Path, tmp_path: Path
) -> None:
    output = tmp_path / "t.parquet"

    def read(limit: int | None, seed: int = 42) -> list[str]:
        source = [str(shared_data / "mmlu_pro")]
        read_questions(Reader.MMLU_PRO, source, "real", "law", output, limit=limit, seed=seed)
        ids: list[str] = parquet.read(output, QUESTIONS).column("question_id").to_pylist()
        return ids

    every, many, few = read(None), read(20), read(10)
    assert (len(every), len(many), len(few)) == (145, 20, 10)
    assert few == [each for each in many if each in few]
    assert many == [each for each in every if each in many]
    assert few == read(10) != read(10, seed=43)
    assert read(1000) == every


@pytest.mark.parametrize("reader", [each for each in Reader if not each.has_answers])
def test_questions_without_answers_are_refused(tmp_path: Path, reader: Reader) -> None:
    with pytest.raises(InputError, match="reader: expected one whose questions have answers"):
        read_questions(reader, [str(tmp_path / "s")], "d", "math", tmp_path / "t.parquet")


def test_a_limit_of_0_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="limit: expected at least 1 question, found 0"):
        read_solutions(Reader.GSM8K, ["x"], "d", "math", tmp_path / "t.parquet", limit=0)
    with pytest.raises(InputError, match="limit: expected at least 1 question, found 0"):
        read_questions(Reader.GSM8K, ["x"], "d", "math", tmp_path / "t.parquet", limit=0)


def test_the_footer_names_no_folder_in_its_parameters(tmp_path: Path) -> None:
    source, output = tmp_path / "law.json", tmp_path / "t.parquet"
    source.write_text(json.dumps([TEST]))
    read_solutions(Reader.PUBLISHED, [str(source)], "d", "law", output, limit=1)
    footer = parquet.read_footer(output)
    assert footer.parameters == {
        "reader": "published",
        "hub": [],
        "dataset": "d",
        "category": "law",
        "limit": 1,
        "seed": 42,
        "repair_last_labels": False,
        "counted": {},
    }
    assert footer.inputs == {"law.json": digest(source)}


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ([TEST, TEST], "row 2, solution 0 of cots: expected each key once, found .*row 1"),
        ([TEST | {"cot_ids": [1, 1]}], "row 1, solution 1 of cots: expected each key once"),
        ([TEST | {"cots": [["One."], []]}], "solution 1 of cots: expected at least one step"),
        ([TEST | {"cots": [["One.", " "], ["x"]]}], "solution 0 of cots: .*empty one at position"),
        ([{"q_id": "1", "cots": []}], "row 1: expected the key cot_ids, found the keys q_id, cots"),
        ([], "law.json: expected at least one row"),
    ],
)
def test_bad_input_is_named_and_nothing_is_lost(
    tmp_path: Path, rows: list[Any], complaint: str
) -> None:
    source, output = tmp_path / "law.json", tmp_path / "t.parquet"
    source.write_text(json.dumps([TEST]))
    read_solutions(Reader.PUBLISHED, [str(source)], "d", "law", output)
    before = digest(output)
    source.write_text(json.dumps(rows))
    with pytest.raises(InputError, match=complaint) as caught:
        read_solutions(Reader.PUBLISHED, [str(source)], "d", "law", output)
    assert str(caught.value).startswith(str(source))
    assert "\n" not in str(caught.value)
    assert digest(output) == before


def test_a_missing_file(tmp_path: Path) -> None:
    for reader in Reader:
        with pytest.raises(InputError, match=r"missing.json: expected a file"):
            read_solutions(
                reader, [str(tmp_path / "missing.json")], "d", "math", tmp_path / "t.parquet"
            )


def test_rewards_must_match_their_solutions(tmp_path: Path) -> None:
    theirs, solutions = tmp_path / "theirs", tmp_path / "law.parquet"
    theirs.mkdir()
    (theirs / "law.json").write_text(json.dumps([TEST]))
    read_solutions(Reader.PUBLISHED, [str(theirs)], "d", "law", solutions)

    def read(*rows: dict[str, Any]) -> list[dict[str, Any]]:
        (theirs / "law_reward.json").write_text(json.dumps(rows))
        output = tmp_path / "rewards.parquet"
        read_rewards([str(theirs)], "d", "law", "dPRM", solutions, output)
        return parquet.read(output, REWARDS).to_pylist()

    found = read({"q_id": "12", "cot_ids": [1, 0], "rewards": [[0.25], [0.5, None]]})
    assert [(row["model"], row["solution_id"], row["rewards"]) for row in found] == [
        ("dPRM", 1, [0.25]),
        ("dPRM", 0, [0.5, None]),
    ]
    with pytest.raises(InputError, match=r"found none for 1 \(first: d/law/12/1\)"):
        read({"q_id": "12", "cot_ids": [0], "rewards": [[0.5]]})
    with pytest.raises(InputError, match=r"found also some for 1 \(first: d/law/12/2\)"):
        read({"q_id": "12", "cot_ids": [0, 1, 2], "rewards": [[0.5]] * 3})
    with pytest.raises(InputError, match="row 2: expected each key once"):
        read(*[{"q_id": "12", "cot_ids": [0], "rewards": [[0.5]]}] * 2)


def test_what_was_left_out_is_in_the_footer_and_the_log(
    shared_data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source, output = [str(shared_data / "mrben")], tmp_path / "t.parquet"
    read_solutions(Reader.MR_BEN, source, "d", "medicine", output)
    reason = "solutions with an error beyond the last step left out"
    assert parquet.read_footer(output).parameters["counted"] == {reason: 1}
    assert f"{reason}: 1, the first at {source[0]}/medicine.json, e56fce98-" in caplog.text
    assert "one text" not in caplog.text
    with pytest.raises(
        InputError,
        match=r"category coding, found only .*; solutions that are one text left out: 238",
    ):
        read_solutions(Reader.MR_BEN, source, "d", "coding", output)


def test_labels_of_single_steps(shared_data: Path, tmp_path: Path) -> None:
    """Each of PRM800K's ratings once; solutions and labels are of one origin."""
    output, labels = tmp_path / "t.parquet", tmp_path / "labels.parquet"
    source = shared_data / "openr" / "samples_prm800k.jsonl"
    read_solutions(Reader.PRM800K, [str(source)], "d", "math", output, output_labels=labels)
    found = parquet.read(labels, LABELS).to_pylist()
    solutions = {
        row["solution_id"]: row for row in rows_of(output) if row["question_id"] == "000000"
    }
    assert [row["label"] for row in found if row["question_id"] == "000000"][:6] == [
        1,
        1,
        1,
        1,
        1,
        0,
    ]
    assert {row["source"] for row in found} == {"read"}
    raw = [json.loads(line) for line in source.read_text().splitlines()]
    steps = [step for row in raw for step in row["label"]["steps"]]
    ratings = [each["rating"] for step in steps for each in step["completions"] or []]
    counted = parquet.read_footer(output).parameters["counted"]
    assert counted == {"repeated alternatives left out": 2}
    assert len(found) == sum(rating is not None for rating in ratings) - 2
    for row in found:
        if row["question_id"] == "000000" and row["solution_id"]:
            assert row["step"] == len(solutions[row["solution_id"]]["steps"]) - 1
    assert parquet.read_footer(labels).inputs == parquet.read_footer(output).inputs


def test_soft_labels_of_stepwise_data(tmp_path: Path) -> None:
    source, output, labels = (tmp_path / name for name in ("s.jsonl", "t.parquet", "l.parquet"))
    row = {"prompt": "Why?", "completions": ["a", "b", "c"], "labels": [0.25, None, True]}
    source.write_text(json.dumps(row))
    read_solutions(Reader.TRL, [str(source)], "d", "law", output, output_labels=labels)
    assert [each["step_labels"] for each in rows_of(output)] == [None]
    found = parquet.read(labels, LABELS).to_pylist()
    assert [(each["step"], each["label"], each["value"]) for each in found] == [
        (0, None, 0.25),
        (2, 1, None),
    ]


def test_labels_that_are_not_there(shared_data: Path, tmp_path: Path) -> None:
    output, labels = tmp_path / "t.parquet", tmp_path / "l.parquet"
    source = [str(shared_data / "gsm8k")]
    with pytest.raises(InputError, match=r"expected labels of steps, found none; read .* without"):
        read_solutions(Reader.GSM8K, source, "d", "math", output, output_labels=labels)
    assert not output.exists()


def test_stepwise_data_is_of_the_category_asked_for(tmp_path: Path) -> None:
    source, output = tmp_path / "steps.jsonl", tmp_path / "t.parquet"
    row = {"prompt": "Why?", "completions": ["a", "b"], "labels": [True, False]}
    source.write_text(f"{json.dumps(row)}\n{json.dumps(row | {'labels': [True, True]})}\n")
    read_solutions(Reader.TRL, [str(source)], "d", "law", output)
    rows = rows_of(output)
    assert [(row["solution_id"], row["step_labels"], row["outcome"]) for row in rows] == [
        (0, [1, 0], 0),
        (1, [1, 1], 1),
    ]
    assert {(row["dataset"], row["category"], row["question"]) for row in rows} == {
        ("d", "law", "Why?")
    }


def test_empty_steps_of_stepwise_data_are_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source, output = tmp_path / "steps.jsonl", tmp_path / "t.parquet"
    row = {"prompt": "Why?", "completions": ["a", " ", "b"], "labels": [True, False, True]}
    source.write_text(f"{json.dumps(row)}\n" * 3)
    read_solutions(Reader.TRL, [str(source)], "d", "law", output)
    assert [row["step_labels"] for row in rows_of(output)] == [[1, 1]] * 3
    assert "empty steps left out: 3, the first at" in caplog.text
    assert parquet.read_footer(output).parameters["counted"] == {"empty steps left out": 3}
