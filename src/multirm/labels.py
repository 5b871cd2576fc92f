"""Outcome and step labels; answers as they are parsed, written and compared."""

import re
from collections.abc import Sequence
from decimal import Decimal

from multirm.vocabulary import AnswerFormat

# A small letter counts only in brackets or at the end of a line: "the answer is a prime" names no option.
_CHOICE = re.compile(
    r"(?i:answer\s+is):?[\s*$]*(?:\\boxed\{)?(?:\(([A-Ja-j])\)|\(?([A-J])\b|([a-j])[.*)}$]*$)",
    re.MULTILINE,
)
_NUMBER = re.compile(r"[-+]?(?:(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+)")
RATINGS = frozenset({-1, 0, 1})


def split_steps(text: str) -> list[str]:
    """The steps of a chain of thought: its pieces between blank lines, stripped, empty ones left out."""
    return [piece.strip() for piece in re.split(r"\n\s*\n", text) if piece.strip()]


def parse_choice(text: str) -> str | None:
    """The letter A-J that a chain of thought last gives as its answer ("The answer is (C)"), or None."""
    found = _CHOICE.findall(text)
    return "".join(found[-1]).upper() if found else None


def option_letters(n_options: int) -> list[str]:
    """The letters that name options, from A on."""
    return [chr(ord("A") + i) for i in range(n_options)]


def format_question(question: str, options: Sequence[str] | None) -> str:
    """The text of a question as models read it: with options, one line `A. …` for each below it."""
    lines = [question.strip()]
    if options:
        letters = option_letters(len(options))
        lines += [
            f"{letter}. {option.strip()}" for letter, option in zip(letters, options, strict=True)
        ]
    return "\n".join(lines)


def canonical_answer(answer: str, format: AnswerFormat) -> str:
    """`answer` in the one spelling under which equal answers are equal strings.

    A choice becomes a capital letter without brackets; a number loses its thousands separators,
    currency sign and trailing zeros (`$1,000.0` → `1000`); whatever is not of the format is only
    stripped and, as text, case-folded, so that a strange answer still equals itself in a vote.
    """
    text = answer.strip()
    if format is AnswerFormat.CHOICE:
        letter = text.strip("(). ").upper()
        return letter if re.fullmatch("[A-J]", letter) else text.casefold()
    if format is AnswerFormat.NUMBER:
        number = text.lstrip("$").rstrip("%. ").strip()
        if _NUMBER.fullmatch(number):
            value = Decimal(number.replace(",", ""))
            # Formatting is exact; arithmetic would round to the context's 28 digits.
            whole, _, fraction = f"{value.copy_abs():f}".partition(".")
            digits = f"{whole}.{fraction.rstrip('0')}".rstrip(".")
            return f"-{digits}" if value < 0 else digits
    return text.casefold()


def answer_format(answer: str) -> AnswerFormat:
    """The format that a reference answer is written in, for data that does not say: a letter A-J, a number, a text."""
    if re.fullmatch("[A-J]", canonical_answer(answer, AnswerFormat.CHOICE)):
        return AnswerFormat.CHOICE
    number = canonical_answer(answer, AnswerFormat.NUMBER)
    return AnswerFormat.NUMBER if _NUMBER.fullmatch(number) else AnswerFormat.TEXT


def outcome_label(parsed_answer: str | None, answer: str, format: AnswerFormat) -> int:
    """1 if the parsed answer equals the reference answer, else 0; no parsed answer equals nothing."""
    if parsed_answer is None:
        return 0
    return int(canonical_answer(parsed_answer, format) == canonical_answer(answer, format))


def outcome_from_steps(step_labels: Sequence[int]) -> int:
    """1 if every step is correct: the outcome label where no answers exist (PRM800K, PRMBench)."""
    return int(all(step_labels))


def step_labels_from_ratings(ratings: Sequence[int]) -> list[int]:
    """Step labels from PRM800K's ratings: -1 (bad) is incorrect; 0 (neutral) and 1 (good) are correct."""
    return [int(rating >= 0) for rating in ratings]


def first_incorrect(step_labels: Sequence[int]) -> int | None:
    """The 0-based position of the first incorrect step, or None."""
    return next((k for k, label in enumerate(step_labels) if label == 0), None)


def after_first_error(step_labels: Sequence[int]) -> list[int]:
    """The labels with every step from the first incorrect one on counted as incorrect."""
    first = first_incorrect(step_labels)
    return list(step_labels) if first is None else [1] * first + [0] * (len(step_labels) - first)
