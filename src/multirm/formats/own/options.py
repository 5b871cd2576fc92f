"""The options that say which columns of somebody else's files hold what, and files read by them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from cyclopts import Parameter

from multirm.errors import InputError, did_you_mean, one_of, shown
from multirm.formats.own.columns import ColumnMap, StepRule
from multirm.formats.own.files import concatenated, dataset_name, read_file
from multirm.formats.own.problems import OwnDataError
from multirm.formats.own.rewards import RewardTable
from multirm.formats.own.tables import OwnTables, model_name, read_own
from multirm.tables.rewards import Scale, Unit

Member = TypeVar("Member", bound=StrEnum)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class OwnOptions:
    """What columns of files with any columns hold, where their names do not say it.

    Attributes:
        columns: FIELD=COLUMN for each column that has another name, such as `steps=response`. The fields are
            `question_id`, `solution_id`, `question`, `answer` (the reference), `steps` (the solution's text, or a list
            of its steps), `parsed_answer`, `category` and `dataset`.
        correct: The column of your own grading: true or false, or 1 or 0. It then decides what is correct, instead of
            a comparison of the parsed answer with the reference answer.
        split: Where texts are divided into steps: `whole` (not at all), at `blank_lines`, at `lines`, or at
            `step_markers`, which are lines that begin with `Step 1` and so on.
    """

    columns: list[str] | None = None
    correct: str | None = None
    split: StepRule = StepRule.WHOLE


@dataclass(frozen=True)
class OwnRewards:
    """What is said about models' rewards.

    Attributes:
        rewards: MODEL=COLUMN, MODEL=FILE or MODEL=FILE:COLUMN.
        unit, scale: MODEL=WORD, or WORD for all models.
    """

    rewards: Sequence[str] = ()
    unit: Sequence[str] = ()
    scale: Sequence[str] = ()


def read_own_files(
    files: Sequence[str],
    options: OwnOptions,
    said: OwnRewards,
    dataset: str | None = None,
    category: str | None = None,
) -> tuple[OwnTables, list[Path]]:
    """Read files as `read_own` reads a table, and list the files.

    Args:
        dataset, category: their names, if no column has them; by default, the name of the file, and `all`.

    Raises:
        InputError: a file cannot be read, or an option or value is wrong.
    """
    problems: list[InputError] = []
    parts = []
    for file in files:
        try:
            parts.append((file, read_file(file)))
        except InputError as error:
            problems.append(error)
    names = {name for _, part in parts for name in part.column_names}
    in_columns, beside, others = _rewards(said.rewards, names, problems)
    models = [*in_columns, *beside]
    mapping = ColumnMap(
        columns=_pairs(
            "--columns", "FIELD=COLUMN, such as steps=response", options.columns or [], problems
        ),
        rewards=in_columns,
        correct=options.correct,
        split=options.split,
        unit=_words("--unit", said.unit, Unit, models, problems),
        scale=_words("--scale", said.scale, Scale, models, problems),
        dataset=dataset,
        category=category,
    )
    where = ", ".join(files)
    if len(parts) < len(files):
        raise problems[0] if len(problems) == 1 else OwnDataError(where, problems)
    found = read_own(
        concatenated(part for _, part in parts),
        mapping,
        where,
        dataset=dataset_name(files),
        beside=beside,
        parts=[(file, part.num_rows) for file, part in parts],
        problems=problems,
    )
    return found, [Path(file) for file in [*files, *others]]


def _rewards(
    pairs: Sequence[str], names: Collection[str], problems: list[InputError]
) -> tuple[dict[str, str], dict[str, RewardTable], list[str]]:
    """Models whose rewards are in a column, those whose rewards are in a file, and these files."""
    form = "MODEL=COLUMN, MODEL=FILE or MODEL=FILE:COLUMN"
    columns: dict[str, str] = {}
    tables: dict[str, RewardTable] = {}
    files = []
    for word in [word for word in pairs if word in names]:
        model = model_name(word)
        remedy = f"name the model: --rewards {model}={word}"
        problems.append(InputError("--rewards", expected=form, found=shown(word), remedy=remedy))
    given = [word for word in pairs if word not in names]
    for model, place in _pairs("--rewards", form, given, problems).items():
        file, colon, column = place.rpartition(":")
        if place not in names and Path(place).exists():
            file, column = place, ""
        elif place in names or not colon or not Path(file).exists():
            columns[model] = place
            continue
        try:
            table = read_file(file)
        except InputError as error:
            problems.append(error)
            continue
        tables[model] = RewardTable(table, file, column or None)
        files.append(file)
    return columns, tables, files


def _pairs(
    option: str, form: str, words: Sequence[str], problems: list[InputError]
) -> dict[str, str]:
    """Names with values; those that are no pair, or name one twice, become problems."""
    found: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not (name and equals and value):
            problems.append(InputError(option, expected=form, found=shown(word)))
        elif name in found:
            twice = f"{found[name]} and {value}"
            problems.append(InputError(f"{option} {name}", expected="one value", found=twice))
        else:
            found[name] = value
    return found


def _words(
    option: str,
    words: Sequence[str],
    closed_set: type[Member],
    models: Sequence[str],
    problems: list[InputError],
) -> Mapping[str, Member]:
    """The word for each model; a word alone is for all models."""
    found: dict[str, Member] = {}
    for pair in words:
        model, _, word = pair.rpartition("=")
        try:
            value = closed_set(word)
        except ValueError:
            members = list(closed_set)
            expected = f"MODEL=WORD, and {one_of(members)} as WORD"
            near = did_you_mean(word, members)
            problems.append(InputError(option, expected=expected, found=shown(pair), remedy=near))
            continue
        found |= dict.fromkeys([model] if model else models, value)
    return found
