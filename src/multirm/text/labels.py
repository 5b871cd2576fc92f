"""Outcome and step labels, the text of questions, and parsing of steps and answers in solutions."""

import re
from collections.abc import Sequence

import numpy as np

from multirm.tables.questions import option_letters

# Models also write "The answer to the question is". Replies may repeat anything, such as spaces, thousands of
# times: possessive, so that it takes linear time.
ANSWER_IS = r"(?i:answer(?:\s++to\s++(?:the|this)\s++question)?\s++is)"

# A small letter counts only in brackets or at the end of a line: "the answer is a prime" names no option.
_CHOICE = (
    ANSWER_IS + r":?[\s*$]*(?i:(?:option|choice)\s+)?(?:\\boxed\{{)?(?:\\text\{{)?"
    r"(?:[(\[]([A-{last}a-{small}])[)\]]|\(?([A-{last}])\b|([a-{small}])[.*)}}$]*$)"
)

# Only if nothing says what the answer is, and not in "Answer: A prime".
_CHOICE_AFTER_COLON = r"(?i:answer):[\s*$]*[(\[]?([A-{last}])(?:[)\].:*$]|[ \t]*$)"


def split_steps(text: str) -> list[str]:
    """Split a chain of thought into steps at blank lines; steps are stripped, empty ones left out."""
    return [piece.strip() for piece in re.split(r"\n\s*\n", text) if piece.strip()]


def parse_choice(text: str, n_options: int = 10) -> str | None:
    """The option that a chain of thought gives last as its answer ("The answer is (C)", else "Answer: C"), or None.

    Args:
        n_options: number of options, from A on; other letters are ignored.
    """
    last = option_letters(n_options)[-1]
    found = re.findall(_CHOICE.format(last=last, small=last.lower()), text, re.MULTILINE)
    if found:
        return "".join(found[-1]).upper()
    others: list[str] = re.findall(_CHOICE_AFTER_COLON.format(last=last), text, re.MULTILINE)
    return others[-1] if others else None


def format_question(question: str, options: Sequence[str] | None) -> str:
    """The text of a question as models read it; options follow it, one per line, as `A. …`."""
    lines = [question.strip()]
    if options:
        letters = option_letters(len(options))
        lines += [
            f"{letter}. {option.strip()}" for letter, option in zip(letters, options, strict=True)
        ]
    return "\n".join(lines)


def outcome_from_steps(step_labels: Sequence[int]) -> int:
    """1 if every step is correct: the outcome label where no answers exist (PRM800K, PRMBench)."""
    return int(all(step_labels))


def first_incorrect(step_labels: Sequence[int]) -> int | None:
    """The 0-based position of the first incorrect step, or None."""
    return next((k for k, label in enumerate(step_labels) if label == 0), None)


def after_first_error(step_labels: Sequence[int]) -> list[int]:
    """The labels, with every step after the first incorrect one set to incorrect."""
    first = first_incorrect(step_labels)
    return list(step_labels) if first is None else [1] * first + [0] * (len(step_labels) - first)


def up_to_first_error(step_labels: Sequence[int | None]) -> list[int] | None:
    """The labels up to and including the first incorrect step, or of all steps if none is incorrect.

    None if one of them is missing: then the first incorrect step is unknown.
    """
    known: list[int] = []
    for label in step_labels:
        if label is None:
            return None
        known.append(label)
        if label == 0:
            break
    return known


def from_partial(step_labels: Sequence[int | None]) -> list[int] | None:
    """The labels of steps of which some have none: steps after the first incorrect one count as incorrect.

    None if a step before it has no label, or if none is incorrect: then the first incorrect step is unknown.
    """
    known = up_to_first_error(step_labels)
    if known is None or None not in step_labels:
        return known and [int(label == 1) for label in step_labels]
    return [*known, *[0] * (len(step_labels) - len(known))]


def flipped(labels: Sequence[int], probability: float, generator: np.random.Generator) -> list[int]:
    """Flip each label (0 or 1) with a probability; draws one number per label, whatever the probability."""
    array = np.array(labels)
    noisy: list[int] = np.where(
        generator.random(len(array)) < probability, 1 - array, array
    ).tolist()
    return noisy
