"""MMLU-Pro (arXiv 2406.01574) as JSON from VersaPRM's repository: questions, and exemplars with solutions.

A question's id is its `id` if it has one, else its `question_id`. Its answer is the letter in `answer`. If
`answer_index` disagrees (as in one of the 2,063 test questions), the letter counts, as in published evaluations, and
a warning names the row.
"""

import logging
from collections.abc import Iterable, Iterator

from multirm.formats.json_source import Placed, Record, each
from multirm.tables.questions import MOST_OPTIONS, option_letters
from multirm.text.answers import outcome_label
from multirm.text.labels import (
    format_question,
    parse_choice,
    split_steps,
)

logger = logging.getLogger(__name__)


def questions(records: Iterable[Record]) -> Iterator[Placed]:
    """Rows of the questions table, without `dataset`."""
    return each(records, _questions)


def solutions(records: Iterable[Record]) -> Iterator[Placed]:
    """Rows of the solutions table, without `dataset`: one solution per question, no step labels."""
    return each(records, _solutions)


def _questions(_: int, record: Record) -> Iterator[Placed]:
    options, answer = _options(record), record.text("answer")
    _refuse_other_answer(record, answer, options)
    yield (
        record.where,
        {
            "category": record.name("category"),
            "question_id": _question_id(record),
            "question": record.text("question"),
            "options": options,
            "answer": answer,
        },
    )


def _solutions(_: int, record: Record) -> Iterator[Placed]:
    options, answer = _options(record), record.text("answer")
    _refuse_other_answer(record, answer, options)
    chain = record.text("cot_content")
    parsed = parse_choice(chain, len(options))
    yield (
        record.where,
        {
            "category": record.name("category"),
            "question_id": _question_id(record),
            "solution_id": 0,
            "question": format_question(record.text("question"), options),
            "answer": answer,
            "steps": split_steps(chain),
            "parsed_answer": parsed,
            "outcome": outcome_label(parsed, answer),
            "step_labels": None,
        },
    )


def _question_id(record: Record) -> str:
    return record.identifier("id" if "id" in record.values else "question_id")


def _options(record: Record) -> list[str]:
    options = record.texts("options")
    if not 1 <= len(options) <= MOST_OPTIONS:
        found = str(len(options) or "none")
        raise record.error("options", expected=f"1 to {MOST_OPTIONS} options", found=found)
    return options


def _refuse_other_answer(record: Record, answer: str, options: list[str]) -> None:
    letters = option_letters(len(options))
    if answer not in letters:
        raise record.error(
            "answer", expected=f"one of the options {letters[0]}-{letters[-1]}", found=repr(answer)
        )
    index = record.values.get("answer_index")
    if index is not None and index != letters.index(answer):
        logger.warning(
            "%s: using answer %s, though answer_index is %s", record.where, answer, index
        )
