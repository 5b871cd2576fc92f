"""Data frames of any library as Arrow tables."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import pyarrow as pa

from multirm.errors import InputError, shown
from multirm.formats.own.files import array_of, table_of_objects


class ArrowStream(Protocol):
    """A table that any library can read as Arrow: of pandas, polars, Arrow, DuckDB and others."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...


Frame: TypeAlias = ArrowStream | Iterable[Mapping[str, Any]] | Mapping[str, Sequence[Any]]
"""A data frame of pandas or polars, an Arrow table, a `datasets.Dataset`, a list of dicts or a dict of lists."""


def to_arrow(frame: Any, where: str = "frame") -> pa.Table:
    """A data frame as an Arrow table; columns of values of several types become texts.

    Named levels of a pandas index become columns.

    Args:
        where: what it is, for errors.

    Raises:
        InputError: it is something else, or has rows that are no mappings.
    """
    if isinstance(frame, pa.Table):
        return frame
    if _is_a(frame, "pandas", "DataFrame"):
        return _of_pandas(frame, where)
    if _is_a(frame, "datasets", "Dataset"):
        # Its own table may have rows in another order, and more of them.
        return frame.with_format("arrow")[:]
    if hasattr(frame, "__arrow_c_stream__"):
        return pa.table(frame)
    if isinstance(frame, Mapping):
        _refuse_datasets_of_splits(frame, where)
        return _of_columns(frame, where)
    if isinstance(frame, Iterable) and not isinstance(frame, str | bytes):
        rows = list(frame)
        wrong = [number for number, row in enumerate(rows, 1) if not isinstance(row, Mapping)]
        if not wrong:
            return table_of_objects(where, rows)
        found = f"{shown(rows[wrong[0] - 1])} as item {wrong[0]}"
    else:
        found = f"{type(frame).__module__}.{type(frame).__qualname__}"
    raise InputError(
        where,
        expected="a data frame of pandas or polars, an Arrow table, a datasets.Dataset or a list of dicts",
        found=found,
        remedy="Pools.from_file reads files" if isinstance(frame, str) else "",
    )


def _is_a(frame: object, library: str, name: str) -> bool:
    """Whether a frame is of a library's type; the library is not imported for it."""
    kind = getattr(sys.modules.get(library), name, None)
    return kind is not None and isinstance(frame, kind)


def _of_pandas(frame: Any, where: str) -> pa.Table:
    levels = [name for name in frame.index.names if name is not None]
    if levels:
        frame = frame.reset_index(level=levels)
    columns = [frame.iloc[:, place] for place in range(frame.shape[1])]
    names = list(map(str, frame.columns))
    return pa.Table.from_arrays(
        [_of_series(series, where, name) for series, name in zip(columns, names, strict=True)],
        names=names,
    )


def _of_series(series: Any, where: str, name: str) -> pa.Array:
    try:
        return pa.array(series, from_pandas=True)
    except (pa.ArrowException, OverflowError):
        # NaN stands for a missing value beside values of any type.
        missing = series.isna()
        values = [None if gone else value for value, gone in zip(series, missing, strict=True)]
        return array_of(where, name, values)


def _of_columns(columns: Mapping[str, Sequence[Any]], where: str) -> pa.Table:
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name}: {length}" for name, length in lengths.items())
        raise InputError(where, expected="columns of one length", found=found)
    return pa.table({name: array_of(where, name, list(each)) for name, each in columns.items()})


def _refuse_datasets_of_splits(frame: Mapping[str, Any], where: str) -> None:
    if _is_a(frame, "datasets", "DatasetDict"):
        raise InputError(
            where,
            expected="one split of a dataset",
            found=f"the splits {', '.join(frame)}",
            remedy=f"use one of them, such as dataset[{next(iter(frame), 'split')!r}]",
        )
