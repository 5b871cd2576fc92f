"""Data frames of any library become the same Arrow table."""

from collections.abc import Callable
from typing import Any

import datasets
import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from multirm.api.frames import to_arrow
from multirm.errors import InputError

Rows = list[dict[str, Any]]


@pytest.mark.parametrize(
    "made",
    [
        pd.DataFrame,
        pl.DataFrame,
        pa.Table.from_pylist,
        datasets.Dataset.from_list,
        lambda rows: pa.Table.from_pylist(rows).to_batches()[0],
        lambda rows: duckdb.from_arrow(pa.Table.from_pylist(rows)),
        lambda rows: {name: [row[name] for row in rows] for name in rows[0]},
        lambda rows: (row for row in rows),
        lambda rows: pd.DataFrame(rows).set_index(["qid", "sample"]),
        lambda rows: pd.DataFrame(rows).astype({"qid": "category"}),
    ],
    ids="pandas polars arrow datasets batch duckdb columns generator index category".split(),
)
def test_the_same_rows_from_any_frame(rows: Rows, made: Callable[[Rows], Any]) -> None:
    assert to_arrow(rows).to_pylist() == rows
    assert to_arrow(made(rows)).to_pylist() == rows


def test_a_dataset_that_was_selected_from_is_read_as_it_is(rows: Rows) -> None:
    chosen = datasets.Dataset.from_list(rows).select([7, 2, 5])
    assert to_arrow(chosen).to_pylist() == [rows[7], rows[2], rows[5]]


def test_values_of_several_types_become_texts() -> None:
    mixed: dict[str, list[Any]] = {"answer": [1, "B", None], "n": [1, 2, 3]}
    expected = {"answer": ["1", "B", None], "n": [1, 2, 3]}
    assert to_arrow(pd.DataFrame(mixed)).to_pydict() == expected
    assert to_arrow(mixed).to_pydict() == expected


def test_columns_with_the_same_name_are_kept_to_be_refused() -> None:
    frame = pd.DataFrame([[1, 2]], columns=["a", "a"])
    assert to_arrow(frame).column_names == ["a", "a"]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (3, "found builtins.int"),
        ("pools.csv", "found builtins.str; Pools.from_file reads files"),
        ([{"a": 1}, 2], "found 2 as item 2"),
        ({"a": [1], "b": [1, 2]}, "columns of one length, found a: 1, b: 2"),
        (
            datasets.DatasetDict({"test": datasets.Dataset.from_list([{"a": 1}])}),
            r"one split of a dataset, found the splits test; use one of them, such as dataset\['test'\]",
        ),
        ([{"a": "\ud800"}], "frame, row 1, column a: expected Unicode text"),
    ],
)
def test_anything_else_is_refused(frame: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        to_arrow(frame)
