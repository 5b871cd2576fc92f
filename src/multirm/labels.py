"""Outcome and step labels; answers as they are parsed, written and compared."""

import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

from multirm.vocabulary import AnswerFormat

_CHOICE = re.compile(r"answer\s+is:?\s*\**\s*(?:\\boxed\{)?\(?([A-Ja-j])\b\)?", re.IGNORECASE)
_NUMBER = re.compile(r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?")


def split_steps(text: str) -> list[str]:
    """The steps of a chain of thought: its pieces between blank lines, stripped, empty ones left out."""
    return [piece.strip() for piece in re.split(r"\n\s*\n", text) if piece.strip()]


def parse_choice(text: str) -> str | None:
    """The letter A-J that a chain of thought last gives as its answer ("The answer is (C)"), or None."""
    letters = _CHOICE.findall(text)
    return letters[-1].upper() if letters else None


def canonical_answer(answer: str, format: AnswerFormat) -> str:
    """`answer` in the one spelling under which equal answers are equal strings.

    A choice becomes a capital letter without brackets; a number loses its thousands separators,
    currency sign and trailing zeros (`$1,000.0` → `1000`); whatever is not of the format is only
    stripped and, as text, case-folded, so that a strange answer still equals itself in a vote.
    """
    text = answer.strip()
    if format is AnswerFormat.CHOICE:
        letter = text.strip("().").upper()
        return letter if re.fullmatch("[A-J]", letter) else text.casefold()
    if format is AnswerFormat.NUMBER:
        number = text.lstrip("$").rstrip("%. ").strip()
        if number and _NUMBER.fullmatch(number):
            try:
                value = Decimal(number.replace(",", ""))
            except InvalidOperation:
                return text.casefold()
            return f"{value.normalize() + 0:f}"
    return text.casefold()


def outcome_label(parsed_answer: str | None, answer: str, format: AnswerFormat) -> int:
    """1 if the parsed answer equals the reference answer, else 0; no parsed answer equals nothing."""
    if parsed_answer is None:
        return 0
    return int(canonical_answer(parsed_answer, format) == canonical_answer(answer, format))


def outcome_from_steps(step_labels: Sequence[int]) -> int:
    """1 if every step is correct: the outcome label where no answers exist (PRM800K, PRMBench)."""
    return int(all(step_labels))


def first_incorrect(step_labels: Sequence[int]) -> int | None:
    """The 0-based position of the first incorrect step, or None."""
    return next((k for k, label in enumerate(step_labels) if label == 0), None)


def after_first_error(step_labels: Sequence[int]) -> list[int]:
    """The labels with every step from the first incorrect one on counted as incorrect."""
    first = first_incorrect(step_labels)
    return list(step_labels) if first is None else [1] * first + [0] * (len(step_labels) - first)
