"""MR-Ben (arXiv 2406.13975): solutions to exam questions, in whose steps people have marked the first error.

A file is one JSON object: a list of solutions per question, by its id. The category is `Subject` without the
school level, so that `college_biology` becomes `biology`. The options follow the question, one per line. The
reference answer is the corrected one; it may name several options (`AC`).

`Model_Solution_Steps` are lines. A step begins at each line `Step k: …`, and at `Solution: …`, which comes last; other
lines belong to the step before them. `Model_Solution_First_Error_Step` counts these steps, from 1, rather than lines:
where the two differ, people's corrections are of the step with that number. What follows the error counts as
incorrect. The outcome label is whether people found no error, in the answer or before it: about one in
seven solutions with an error reaches the right answer. Parsed answers are not in the source, and null.

Left out, and counted: solutions whose error is at a step that does not exist, or at a number that two steps have;
and coding, whose solutions are one text and whose errors are lines of it, which need not be unique.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from multirm.data.numbering import Numbering
from multirm.data.tally import Tally
from multirm.errors import shown
from multirm.formats.json_source import Placed, Record, each, read_object
from multirm.tables.questions import option_letters
from multirm.text.labels import format_question

_START = re.compile(r"\W*(?:Step\s+(\w+)\s*[:.]\s*|Solution\s*:)")
_OPTION = re.compile(r"^([A-Z]):\s*", re.MULTILINE)
_LEVEL = re.compile(r"(?:college|high_school)_")
_NO_ERROR = "N/A"
_DIGITS = 5


def solutions(files: Sequence[Path], tally: Tally) -> Iterator[Placed]:
    """Rows of the solutions table, without `dataset`."""
    numbering = Numbering()
    return each(_records(files), lambda _, record: _solution(record, numbering, tally))


def _records(files: Sequence[Path]) -> Iterator[Record]:
    for path in files:
        by_question = read_object(path)
        for question_id in by_question.values:
            yield from by_question.records(question_id)


def _solution(record: Record, numbering: Numbering, tally: Tally) -> Iterator[Placed]:
    category = _LEVEL.sub("", record.name("Subject"), count=1)
    if isinstance(record.get("Model_Solution_Steps"), str):
        tally.add(category, "solutions that are one text left out", record.where)
        return
    question_id = record.identifier("Question_UUID")
    numbers, steps = _steps(record)
    error = _first_error(record)
    place = len(steps) if error is None else _place(error, numbers)
    if place is None:
        reason = "at two steps" if numbers.count(error) > 1 else "beyond the last step"
        tally.add(category, f"solutions with an error {reason} left out", record.where)
        return
    yield (
        record.where,
        {
            "category": category,
            "question_id": question_id,
            "solution_id": numbering.solution_id(question_id),
            "question": _question(record),
            "answer": record.text("Ground_Truth_Answer_Modified"),
            "steps": steps,
            "parsed_answer": None,
            "outcome": int(error is None),
            "step_labels": [1] * place + [0] * (len(steps) - place),
        },
    )


def _question(record: Record) -> str:
    _, *parts = _OPTION.split(record.text("Options"))
    letters, options = parts[::2], parts[1::2]
    if not letters or letters != option_letters(len(letters)):
        found = shown(record.get("Options"))
        raise record.error("Options", expected="lines A: …, B: … and so on", found=found)
    # Copies of one question differ in line ends.
    lines = [line.rstrip() for line in record.text("Question").splitlines()]
    return format_question("\n".join(lines), options)


def _steps(record: Record) -> tuple[list[int | None], list[str]]:
    """The number that each step gives itself, if any, and its text, without the number if it is its position."""
    lines = [line for line in record.texts("Model_Solution_Steps") if line]
    if not lines:
        raise record.error("Model_Solution_Steps", expected="steps with text", found="none")
    starts = [k for k, line in enumerate(lines) if _START.match(line)]
    # What comes before the first step belongs to it.
    bounds = [0, *starts[1:], len(lines)]
    numbers: list[int | None] = []
    steps: list[str] = []
    for position, (start, end) in enumerate(pairwise(bounds), start=1):
        text = "\n".join(lines[start:end])
        found = _START.match(text)
        numbers.append(int(found[1]) if found and (found[1] or "").isdecimal() else None)
        bare = text[found.end() :] if found and numbers[-1] == position else text
        steps.append(bare or text)
    return numbers, steps


def _first_error(record: Record) -> int | None:
    """The number of the first step with an error, from 1, or None if there is no error."""
    correctness = record.text("Model_Solution_Correctness")
    if correctness not in ("correct", "incorrect"):
        raise record.error(
            "Model_Solution_Correctness", expected="correct or incorrect", found=shown(correctness)
        )
    key = "Model_Solution_First_Error_Step"
    error = record.text(key)
    if correctness == "correct":
        if error != _NO_ERROR:
            raise record.error(key, expected=f"{_NO_ERROR} in a correct solution", found=error)
        return None
    if not (error.isdecimal() and len(error) < _DIGITS and int(error) > 0):
        raise record.error(key, expected="the number of a step, from 1", found=shown(error))
    return int(error)


def _place(error: int, numbers: Sequence[int | None]) -> int | None:
    """The 0-based position of the step with a number; None if there is none, or more than one."""
    if error in numbers:
        return numbers.index(error) if numbers.count(error) == 1 else None
    is_unnumbered = error <= len(numbers) and numbers[error - 1] is None
    return error - 1 if is_unnumbered else None
