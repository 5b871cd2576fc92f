"""VersaPRM's data sets on the hub, downloaded: CSV files with a row per solution.

MMLU-Pro-CoT-Train-Labeled has labels, MMLU-Pro-CoT-Eval has none. `chain_of_thoughts` and `labels` are Python lists,
written as text; they are parsed, not evaluated. Otherwise a row means what it means in VersaPRM's JSON files (see
`versaprm`): `question` has the options in it, a label 1 is correct and -1 incorrect.

Multi-RM's copy of this data has other labels for some last steps, which state the answer: they agree with the answer
in all solutions whose other steps allow it. `repair_last_labels` changes the same ones: the last label becomes
incorrect if it is correct and the answer is wrong; it becomes correct if it alone is incorrect and the answer is right;
both only if the last step contains "The answer is".
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from multirm.data import versaprm
from multirm.data.python_lists import parse_numbers, parse_texts
from multirm.data.tally import Tally
from multirm.errors import InputError, shown
from multirm.formats.json_source import Placed, Record
from multirm.tables.schema import Row

_STATES_ANSWER = "The answer is"
_COLUMNS = ("question", "answer", "category", "id", "chain_of_thoughts", "cot_id", "parsed_answer")
_OF_QUESTION = ("question", "answer")
_TRUTHS = {"True": True, "False": False, "true": True, "false": False}


def questions(files: Sequence[Path], category: str) -> Iterator[Placed]:
    """Rows of the questions table of a category, without `dataset`: each question once."""
    asked: dict[str, Row] = {}
    for record in _of_category(files, category):
        for where, row in versaprm.questions([record]):
            if asked.setdefault(row["question_id"], row) is row:
                yield where, row
            elif asked[row["question_id"]] != row:
                raise _two_questions(record)


def solutions(
    files: Sequence[Path], category: str, tally: Tally, repair_last_labels: bool
) -> Iterator[Placed]:
    """Rows of the solutions table of a category, without `dataset`."""
    asked: dict[str, Record] = {}
    answered: set[str] = set()
    records = _once(_of_category(files, category), category, tally, asked)
    for where, row in versaprm.solutions(map(_as_json, records), tally, are_questions=False):
        answered.add(row["question_id"])
        yield where, _repaired(row, where, tally) if repair_last_labels else row
    for question_id, record in asked.items():
        if question_id not in answered:
            tally.add(category, versaprm.UNANSWERED, record.where)


def _once(
    records: Iterable[Record], category: str, tally: Tally, asked: dict[str, Record]
) -> Iterator[Record]:
    """The records without copies of earlier ones.

    Args:
        asked: gets the first record of each question.

    Raises:
        InputError: a question has two texts or answers.
    """
    seen: dict[tuple[str, str], int] = {}
    for record in records:
        first = asked.setdefault(record.identifier("id"), record)
        if any(first.values[name].strip() != record.values[name].strip() for name in _OF_QUESTION):
            raise _two_questions(record)
        key, content = (
            (record.text("id"), record.text("cot_id")),
            hash(tuple(record.values.items())),
        )
        if seen.get(key) == content:
            tally.add(category, "repeated solutions left out", record.where)
        else:
            seen[key] = content
            yield record


def _two_questions(record: Record) -> InputError:
    found = f"others for {record.identifier('id')}"
    return record.error("id", expected="one question and answer for each", found=found)


def _of_category(files: Sequence[Path], category: str) -> Iterator[Record]:
    """The rows of a category; those of others are not parsed.

    Raises:
        InputError: there are none.
    """
    others: set[str] = set()
    is_there = False
    for path in files:
        for record in read_csv(path, _COLUMNS):
            name = record.name("category")
            if name == category:
                is_there = True
                yield record
            else:
                others.add(name)
    if not is_there:
        raise InputError(
            ", ".join(map(str, files)),
            expected=f"rows of the category {category}",
            found=f"only {', '.join(sorted(others))}" if others else "none",
        )


def _as_json(record: Record) -> Record:
    """The row as a question with one solution in VersaPRM's JSON files."""
    values = record.values
    steps = parse_texts(values["chain_of_thoughts"])
    if steps is None:
        raise _not_a_list(record, "chain_of_thoughts", "texts")
    chain: dict[str, Any] = {"steps": steps, "labels": None}
    chain |= {name: values[name] for name in ("cot_id", "parsed_answer")}
    if values.get("labels", "").strip():
        chain["labels"] = parse_numbers(values["labels"])
        if chain["labels"] is None:
            raise _not_a_list(record, "labels", "numbers")
    if "parsed_answer_correctness" in values:
        chain["parsed_answer_correctness"] = _TRUTHS.get(
            values["parsed_answer_correctness"].strip()
        )
    question = {name: values[name] for name in ("question", "answer", "category", "id")}
    return Record(record.where, {**question, "chain_of_thoughts": [chain]})


def _not_a_list(record: Record, key: str, items: str) -> InputError:
    return record.error(
        key,
        expected=f"a Python list of {items}, such as pandas writes into CSV files",
        found=shown(record.values[key]),
    )


def _repaired(row: Row, where: str, tally: Tally) -> dict[str, Any]:
    labels, outcome = row["step_labels"], row["outcome"]
    changed = {**row}
    if not labels or _STATES_ANSWER not in row["steps"][-1]:
        return changed
    if not outcome and labels[-1] == 1:
        changed["step_labels"] = [*labels[:-1], 0]
        tally.add(row["category"], "last labels repaired to incorrect", where)
    elif outcome and labels[-1] == 0 and labels[-2:-1] == [1]:
        changed["step_labels"] = [*labels[:-1], 1]
        tally.add(row["category"], "last labels repaired to correct", where)
    return changed


def read_csv(path: Path, columns: Sequence[str]) -> Iterator[Record]:
    """The rows of a CSV file with a header, one at a time, as texts; rows count from 1, without the header.

    Raises:
        InputError: the file is not UTF-8 or not CSV, lacks one of the columns, or has no rows.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = _rows(path, file)
        number = 0
        for number, row in enumerate(rows, start=1):
            missing = [name for name in columns if name not in row]
            where = f"{path}, row {number}"
            if missing:
                raise InputError(
                    path,
                    expected=f"the columns {', '.join(columns)}",
                    found=", ".join(map(str, row)),
                )
            if None in row or None in row.values():
                found = "more" if None in row else "fewer"
                raise InputError(where, expected="a field for each column", found=found)
            yield Record(where, row)
        if not number:
            raise InputError(path, expected="a header and at least one row", found="none")


def _rows(path: Path, file: TextIO) -> Iterator[dict[str, Any]]:
    reader = csv.DictReader(file, strict=True)
    number = 0
    while True:
        number += 1
        try:
            yield next(reader)
        except StopIteration:
            return
        except UnicodeDecodeError as error:
            found = f"the byte 0x{error.object[error.start]:02x}"
            raise InputError(f"{path}, row {number}", expected="UTF-8", found=found) from error
        except csv.Error as error:
            # A field is limited to 128 KiB.
            raise InputError(f"{path}, row {number}", expected="CSV", found=str(error)) from error
