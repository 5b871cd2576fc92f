"""How reference answers are written, and when two answers are the same."""

from enum import StrEnum


class AnswerFormat(StrEnum):
    """How a reference answer is written, and so how a parsed answer is compared with it."""

    CHOICE = "choice"
    NUMBER = "number"
    EXPRESSION = "expression"
    TEXT = "text"


class AnswerRule(StrEnum):
    """When two answers are the same."""

    MEANING = "meaning"
    """If they mean the same: `(c)` and `C`, `1/2` and `0.5`."""
    STRICT = "strict"
    """If they are the same text, but for blanks around it."""
