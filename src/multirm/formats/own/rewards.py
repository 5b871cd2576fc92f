"""Rewards of the solutions: from a column, or from a table of their own that is joined by ids."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from multirm.errors import one_of
from multirm.formats.own.columns import (
    ColumnMap,
    Field,
    StepRule,
    take_columns,
)
from multirm.formats.own.keys import Keys
from multirm.formats.own.layout import flattened
from multirm.formats.own.problems import keys_shown
from multirm.formats.own.reading import Reading
from multirm.formats.own.values import (
    UnfitError,
    is_list,
    lists_from,
    numbers,
    plain_array,
    read_lists,
    sizes_of,
    steps_of,
)
from multirm.tables.rewards import COST_COLUMNS, REWARDS, Scale, Unit


@dataclass(frozen=True)
class RewardTable:
    """A model's rewards in a table of their own, joined to the solutions by their ids.

    Attributes:
        table: has columns for the ids, as the solutions have, and one of rewards.
        where: the file, for errors.
        column: the column of rewards; None if it is named `reward`, `rewards` or `score`.
    """

    table: pa.Table
    where: str
    column: str | None = None


def read_rewards(
    reading: Reading,
    keys: Keys | None,
    beside: Mapping[str, RewardTable],
    solutions: pa.Table | None,
) -> dict[str, pa.Table]:
    """The rewards of each model, in the order of the solutions."""
    found: dict[str, pa.Array] = {}
    for model, column in reading.mapping.rewards.items():
        if column in reading.arrays:
            array = reading.converted(column, _reward_values, _POINT)
            if array is not None:
                found[model] = array
    for model, table in beside.items():
        array = None if keys is None else _joined(reading, keys, model, table)
        if array is not None:
            found[model] = array
    made = {}
    for model, array in found.items():
        lists, unit = _lists_of(reading, model, array, solutions)
        if solutions is not None and keys is not None:
            made[model] = _reward_table(reading, keys, model, lists, unit)
    return made


_POINT = "write numbers with a decimal point, and nothing where one is missing"


def _reward_values(array: pa.Array) -> pa.Array:
    """Numbers, or lists of numbers."""
    if not is_list(array.type):
        return numbers(array)
    inner = array.type.value_type
    if pa.types.is_nested(inner):
        raise UnfitError("a number or a list of numbers", [0], [array[0].as_py()])
    flat = pc.list_flatten(array)
    owners = pc.list_parent_indices(array)
    try:
        values = numbers(flat)
    except UnfitError as error:
        rows = [owners[row].as_py() for row in error.rows]
        raise UnfitError(f"lists of {error.expected}", rows, error.values) from error
    counts = np.bincount(owners.to_numpy(), minlength=len(array))
    return lists_from(values, counts)


def _lists_of(
    reading: Reading, model: str, array: pa.Array, solutions: pa.Table | None
) -> tuple[pa.Array, Unit | None]:
    """A model's rewards as lists, and what one of them is about; checked."""
    n = len(array)
    unit, scale = reading.mapping.unit.get(model), reading.mapping.scale.get(model)
    values = array
    if is_list(array.type):
        values = pc.list_flatten(array)
        sizes = sizes_of(array)
        many = np.flatnonzero(sizes > 1)
        if unit is Unit.SOLUTION and many.size:
            reading.wrong(
                reading.place(int(many[0])),
                f"one reward of {model} for a solution",
                f"{sizes[many[0]]}",
                f"use {reading.spoken.pairs('unit', {model: Unit.STEP})}, or critique",
            )
        if unit is None:
            reading.notes.append(
                f"{model}: whether a reward is about a step or a critique is not said; only measures that"
                f" need it ask for {reading.spoken.pairs('unit', {model: Unit.STEP})} or critique"
            )
    else:
        sizes, array = np.ones(n, dtype=int), lists_from(array, np.ones(n, dtype=int))
        unit = unit or Unit.SOLUTION
    if unit is Unit.STEP and solutions is not None:
        n_steps = sizes_of(plain_array(solutions["steps"]))
        other = np.flatnonzero((sizes != n_steps) & (sizes > 0))
        if other.size:
            first = int(other[0])
            reading.wrong(
                reading.place(first),
                f"a reward of {model} for each of {n_steps[first]} steps",
                f"{sizes[first]}{f', and likewise in {len(other) - 1} more' * (len(other) > 1)}",
                _remedy_of_steps(reading, model, sizes),
            )
    if not values.null_count < len(values):
        place = reading.spoken.pairs("rewards", {model: "…"})
        reading.wrong(place, "a reward for at least one solution", "none at all")
    elif scale is Scale.PROBABILITY and (pc.max(values).as_py() > 1 or pc.min(values).as_py() < 0):
        reading.wrong(
            reading.spoken.pairs("scale", {model: Scale.PROBABILITY}),
            "rewards from 0 to 1",
            f"from {pc.min(values)} to {pc.max(values)}",
            f"use {reading.spoken.pairs('scale', {model: Scale.SCORE})}",
        )
    return array, unit


def _remedy_of_steps(reading: Reading, model: str, sizes: np.ndarray) -> str:
    """The rule that divides solutions into as many steps as there are rewards, if there is one."""
    without = f"or leave out {reading.spoken.pairs('unit', {model: Unit.STEP})}"
    array = reading.of(Field.STEPS)
    if array is None or is_list(array.type):
        return f"give each step a reward, {without}"
    for rule in StepRule:
        lists, _ = steps_of(array, rule)
        if (sizes_of(lists) == sizes)[sizes > 0].all():
            return f"divide texts into steps: {reading.spoken.word('split', rule)}"
    rules = one_of([rule for rule in StepRule if rule is not StepRule.WHOLE])
    return f"no {reading.spoken.option('split')} ({rules}) divides them so: write lists of steps, {without}"


def _reward_table(
    reading: Reading, keys: Keys, model: str, lists: pa.Array, unit: Unit | None
) -> pa.Table:
    n = len(lists)
    values = lists.flatten()
    narrow = values.cast(pa.float32(), safe=False)
    if not narrow.cast(pa.float64()).equals(values):
        narrow = values
    scale = reading.mapping.scale.get(model, Scale.SCORE)
    element = REWARDS.columns.field("rewards").type.value_field.with_type(narrow.type)
    offsets = lists.offsets
    columns = {
        "dataset": keys.dataset,
        "category": keys.category,
        "question_id": keys.question_id,
        "solution_id": keys.solution_id,
        "model": pa.array([model] * n),
        "rewards": pa.ListArray.from_arrays(offsets, narrow, type=pa.list_(element)),
        **{name: pa.nulls(n, REWARDS.columns.field(name).type) for name in COST_COLUMNS},
        "truncated": pa.nulls(n, pa.bool_()),
        "unit": pa.array([unit and str(unit)] * n, pa.string()),
        "scale": pa.array([str(scale)] * n),
    }
    fields = [each.with_type(columns[each.name].type) for each in REWARDS.columns]
    return pa.Table.from_arrays([columns[each.name] for each in fields], schema=pa.schema(fields))


def _joined(reading: Reading, keys: Keys, model: str, beside: RewardTable) -> pa.Array | None:
    """A model's rewards from a table of its own, in the order of the solutions; null where it has none."""
    table = flattened(beside.table)
    names = table.column_names
    said = {name: column for name, column in reading.mapping.columns.items() if column in names}
    mapping = ColumnMap(
        columns={n: c for n, c in said.items() if n in (Field.QUESTION_ID, Field.SOLUTION_ID)}
    )
    taken = take_columns(names, mapping, beside.where, reading.spoken)
    column = beside.column or next(
        (
            name
            for name in names
            if name.casefold() in ("reward", "rewards", "score", "scores", model.casefold())
        ),
        None,
    )
    lacking = [held for held in (Field.QUESTION_ID, Field.SOLUTION_ID) if held not in taken.columns]
    if column is None or column not in names:
        reading.wrong(
            beside.where,
            f"a column with the rewards of {model}",
            f"the columns {', '.join(names)}",
            f"name it: {reading.spoken.pairs('rewards', {model: f'{beside.where}:COLUMN'})}",
        )
    if lacking:
        reading.wrong(
            beside.where,
            f"the column{'s' * (len(lacking) > 1)} {' and '.join(lacking)}, to join rewards to solutions",
            f"the columns {', '.join(names)}",
            _renamed(lacking, taken.guessed) or "name them as the file of solutions does",
        )
    if column is None or column not in names or lacking:
        return None
    own = Reading(
        beside.where,
        reading.mapping,
        reading.spoken,
        taken,
        {name: plain_array(table[name]) for name in names},
        np.arange(table.num_rows),
        problems=reading.problems,
    )
    ids = own.texts(Field.QUESTION_ID)
    given = own.texts(Field.SOLUTION_ID)
    lists = read_lists(own.arrays[column])
    own.arrays[column] = own.arrays[column] if lists is None else lists
    values = own.converted(column, _reward_values, _POINT)
    if ids is None or given is None or values is None:
        return None
    if Field.SOLUTION_ID not in reading.taken.columns:
        if "0" not in given.to_pylist():
            reading.wrong(
                reading.where,
                f"a column solution_id, by which {beside.where} is joined",
                "none",
                f"add {reading.spoken.pairs('columns', {'solution_id': 'COLUMN'})}, or number each question's"
                f" solutions from 0 in {beside.where}",
            )
            return None
        reading.notes.append(
            f"{model}: {beside.where} is joined by the places of a question's solutions, from 0 in their order"
        )
    return _in_order(
        own, keys, model, list(zip(ids.to_pylist(), given.to_pylist(), strict=True)), values
    )


def _renamed(lacking: Sequence[Field], guessed: Mapping[Field, str]) -> str:
    """How columns would be named that look as if they were those that are lacking; empty if some do not."""
    pairs = [f"{guessed[held]} to {held}" for held in lacking if held in guessed]
    return f"rename {' and '.join(pairs)}" if len(pairs) == len(lacking) else ""


def _in_order(
    own: Reading, keys: Keys, model: str, found: Sequence[tuple[str, str]], values: pa.Array
) -> pa.Array | None:
    """Values in the order of the solutions that they are for."""
    wanted = list(zip(keys.question_id.to_pylist(), keys.given.to_pylist(), strict=True))
    at = {key: row for row, key in enumerate(found)}
    if len(at) < len(found):
        seen: set[tuple[str, str]] = set()
        again = [key for key in found if key in seen or seen.add(key)]  # type: ignore[func-returns-value]
        own.wrong(own.where, "each solution once", f"{keys_shown(again[:3], len(again))} again")
        return None
    unknown = at.keys() - set(wanted)
    if unknown:
        first = [key for key in found if key in unknown][:3]
        own.wrong(
            own.where,
            "rewards of the solutions given",
            f"{len(unknown)} of {len(found)} of others ({keys_shown(first, len(unknown))})",
            "leave them out, or check that the ids are spelled as in the file of solutions",
        )
        return None
    if len(set(wanted)) < len(wanted):
        own.wrong(own.where, "ids that tell solutions apart", "the same ones in several categories")
        return None
    return values.take(pa.array([at.get(key) for key in wanted], pa.int64()))
