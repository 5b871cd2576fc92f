"""Which column of somebody else's table holds what: by an option, by a name that can mean nothing else, or unknown."""

import difflib
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from multirm.errors import InputError, did_you_mean, one_of, shown
from multirm.tables.rewards import Scale, Unit


class Field(StrEnum):
    """What a column can hold, by the names of our columns."""

    QUESTION_ID = "question_id"
    """A text or number that the solutions to one question share."""
    SOLUTION_ID = "solution_id"
    QUESTION = "question"
    ANSWER = "answer"
    """The reference answer."""
    STEPS = "steps"
    """The solution: a text, or a list of steps."""
    PARSED_ANSWER = "parsed_answer"
    """The answer that a solution gives."""
    CATEGORY = "category"
    DATASET = "dataset"


class StepRule(StrEnum):
    """Where a text is divided into steps."""

    WHOLE = "whole"
    """Nowhere: it is one step."""
    BLANK_LINES = "blank_lines"
    LINES = "lines"
    STEP_MARKERS = "step_markers"
    """Before each line that begins with `Step 1`, `Step 2`, …"""


class Spoken(StrEnum):
    """Whether remedies name options of the command line or arguments in Python."""

    OPTIONS = "options"
    PYTHON = "python"

    def pairs(self, option: str, pairs: Mapping[str, str]) -> str:
        """How an option is given names with values, such as `--columns steps=response`."""
        if self is Spoken.OPTIONS:
            words = " ".join(shlex.quote(f"{name}={value}") for name, value in pairs.items())
            return f"--{option} {words}"
        return f"{option}={ {str(name): str(value) for name, value in pairs.items()} }"

    def option(self, option: str) -> str:
        """How an option is named."""
        return f"--{option}" if self is Spoken.OPTIONS else option

    def word(self, option: str, value: str) -> str:
        """How an option is given one value, such as `--correct is_correct`."""
        if self is Spoken.OPTIONS:
            return f"--{option} {shlex.quote(value) if value.isprintable() else value}"
        return f"{option}={value!r}"


@dataclass(frozen=True, kw_only=True)
class ColumnMap:
    """What is said about a table's columns; the rest is found by name.

    Attributes:
        columns: the column that holds a `Field`.
        rewards: the column that holds a model's rewards: a number or a list of numbers per solution.
        correct: the column that says whether a solution is correct, by the user's own grading.
        split: where texts are divided into steps.
        unit: what one reward of a model is about. A single number per solution is about the solution.
        scale: what kind of number a model's rewards are; `Scale.SCORE` unless said otherwise.
        dataset: the dataset, if no column names it.
        category: the category, if no column names it.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    rewards: Mapping[str, str] = field(default_factory=dict)
    correct: str | None = None
    split: StepRule = StepRule.WHOLE
    unit: Mapping[str, Unit] = field(default_factory=dict)
    scale: Mapping[str, Scale] = field(default_factory=dict)
    dataset: str | None = None
    category: str | None = None


@dataclass(frozen=True)
class Taken:
    """The columns of a table by what they hold.

    Attributes:
        columns: those that are known.
        guessed: columns that may hold what else is needed, but whose names could mean something else, too.
        problems: what is wrong with the names given.
    """

    columns: dict[Field, str]
    guessed: dict[Field, str]
    problems: list[InputError]


# A column with one of these names can hold nothing else, so it is taken without asking.
_SURE = {
    Field.QUESTION_ID: ("question_id", "qid", "q_id", "problem_id"),
    Field.SOLUTION_ID: ("solution_id", "cot_id"),
    Field.QUESTION: ("question", "problem"),
    Field.ANSWER: ("answer", "gold", "gold_answer", "reference_answer", "ground_truth"),
    Field.STEPS: ("steps", "cot", "cots", "response", "responses", "completion", "completions")
    + ("generated_text",),
    Field.PARSED_ANSWER: ("parsed_answer", "extracted_answer", "parsed_answers")
    + ("extracted_answers",),
    Field.CATEGORY: ("category",),
    Field.DATASET: ("dataset",),
}
# These may: an `id` can be that of a question or of a solution, a `solution` the author's or the policy's.
_LIKELY = {
    Field.QUESTION_ID: ("id", "idx", "index", "uid", "prompt_id", "task_id", "example_id")
    + ("item_id", "unique_id", "question_idx", "question_number"),
    Field.SOLUTION_ID: (
        "sample_id",
        "sample",
        "sample_index",
        "solution_idx",
        "solution_index",
        "idx",
        "response_id",
        "completion_id",
        "generation_id",
    )
    + ("attempt", "rollout", "sample_idx", "cot_ids"),
    Field.QUESTION: ("prompt", "query", "input", "instruction", "question_text"),
    Field.ANSWER: ("target", "label", "reference", "expected", "expected_answer", "correct_answer")
    + ("gt", "gold_label", "solution", "final_answer"),
    Field.STEPS: ("output", "outputs", "generation", "generations", "text", "chain_of_thought")
    + (
        "reasoning",
        "rationale",
        "model_output",
        "solution",
        "solutions",
        "cot_text",
        "content",
        "reply",
    ),
    Field.PARSED_ANSWER: ("prediction", "predictions", "pred", "preds", "predicted_answer")
    + ("predicted", "model_answer", "extracted", "parsed", "final_answer", "choice", "answer"),
    Field.CATEGORY: ("subject", "domain", "topic", "area", "field"),
}
_GRADES = ("is_correct", "correct", "correctness", "graded", "grade", "is_right", "passed", "acc")

_POLICIES = ("model", "model_id", "model_name", "policy", "generator", "sampler", "llm")
# What solutions and questions have alike.
_TEXTS = {"text", "content", "value"}

# One column may well hold both: the text of a question tells it apart from others, a text is its own answer.
_TOGETHER = (
    {Field.QUESTION_ID, Field.QUESTION},
    {Field.STEPS, Field.PARSED_ANSWER},
)


def take_columns(names: Sequence[str], mapping: ColumnMap, where: str, spoken: Spoken) -> Taken:
    """Find out which column holds what.

    Args:
        names: the columns of the table.
        where: the table, for errors.
    """
    columns, problems = _said(names, mapping, where, spoken)
    plain = {name: _plain(name) for name in names}
    used = {*columns.values(), *mapping.rewards.values(), mapping.correct}
    for wanted in [wanted for wanted in Field if wanted not in columns]:
        found = [name for name in names if plain[name] in _SURE[wanted] and name not in used]
        exact = [name for name in found if plain[name] == wanted]
        # A policy's answer is often called `answer`, beside the `gold` one.
        if len(found) > 1 and (wanted is Field.ANSWER or not exact):
            found.sort(key=lambda name: name not in exact)
            problems.append(
                InputError(
                    where,
                    expected=f"one column for {wanted}",
                    found=f"{' and '.join(map(shown, found))}, which could both be it",
                    remedy=f"add {spoken.pairs('columns', {wanted: found[-1]})}, or another of them",
                )
            )
        if found:
            columns[wanted] = found[-1] if wanted is Field.ANSWER else (exact or found)[0]
    used |= set(columns.values())
    left = [name for name in names if name not in used]
    guessed = {
        wanted: name
        for wanted in Field
        if wanted not in columns and (name := _guess(wanted, left, plain)) is not None
    }
    in_order = {held: columns[held] for held in Field if held in columns}
    return Taken(in_order, guessed, problems)


def _said(
    names: Sequence[str], mapping: ColumnMap, where: str, spoken: Spoken
) -> tuple[dict[Field, str], list[InputError]]:
    """The columns that options name, and what is wrong with these."""
    columns: dict[Field, str] = {}
    problems = []
    for name, column in mapping.columns.items():
        if name not in set(Field):
            reverse = column in set(Field) and name in names
            turned = f"turn it round: {spoken.pairs('columns', {column: name})}"
            problems.append(
                InputError(
                    spoken.pairs("columns", {name: column}),
                    expected=f"{one_of(list(Field))} before the =",
                    found=shown(name),
                    remedy=turned if reverse else did_you_mean(name, list(Field)),
                )
            )
        elif column not in names:
            problems.append(no_column(spoken.pairs("columns", {name: column}), column, names))
        else:
            columns[Field(name)] = column
    if mapping.correct is not None and mapping.correct not in names:
        option = spoken.word("correct", mapping.correct)
        problems.append(no_column(option, mapping.correct, names))
    problems += [
        no_column(spoken.pairs("rewards", {model: column}), column, names)
        for model, column in mapping.rewards.items()
        if column not in names
    ]
    problems += _twice(columns, mapping, where)
    return columns, problems


def _twice(columns: Mapping[Field, str], mapping: ColumnMap, where: str) -> list[InputError]:
    """Columns that are said to hold two things."""
    held: dict[str, list[str]] = {}
    for name, column in columns.items():
        held.setdefault(column, []).append(name)
    for model, column in mapping.rewards.items():
        held.setdefault(column, []).append(f"rewards of {model}")
    if mapping.correct is not None:
        held.setdefault(mapping.correct, []).append("the grading")
    return [
        InputError(
            f"{where}, column {shown(column)}",
            expected="one thing in a column",
            found=" and ".join(roles),
            remedy="name another column for one of them",
        )
        for column, roles in held.items()
        if len(roles) > 1 and set(roles) not in _TOGETHER
    ]


def no_column(option: str, column: str, names: Iterable[str]) -> InputError:
    """That an option names a column which the table lacks."""
    names = list(names)
    near = [name for name in names if abs(len(name) - len(column)) < 2]
    return InputError(
        option,
        expected="a column or a file"
        if option.startswith(("--rewards", "rewards="))
        else "a column",
        found=f"no {shown(column)}",
        remedy=did_you_mean(column, near) or f"its columns are {', '.join(names)}",
    )


def grading_column(names: Iterable[str]) -> str | None:
    """A column that looks as if it said which solutions are correct."""
    return next((name for name in names if _plain(name) in _GRADES), None)


def is_policy(name: str) -> bool:
    """Whether a column looks as if it said which language model a solution is by."""
    return _plain(name) in _POLICIES


def _guess(wanted: Field, left: Sequence[str], plain: Mapping[str, str]) -> str | None:
    """The column that may hold what is wanted: by a usual name, or one that differs by a letter or two.

    Of a value within objects, the last part of its name counts: `problem.gold` may be the answer. A `text` may be
    anything's, so that of `generations.text` the first part counts as well.
    """
    for likely in _LIKELY.get(wanted, ()):
        for name in left:
            if plain[name] == likely:
                return name
    known = {plain[name]: name for name in left}
    usual = {*_SURE[wanted], *_LIKELY.get(wanted, ())}
    within = [(_plain(outer), _plain(inner), name) for outer, _, inner, name in map(_parted, left)]
    for outer, inner, name in within:
        if inner in _TEXTS and outer in usual:
            return name
    for _, inner, name in within:
        if inner in usual - _TEXTS:
            return name
    near = (difflib.get_close_matches(name, known, n=1, cutoff=0.85) for name in _SURE[wanted])
    return next((known[names[0]] for names in near if names), None)


def _parted(name: str) -> tuple[str, str, str, str]:
    """What is before the last full stop of a name and behind it, and the name."""
    return *name.rpartition("."), name


def _plain(name: str) -> str:
    """A name in lower case with underscores: `questionId` and `Question ID` become `question_id`."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip().lstrip("\ufeff"))
    return re.sub(r"[\s.-]+", "_", parted).casefold()
