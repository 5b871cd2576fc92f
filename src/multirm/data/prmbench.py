"""PRMBench (arXiv 2501.03124): correct solutions from PRM800K, and versions with errors inserted on purpose.

Each file has one class of error and the same questions, identified by `idx`. Solution 0 of a question is its
error-free process, taken once, though every file repeats it (with slight variations); the modified ones follow, sorted
by class name. All use `question`, the original question: `modified_question` sometimes contains the error, and then
the steps marked as errors would be correct.

Some processes number their own steps (`1. …`); the numbers are removed, since prompts number steps themselves.

A modified process is inconsistent if its `error_steps` are empty or point beyond it, or if it equals the error-free
process. Such processes are left out, and counted.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from multirm.data.tally import Tally
from multirm.formats.json_source import Placed, Record
from multirm.text.labels import outcome_from_steps

CATEGORY = "math"
_NUMBER = re.compile(r"(?:Step )?(\d+)[.:)]\s+")


def solutions(records: Iterable[Record], tally: Tally) -> Iterator[Placed]:
    """Rows of the solutions table, without `dataset`, with step labels; the outcome is whether all are correct."""
    for question_id, by_class in _by_question(records).items():
        classes = sorted(by_class)
        first = by_class[classes[0]]
        question = first.text("question")
        original = _steps(first, "original_process")
        yield (
            first.where,
            _row(question_id, 0, question, original, [1] * len(original)),
        )
        for solution_id, name in enumerate(classes, start=1):
            record = by_class[name]
            steps, labels = _modified(record)
            if labels is None:
                reason = "modified solutions that contradict their error steps left out"
                tally.add(CATEGORY, reason, record.where)
            else:
                yield record.where, _row(question_id, solution_id, question, steps, labels)


def _by_question(records: Iterable[Record]) -> dict[str, dict[str, Record]]:
    """The records of each question by class; questions in the order of their first appearance."""
    grouped: dict[str, dict[str, Record]] = {}
    for record in records:
        question_id, name = record.identifier("idx"), record.text("classification")
        by_class = grouped.setdefault(question_id, {})
        if name in by_class:
            raise record.error(
                "idx",
                expected=f"each question once per classification, here {name}",
                found=f"{question_id} again, after {by_class[name].where}",
            )
        by_class[name] = record
    return grouped


def _modified(record: Record) -> tuple[list[str], list[int] | None]:
    """The modified process and its step labels; None for the labels if the record is inconsistent."""
    steps = _steps(record, "modified_process")
    errors = record.integers("error_steps")
    beyond = any(not 1 <= error <= len(steps) for error in errors)
    if not errors or beyond or steps == _steps(record, "original_process"):
        return steps, None
    return steps, [int(k not in errors) for k in range(1, len(steps) + 1)]


def _steps(record: Record, key: str) -> list[str]:
    steps = record.texts(key)
    if not steps or not all(steps):
        raise record.error(
            key,
            expected="steps with text",
            found=f"an empty one at position {steps.index('')}" if steps else "no steps",
        )
    return _without_numbers(steps)


def _without_numbers(steps: Sequence[str]) -> list[str]:
    """The steps without their numbers, if all are numbered 1, 2, 3, …; else unchanged."""
    numbers = [_NUMBER.match(step) for step in steps]
    if any(n is None or int(n.group(1)) != k for k, n in enumerate(numbers, start=1)):
        return list(steps)
    bare = [_NUMBER.sub("", step, count=1) for step in steps]
    return bare if all(bare) else list(steps)


def _row(
    question_id: str, solution_id: int, question: str, steps: list[str], labels: list[int]
) -> dict[str, object]:
    return {
        "category": CATEGORY,
        "question_id": question_id,
        "solution_id": solution_id,
        "question": question,
        "answer": None,
        "steps": steps,
        "parsed_answer": None,
        "outcome": outcome_from_steps(labels),
        "step_labels": labels,
    }
