"""The miniature's questions without their options: a small model cannot learn to look up the letter of an answer."""

from collections.abc import Mapping, Sequence
from typing import Any

from multirm.tables.questions import option_letters


def without_options(
    row: Mapping[str, Any], options: Mapping[str, Sequence[str] | None]
) -> dict[str, Any]:
    """A row of questions or of solutions with the texts of options instead of their letters.

    Args:
        options: of each question, by its id; rows of questions without options stay as they are.
    """
    known = options[row["question_id"]]
    if known is None:
        return dict(row)
    texts = dict(zip(option_letters(len(known)), known, strict=True))
    opened = {
        **row,
        "question": row["question"].partition("\n")[0],
        "answer": texts[row["answer"]],
    }
    if "options" in row:
        return {**opened, "options": None}
    letter = row["parsed_answer"]
    if letter is None:
        return opened
    *others, last = row["steps"]
    steps = [*others, last.replace(f"({letter})", texts[letter])]
    return {**opened, "steps": steps, "parsed_answer": texts[letter]}
