"""Closed sets for comparing answers: the format of a reference answer, and the rule for equality."""

from enum import StrEnum


class AnswerFormat(StrEnum):
    """The format of a reference answer, which decides how a parsed answer is compared with it."""

    CHOICE = "choice"
    NUMBER = "number"
    EXPRESSION = "expression"
    TEXT = "text"


class AnswerRule(StrEnum):
    """When two answers count as equal."""

    MEANING = "meaning"
    """Same meaning: `(c)` and `C`, `1/2` and `0.5`."""
    STRICT = "strict"
    """Same text, apart from surrounding whitespace."""
    GRADED = "graded"
    """Same meaning and same outcome label: outcome labels, such as a user's own grading, say what is correct.
    A solution without a parsed answer is then an answer of its own."""
