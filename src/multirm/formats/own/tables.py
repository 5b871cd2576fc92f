"""Turn a table of somebody else's solutions and rewards into ours, or say all that is wrong with it at once.

The table has a row per solution, or a row per question with a list of solutions in each column.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from multirm.errors import InputError, did_you_mean, one_of, shown
from multirm.formats.own.columns import (
    ColumnMap,
    Field,
    Spoken,
    grading_column,
    is_policy,
    take_columns,
)
from multirm.formats.own.keys import is_file_name, read_keys
from multirm.formats.own.layout import flattened, one_row_per_solution
from multirm.formats.own.problems import OwnDataError
from multirm.formats.own.reading import Reading
from multirm.formats.own.rewards import RewardTable, read_rewards
from multirm.formats.own.solutions import read_solutions
from multirm.formats.own.values import plain_array
from multirm.tables.accuracy import RESERVED_NAMES


@dataclass(frozen=True)
class OwnTables:
    """Solutions and rewards in our columns.

    Attributes:
        solutions: the columns of `SOLUTIONS`; `outcome` is the user's grade if there is one, else whether the parsed
            answer means the same as the reference answer.
        rewards: the columns of `REWARDS` for each model, a row per solution, in the order of the solutions.
        taken: the column of each field, by the field's name.
        graded: whether the user's own grading says what is correct.
        notes: what was assumed, left out or counted, a sentence each.
    """

    solutions: pa.Table
    rewards: dict[str, pa.Table]
    taken: dict[str, str]
    graded: bool
    notes: list[str]


def read_own(
    table: pa.Table,
    mapping: ColumnMap,
    where: str,
    *,
    dataset: str = "own",
    beside: Mapping[str, RewardTable] | None = None,
    spoken: Spoken = Spoken.OPTIONS,
    parts: Sequence[tuple[str, int]] = (),
    problems: Sequence[InputError] = (),
) -> OwnTables:
    """Read solutions, and the rewards of any number of models, from a table with any columns.

    Args:
        mapping: what is said about the columns. Columns whose names can mean one thing only need not be named.
        where: the table, for errors.
        dataset: the dataset's name, if neither a column nor `mapping` has it.
        beside: rewards in tables of their own.
        spoken: whether remedies name options or arguments.
        parts: the files that the rows are from, in order, with their numbers of rows; by default, all are from `where`.
        problems: what is known to be wrong already, to be told together with the rest.

    Raises:
        OwnDataError: says everything that is wrong, and which columns were understood.
    """
    table = flattened(table)
    names = table.column_names
    taken = take_columns(names, mapping, where, spoken)
    repeated = sorted({name for name in names if names.count(name) > 1})
    arrays = {name: plain_array(table[name]) for name in names if name not in repeated}
    reading = Reading(
        where,
        mapping,
        spoken,
        taken,
        arrays,
        np.arange(table.num_rows),
        problems=[*problems, *taken.problems],
        parts=parts,
    )
    if repeated:
        reading.wrong(where, "each column once", f"{', '.join(map(shown, repeated))} repeatedly")
    if not table.num_rows:
        reading.wrong(where, "at least one row", "none")
    else:
        one_row_per_solution(reading)
    _refuse_missing(reading, list(beside or {}))
    if not table.num_rows:
        raise _error(reading, names)
    keys = read_keys(reading, dataset)
    solutions = read_solutions(reading, keys)
    rewards = read_rewards(reading, keys, beside or {}, solutions)
    if reading.problems or solutions is None:
        raise _error(reading, names)
    _note_unused(reading, names)
    fields = {str(held): column for held, column in taken.columns.items()}
    return OwnTables(solutions, rewards, fields, mapping.correct is not None, reading.notes)


def _error(reading: Reading, names: Sequence[str]) -> OwnDataError:
    """Everything that is wrong, with the options that use the guessed columns."""
    mapping, guessed = reading.mapping, reading.taken.guessed
    columns = {str(held): guessed[held] for held in _needed(reading) if held in guessed}
    options = ""
    if columns:
        known = reading.taken.columns
        said = {name: column for name, column in mapping.columns.items() if name in known}
        parts = [reading.spoken.pairs("columns", {**said, **columns})]
        rewards = {m: column for m, column in mapping.rewards.items() if column in names}
        if rewards:
            parts.append(reading.spoken.pairs("rewards", rewards))
        if mapping.correct is not None and mapping.correct in names:
            parts.append(reading.spoken.word("correct", mapping.correct))
        options = (" " if reading.spoken is Spoken.OPTIONS else ", ").join(parts)
    taken = {str(held): column for held, column in reading.taken.columns.items()}
    return OwnDataError(reading.where, reading.problems, names, taken, options)


def _needed(reading: Reading) -> list[Field]:
    """The fields that the table must have, and lacks."""
    has = reading.taken.columns
    needed = [] if Field.QUESTION in has or reading.of_questions else [Field.QUESTION_ID]
    needed += [] if reading.mapping.correct else [Field.PARSED_ANSWER, Field.ANSWER]
    # Only the texts of solutions can be done without, unless a column may have been overlooked.
    needed += [Field.STEPS] if Field.STEPS in reading.taken.guessed else []
    return [held for held in needed if held not in has]


_MEANINGS = {
    Field.QUESTION_ID: "question_id (or question), which tells questions apart",
    Field.PARSED_ANSWER: "parsed_answer, the answer that a solution gives",
    Field.ANSWER: "answer, the reference answer",
    Field.STEPS: "steps, the solution's text",
}


def _refuse_missing(reading: Reading, beside: Sequence[str]) -> None:
    spoken, guessed = reading.spoken, reading.taken.guessed
    grading = grading_column(reading.arrays)
    for held in _needed(reading):
        if held in reading.mapping.columns:
            continue
        remedy = f"add {spoken.pairs('columns', {held: guessed.get(held, 'COLUMN')})}"
        if held in (Field.ANSWER, Field.PARSED_ANSWER) and grading:
            remedy += f", or {spoken.word('correct', grading)} if that is your own grading"
        found = f"perhaps {shown(guessed[held])}" if held in guessed else "none"
        reading.wrong(reading.where, f"a column for {_MEANINGS[held]}", found, remedy)
    models = [*reading.mapping.rewards, *beside]
    for model in models:
        if model in RESERVED_NAMES or not is_file_name(model):
            reading.wrong(
                spoken.pairs("rewards", {model: "…"}),
                f"a model's name that can be a folder's, and none of {', '.join(RESERVED_NAMES)}",
                shown(model),
            )
    said: tuple[tuple[str, Mapping[str, str]], ...] = (
        ("unit", reading.mapping.unit),
        ("scale", reading.mapping.scale),
    )
    for option, values in said:
        for model in values:
            if model not in models:
                reading.wrong(
                    spoken.pairs(option, {model: values[model]}),
                    one_of(models) if models else "no model, as there are no rewards",
                    shown(model),
                    did_you_mean(model, models),
                )


def _note_unused(reading: Reading, names: Sequence[str]) -> None:
    """Say which columns are not used, and of those that look as if they held something, how they would be."""
    mapping, spoken = reading.mapping, reading.spoken
    used = {*reading.taken.columns.values(), *mapping.rewards.values(), mapping.correct}
    left = [name for name in names if name not in used]
    for held in (Field.QUESTION_ID, Field.QUESTION, Field.CATEGORY, Field.SOLUTION_ID):
        guess = reading.taken.guessed.get(held)
        if guess in left:
            reading.notes.append(
                f"{guess} is not used; if it is the {held}: {spoken.pairs('columns', {held: guess})}"
            )
            left.remove(guess)
    policy = next((name for name in left if is_policy(name)), None)
    if policy is not None and _has_several(reading.arrays[policy]):
        reading.notes.append(
            f"{policy} is not used: solutions with different values are in one pool; to evaluate each by itself:"
            f" {spoken.pairs('columns', {Field.DATASET: policy})}"
        )
        left.remove(policy)
    grading = grading_column(left)
    if grading:
        reading.notes.append(
            f"{grading} is not used; if it is your own grading: {spoken.word('correct', grading)}"
        )
        left.remove(grading)
    scores = [name for name in left if "score" in name.casefold() or "reward" in name.casefold()]
    if scores:
        pairs = {model_name(name): name for name in scores}
        reading.notes.append(
            f"{', '.join(scores)} not used; to evaluate rewards: {spoken.pairs('rewards', pairs)}"
        )
    others = [name for name in left if name and name not in scores]
    if others:
        reading.notes.append(f"not used: {', '.join(others)}")


def _has_several(array: pa.Array) -> bool:
    return not pa.types.is_nested(array.type) and len(array.unique()) > 1


def model_name(column: str) -> str:
    """`skywork` for `score_skywork` and `skywork_reward`."""
    words = [word for word in column.split("_") if word.casefold() not in _OF_SCORES]
    return "_".join(words) or column


_OF_SCORES = {"score", "scores", "reward", "rewards"}
