"""Ask a chat model to answer a question step by step, after worked examples; and read its reply.

The turns are those of VersaPRM (arXiv 2502.06737): for each exemplar a user turn with its question and an assistant
turn with its steps, then a user turn with the question to answer. The sentences of the user turns are our own.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from multirm.errors import InputError
from multirm.tables.questions import MOST_OPTIONS, option_letters
from multirm.text.labels import ANSWER_IS, format_question, parse_choice, split_steps
from multirm.text.prompts import END_OF_THINKING
from multirm.text.task_templates import fill_template, load_task_template, own_task_template

Row = Mapping[str, Any]

_BEFORE_ANSWER = re.compile(ANSWER_IS + r"(?:\s*+:)?\s++(?=\S)")
# An answer in words ends at a full stop that ends the line or that a space follows.
_END_OF_ANSWER = re.compile(r"\.(?=\s|\Z)|$", re.MULTILINE)
_BETWEEN_STEPS = "\n\n"


@dataclass(frozen=True)
class Asked:
    """A question as models read it.

    Attributes:
        text: the question; its options, if it has any, are in it once.
        n_options: the number of options; 0 if the answer is not one of several letters.
    """

    text: str
    n_options: int

    @classmethod
    def of(cls, row: Row) -> Self:
        """The question of a row of a table of questions or of solutions.

        Some sources have the options in the question, with or without listing them as well. A question without listed
        options has those that its text names, if the reference answer is one of their letters.
        """
        text, options = row["question"].strip(), row.get("options")
        if options:
            text = text if _has_options(text, options) else format_question(text, options)
            return cls(text, len(options))
        n_options = _count_options(text)
        named = row["answer"] is None or row["answer"] in option_letters(n_options)
        return cls(text, n_options if named else 0)


@dataclass(frozen=True)
class SolveTemplates:
    """The user turns for questions with options and for those without; their placeholder is `{question}`."""

    choice: str
    open: str

    def fill(self, asked: Asked) -> str:
        """The user turn that asks a question."""
        return fill_template(
            self.choice if asked.n_options else self.open, {"question": asked.text}
        )


def solve_template_files(
    choice: Path | None = None, open_: Path | None = None
) -> tuple[Path, Path]:
    """The template files for questions with options and for those without; by default, the package's own."""
    return choice or own_task_template("solve"), open_ or own_task_template("solve_open")


def load_solve_templates(choice: Path, open_: Path) -> SolveTemplates:
    """Read both template files.

    Raises:
        InputError: as `load_task_template`.
    """
    return SolveTemplates(
        load_task_template(choice, "question"), load_task_template(open_, "question")
    )


def solve_turns(templates: SolveTemplates, exemplars: Iterable[Row], question: Row) -> list[str]:
    """The turns of a conversation that ends with a question to answer.

    Args:
        exemplars: rows of a solutions table, such as from `choose_exemplars`.
        question: a row of a table of questions or of solutions.
    """
    turns = []
    for exemplar in exemplars:
        turns += [templates.fill(Asked.of(exemplar)), exemplar_reply(exemplar)]
    return [*turns, templates.fill(Asked.of(question))]


def exemplar_reply(exemplar: Row) -> str:
    """The steps of an exemplar, joined by blank lines; the last one says the answer."""
    steps, answer = exemplar["steps"], exemplar["answer"]
    asked = Asked.of(exemplar)
    if parse_answer(steps[-1], asked.n_options) is None:
        said = f"({answer})" if asked.n_options else answer
        steps = [*steps, f"The answer is {said}."]
    return join_steps(steps)


def join_steps(steps: Sequence[str]) -> str:
    """The text of a solution, which `split_steps` splits again; a model's reply goes on after it with a blank line."""
    return _BETWEEN_STEPS.join(steps)


def choose_exemplars(
    solutions: Iterable[Row], question: Row, count: int, where: object
) -> list[Row]:
    """The first `count` exemplars for a question: correct solutions to other, different questions of its category.

    A solution is correct if its outcome label is 1 and no step label is 0.

    Args:
        solutions: rows of a solutions table.
        where: the table, for the message.

    Raises:
        InputError: there are fewer.
    """
    category, asked = question["category"], Asked.of(question).text
    chosen: dict[str, Row] = {}
    for row in solutions:
        if len(chosen) == count:
            break
        is_correct = row["outcome"] == 1 and 0 not in (row["step_labels"] or ())
        if row["category"] == category and is_correct and row["answer"] is not None:
            text = Asked.of(row).text
            if text != asked:
                chosen.setdefault(text, row)
    if len(chosen) < count:
        raise InputError(
            where,
            expected=f"{count} correct solutions to different questions of {category}, as exemplars",
            found=str(len(chosen) or "none"),
            remedy=f"add some, or ask for fewer with --shots {len(chosen)}",
        )
    return list(chosen.values())


def read_reply(reply: str, asked: Asked) -> tuple[list[str], str | None]:
    """The steps of a reply and the answer that it gives last, None if it gives none; thinking is left out."""
    text = reply.rpartition(END_OF_THINKING)[2]
    return split_steps(text), parse_answer(text, asked.n_options)


def parse_answer(text: str, n_options: int) -> str | None:
    """The answer that a text gives last: a letter if there are options, else what follows "the answer is"."""
    if n_options:
        return parse_choice(text, n_options)
    answer, place = None, 0
    while found := _BEFORE_ANSWER.search(text, place):
        end = _END_OF_ANSWER.search(text, found.end() + 1)
        place = end.start() if end else len(text)
        answer = text[found.end() : place].rstrip()
    return answer


def _has_options(text: str, options: Sequence[str]) -> bool:
    """Whether a question lists its options, each after its letter."""
    place = 0
    for letter, option in zip(option_letters(len(options)), options, strict=True):
        pattern = rf"^[ \t]*\(?{letter}[.):][ \t]*{re.escape(option.strip())}[ \t]*$"
        found = re.compile(pattern, re.MULTILINE).search(text, place)
        if not found:
            return False
        place = found.end()
    return True


def _count_options(text: str) -> int:
    """How many lines at the end of a question start with the letters from A on; 0 if fewer than two."""
    letters = re.findall(r"^[ \t]*\(?([A-Z])[.):][ \t]*\S", text, re.MULTILINE)
    if "A" not in letters:
        return 0
    last = letters[len(letters) - 1 - letters[::-1].index("A") :]
    n = next((n for n, letter in enumerate(last) if letter != chr(ord("A") + n)), len(last))
    return n if 2 <= n <= MOST_OPTIONS else 0
