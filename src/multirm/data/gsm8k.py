"""GSM8K's example model solutions (arXiv 2110.14168): each test question with one solution by each of four models.

The four solutions form a pool, numbered from 0 in the order of the keys in the file. Steps are the lines of a
solution, without calculator annotations (`<<16-3=13>>`), which are meant for a calculator rather than a reader;
an annotation that is cut off at the end is kept. The answer is what follows `A:` in the last line, if it starts so.
"""

import re
from collections.abc import Iterable, Iterator

from multirm.errors import InputError
from multirm.formats.json_source import Placed, Record, as_record, each
from multirm.text.answers import outcome_label

CATEGORY = "math"
_ANNOTATION = re.compile(r"<<[^<>]*>>")
_QUESTION_KEYS = ("question", "ground_truth")


def questions(records: Iterable[Record]) -> Iterator[Placed]:
    """Rows of the questions table, without `dataset`. A question's id is its 0-based position, in four digits."""
    return each(records, _questions)


def solutions(records: Iterable[Record]) -> Iterator[Placed]:
    """Rows of the solutions table, without `dataset`, with outcomes but no step labels."""
    return each(records, _solutions)


def _questions(index: int, record: Record) -> Iterator[Placed]:
    yield record.where, {**_question(index, record), "options": None}


def _solutions(index: int, record: Record) -> Iterator[Placed]:
    question = _question(index, record)
    models = [key for key in record.values if key not in _QUESTION_KEYS]
    if not models:
        raise InputError(record.where, expected="a model's solution", found="none")
    for solution_id, model in enumerate(models):
        attempt = as_record(f"{record.where}, key {model}", record.get(model))
        steps = _lines(attempt.text("solution"))
        parsed = _answer(steps)
        yield (
            attempt.where,
            {
                **question,
                "solution_id": solution_id,
                "steps": steps,
                "parsed_answer": parsed,
                "outcome": outcome_label(parsed, question["answer"]),
                "step_labels": None,
            },
        )


def _question(index: int, record: Record) -> dict[str, str]:
    answer = _answer(_lines(record.text("ground_truth")))
    if answer is None:
        raise record.error("ground_truth", expected="a last line `A: …`", found="none")
    return {
        "category": CATEGORY,
        "question_id": f"{index:04d}",
        "question": record.text("question"),
        "answer": answer,
    }


def _lines(text: str) -> list[str]:
    return [line.strip() for line in _ANNOTATION.sub("", text).splitlines() if line.strip()]


def _answer(lines: list[str]) -> str | None:
    mark, found, answer = lines[-1].partition("A:") if lines else ("", "", "")
    return None if mark or not found else answer.strip() or None
