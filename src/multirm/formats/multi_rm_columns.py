"""Rows of Multi-RM's layout → our tables, by column, because evaluation reads millions of rewards.

Regular rows are read without an object per solution. Anything else (another type, a missing key, a key of our
own) is left to `multi_rm`, which reads row by row and reports what is wrong. Where both can read, they agree.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from multirm.errors import InputError
from multirm.formats import multi_rm
from multirm.formats.json_source import Placed, Record, VerbatimRecord, as_record, each
from multirm.tables.rewards import COST_COLUMNS, REWARDS
from multirm.tables.schema import Row, Schema
from multirm.tables.solutions import SOLUTIONS
from multirm.text.labels import split_steps

Values = Sequence[Any]
_STEPS = SOLUTIONS.columns.field("steps").type
_REWARDS = REWARDS.columns.field("rewards").type
_DOUBLES = pa.list_(_REWARDS.value_field.with_type(pa.float64()))
_Columns = Mapping[str, pa.Array | pa.Scalar]

# Raised below by irregular values.
_IRREGULAR = (AttributeError, TypeError, KeyError, ValueError, OverflowError, pa.ArrowException)


class _IrregularError(ValueError):
    """The rows are irregular: `multi_rm` must read them."""


def solutions_table(
    values: Values, where: str, category: str, dataset: str, judged: bool = True
) -> pa.Table:
    """The solutions of one category, in the order of the rows.

    Args:
        values: test or training rows.
        where: the file or split that they are in, for errors.
        dataset: the dataset of rows that do not name it.
        judged: as in `multi_rm.solutions`.

    Returns:
        the columns of `SOLUTIONS`.

    Raises:
        InputError: a row is invalid; names row and key.
    """
    return _table(
        values,
        where,
        category,
        dataset,
        SOLUTIONS,
        partial(_solution_columns, judged=judged),
        partial(multi_rm.solutions, judged=judged),
    )


def rewards_table(
    values: Values, where: str, category: str, dataset: str, model: str | None
) -> pa.Table:
    """The rewards of one category, in the order of the rows.

    Args:
        values: reward rows.
        where: the file or split that they are in, for errors.
        dataset: the dataset of rows that do not name it.
        model: the model whose rewards they are; by default, the one in the rows.

    Returns:
        the columns of `REWARDS`; `rewards` are float64 if float32 would lose digits.

    Raises:
        InputError: a row is invalid; names row and key.
    """
    if model is None:
        _require_models(values, where)
    return _table(
        values, where, category, dataset, REWARDS, _reward_columns, multi_rm.rewards, model
    )


def _require_models(values: Values, where: str) -> None:
    for number, value in enumerate(values, start=1):
        if "model" not in as_record(f"{where}, row {number}", value).values:
            raise InputError(
                f"{where}, row {number}",
                expected="the model's name",
                found="none",
                remedy="add --model NAME",
            )


def as_table(rows: Sequence[Row], schema: Schema) -> pa.Table:
    """Rows as a table of `schema`, with rewards wide enough to keep their digits."""
    fields = [
        field.with_type(_DOUBLES) if field.name == "rewards" else field for field in schema.columns
    ]
    return _narrowed(pa.Table.from_pylist(list(rows), schema=pa.schema(fields)))


def _table(
    values: Values,
    where: str,
    category: str,
    dataset: str,
    schema: Schema,
    fast: Callable[[Values], _Columns],
    careful: Callable[[Iterable[Record], str], Iterable[Placed]],
    model: str | None = None,
) -> pa.Table:
    try:
        columns = dict(fast(values))
    except _IRREGULAR:
        return _row_by_row(values, where, category, dataset, schema, careful, model)
    n = len(columns["solution_id"])
    for name, text in (("dataset", dataset), ("category", category), ("model", model)):
        columns[name] = pa.repeat(pa.scalar(text, pa.string()), n)
    fields = [field.with_type(columns[field.name].type) for field in schema.columns]
    arrays = [columns[field.name] for field in schema.columns]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def _row_by_row(
    values: Values,
    where: str,
    category: str,
    dataset: str,
    schema: Schema,
    careful: Callable[[Iterable[Record], str], Iterable[Placed]],
    model: str | None,
) -> pa.Table:
    def rows_of(_: int, record: Record) -> Iterator[Placed]:
        said = VerbatimRecord(record.where, record.values)
        names = {"dataset": said.text("dataset") if "dataset" in said.values else dataset}
        if schema is REWARDS:
            names["model"] = said.text("model") if model is None else model
        for place, row in careful([record], category):
            _refuse_unfit(place, row, schema)
            yield place, {**row, **names}

    records = (as_record(f"{where}, row {number}", value) for number, value in enumerate(values, 1))
    return as_table([row for _, row in each(records, rows_of)], schema)


def _refuse_unfit(place: str, row: Row, schema: Schema) -> None:
    problem = schema.check_row(row)
    for name in ("solution_id", "n_tokens_read", "n_tokens_generated"):
        value = row.get(name)
        if problem is None and value is not None and not -(2**31) <= value < 2**31:
            problem = f"{name} in 32 bits", str(value)
    if problem:
        raise InputError(place, expected=problem[0], found=problem[1])


def _solution_columns(values: Values, judged: bool) -> _Columns:
    """All columns of test rows, except dataset and category."""
    ids, asked, answers, sizes = [], [], [], []
    solution_ids: list[int] = []
    parsed_answers: list[str | None] = []
    outcomes: list[int | None] = []
    steps: list[str] = []
    lengths: list[int] = []
    for row in values:
        _refuse_our_keys(row)
        cot_ids, cots, parsed = row["cot_ids"], row["cots"], row["parsed_answers"]
        if not cot_ids or not len(cot_ids) == len(cots) == len(parsed):
            raise _IrregularError
        _refuse_other_types((list,), (cot_ids, cots, parsed))
        answer = row["answer"]
        answer = None if answer is None else answer.strip() or None
        said = [None if text is None else text.strip() or None for text in parsed]
        parsed_answers += said
        outcomes += [_outcome(text, answer) if judged else None for text in said]
        solution_ids += cot_ids
        sizes.append(len(cot_ids))
        _refuse_other_types((str, list), cots)
        for cot in cots:
            pieces = split_steps(cot) if type(cot) is str else [step.strip() for step in cot]
            lengths.append(len(pieces))
            steps += pieces
        ids.append(_identifier(row["q_id"]))
        asked.append(_said(row["question"]))
        answers.append(answer)
    if not all(lengths) or not all(steps):
        raise _IrregularError
    _refuse_other_types((int,), solution_ids)
    owners = _owners(sizes)
    return {
        "question_id": pa.array(ids, pa.string()).take(owners),
        "solution_id": pa.array(solution_ids, pa.int32()),
        "question": pa.array(asked, pa.string()).take(owners),
        "answer": pa.array(answers, pa.string()).take(owners),
        "steps": _lists(pa.array(steps, pa.string()), lengths, _STEPS),
        "parsed_answer": pa.array(parsed_answers, pa.string()),
        "outcome": pa.array(outcomes, pa.int8()),
        "step_labels": pa.nulls(len(solution_ids), SOLUTIONS.columns.field("step_labels").type),
    }


def _reward_columns(values: Values) -> _Columns:
    """All columns of reward rows, except dataset, category and model."""
    ids, sizes = [], []
    solution_ids: list[int] = []
    lists: list[Any] = []
    for row in values:
        _refuse_our_keys(row)
        cot_ids, given = row["cot_ids"], row["rewards"]
        _refuse_other_types((list,), (cot_ids, given))
        if len(cot_ids) != len(given):
            raise _IrregularError
        ids.append(_identifier(row["q_id"]))
        sizes.append(len(cot_ids))
        solution_ids += cot_ids
        lists += given
    _refuse_other_types((int,), solution_ids)
    if set(map(type, lists)) - {list}:
        lists = [each if type(each) is list else [each] for each in lists]
    numbers = list(chain.from_iterable(lists))
    _refuse_other_types((int, float, type(None)), numbers)
    rewards = pc.if_else(pc.is_nan(found := pa.array(numbers, pa.float64())), None, found)
    if pc.any(pc.is_inf(rewards)).as_py():
        raise _IrregularError
    n = len(solution_ids)
    return {
        "question_id": pa.array(ids, pa.string()).take(_owners(sizes)),
        "solution_id": pa.array(solution_ids, pa.int32()),
        "rewards": _lists(_narrow(rewards), list(map(len, lists)), _REWARDS),
        **{name: pa.nulls(n, REWARDS.columns.field(name).type) for name in COST_COLUMNS},
        "truncated": pa.nulls(n, pa.bool_()),
        "unit": pa.nulls(n, pa.string()),
        "scale": pa.nulls(n, pa.string()),
    }


def _refuse_our_keys(row: Mapping[str, Any]) -> None:
    if not multi_rm.OUR_KEYS.isdisjoint(row):
        raise _IrregularError


def _refuse_other_types(types: tuple[type, ...], values: Iterable[object]) -> None:
    # By exact type: to Python, `True` is an int, but it is not a reward.
    if not set(map(type, values)) <= set(types):
        raise _IrregularError


def _identifier(value: Any) -> str:
    """An id, unstripped: the paper's estimator draws subsets by it."""
    if type(value) is not int:
        _said(value)
    return str(value)


def _said(text: str) -> str:
    stripped = text.strip()
    if not stripped:
        raise _IrregularError
    return stripped


@cache
def _outcome(parsed: str | None, answer: str | None) -> int | None:
    return multi_rm.outcome_of(parsed, answer, None)


def _owners(sizes: Sequence[int]) -> np.ndarray:
    """For each solution, the index of its row."""
    return np.repeat(np.arange(len(sizes)), sizes)


def _lists(values: pa.Array, lengths: Sequence[int], type_: pa.DataType) -> pa.ListArray:
    """The values in lists of these lengths, of type `type_` except for the width of its numbers."""
    offsets = pa.array(np.cumsum([0, *lengths]), pa.int32())
    element = type_.value_field.with_type(values.type)
    return pa.ListArray.from_arrays(offsets, values, type=pa.list_(element))


def _narrow(values: pa.Array) -> pa.Array:
    """The numbers as float32 if that loses nothing."""
    narrow = values.cast(pa.float32())
    return narrow if narrow.cast(pa.float64()).equals(values) else values


def _narrowed(table: pa.Table) -> pa.Table:
    if "rewards" not in table.column_names:
        return table
    column = table["rewards"].combine_chunks()
    lengths = pc.list_value_length(column).to_pylist()
    lists = _lists(_narrow(pc.list_flatten(column)), lengths, _REWARDS)
    place = table.column_names.index("rewards")
    return table.set_column(place, table.schema.field(place).with_type(lists.type), lists)
