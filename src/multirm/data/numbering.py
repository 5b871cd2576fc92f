"""Ids for questions and solutions whose source has none."""

from collections import Counter


class Numbering:
    """Gives ids by order of appearance: rows with the same question in a category are solutions to one question."""

    def __init__(self) -> None:
        self._question_ids: dict[tuple[str, str], str] = {}
        self._n_solutions: Counter[str] = Counter()

    def question_id(self, category: str, question: str, question_id: str) -> str:
        """The id of a question: `question_id` if it is new, else the one that it was given first."""
        return self._question_ids.setdefault((category, question), question_id)

    def solution_id(self, question_id: str) -> int:
        """The number of the next solution to a question, from 0."""
        self._n_solutions[question_id] += 1
        return self._n_solutions[question_id] - 1


def by_position(index: int) -> str:
    """The id of the question in the row with this 0-based index: six digits, so that ids sort by position."""
    return f"{index:06d}"
