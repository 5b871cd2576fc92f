"""Files of every kind hold the same rows; what cannot be read is told with its place."""

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from multirm.errors import InputError
from multirm.formats.own.files import array_of, concatenated, dataset_name, read_file

ROWS: list[dict[str, Any]] = [
    {"id": "007", "text": 'a "b",\nc; d', "reward": 0.5},
    {"id": "8", "text": "ü\n\nx", "reward": None},
]


def as_csv(delimiter: str = ",", encoding: str = "utf-8") -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(ROWS[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(ROWS)
    return text.getvalue().encode(encoding)


def json_lines() -> str:
    return "".join(json.dumps(row) + "\n" for row in ROWS)


@pytest.mark.parametrize(
    "content",
    [as_csv(), as_csv(";"), as_csv("\t"), as_csv(encoding="utf-8-sig")],
    ids=["commas", "semicolons", "tabs", "byte order mark"],
)
def test_values_of_csv_files_are_texts(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    rows = read_file(str(tmp_path / "a.csv")).to_pylist()
    assert [row["id"] for row in rows] == ["007", "8"]
    assert [row["reward"] for row in rows] == ["0.5", None]
    assert [row["text"].replace("\r\n", "\n") for row in rows] == [row["text"] for row in ROWS]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.jsonl", json_lines()),
        ("a.jsonl", "\n" + json_lines() + "\n"),
        ("a.json", json.dumps(ROWS)),
        ("a.json", json.dumps({"data": ROWS})),
        ("a.json", json.dumps({"model": "x", "data": ROWS, "seeds": [1, 2]})),
        ("a.json", json.dumps({name: [row[name] for row in ROWS] for name in ROWS[0]})),
        (
            "a.json",
            json.dumps({n: {str(k): row[n] for k, row in enumerate(ROWS)} for n in ROWS[0]}),
        ),
        ("a.json", json_lines()),
    ],
    ids=[
        "lines",
        "blank lines",
        "list",
        "inner list",
        "beside other values",
        "columns",
        "as pandas",
        "lines as json",
    ],
)
def test_json_in_its_forms(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert read_file(str(tmp_path / name)).to_pylist() == ROWS


def test_arrow_parquet_and_saved_datasets(tmp_path: Path) -> None:
    table = pa.Table.from_pylist(ROWS)
    pq.write_table(table, tmp_path / "a.parquet")
    assert read_file(str(tmp_path / "a.parquet")).to_pylist() == ROWS
    saved = tmp_path / "saved"
    saved.mkdir()
    for name, rows in (("1.arrow", ROWS[:1]), ("2.arrow", ROWS[1:])):
        with pa.OSFile(str(saved / name), "wb") as file:
            part = pa.Table.from_pylist(rows, schema=table.schema)
            with pa.ipc.new_stream(file, table.schema) as stream:
                stream.write_table(part)
    state = {"_data_files": [{"filename": "1.arrow"}, {"filename": "2.arrow"}]}
    (saved / "state.json").write_text(json.dumps(state))
    assert read_file(str(saved)).to_pylist() == ROWS
    both = tmp_path / "both"
    both.mkdir()
    (both / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    with pytest.raises(InputError, match="both/train"):
        read_file(str(both))


def test_a_dataset_saved_by_its_library_is_read(tmp_path: Path) -> None:
    import datasets

    datasets.disable_progress_bars()
    dataset = datasets.Dataset.from_list(ROWS)
    dataset.save_to_disk(tmp_path / "saved", num_shards=2)
    assert read_file(str(tmp_path / "saved")).to_pylist() == ROWS


def test_folders_of_files_are_read_by_name(tmp_path: Path) -> None:
    (tmp_path / "2.jsonl").write_text(json.dumps(ROWS[1]))
    (tmp_path / "1.jsonl").write_text(json.dumps(ROWS[0]))
    assert read_file(str(tmp_path)).to_pylist() == ROWS
    (tmp_path / "3.csv").write_text("a\n1\n")
    with pytest.raises(InputError, match=r"files named \.csv, \.jsonl"):
        read_file(str(tmp_path))


def test_values_of_several_types_become_texts(tmp_path: Path) -> None:
    rows = [{"a": 1, "b": 10**30}, {"a": "x", "b": 2}, {"c": [1, "y"], "b": None}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert read_file(str(tmp_path / "a.jsonl")).to_pylist() == [
        {"a": "1", "b": str(10**30), "c": None},
        {"a": "x", "b": "2", "c": None},
        {"a": None, "b": None, "c": '[1, "y"]'},
    ]
    one, other = pa.table({"id": [1], "x": [[1]]}), pa.table({"id": ["b"], "x": [["y"]]})
    assert concatenated([one, other])["id"].to_pylist() == ["1", "b"]


@pytest.mark.parametrize("other", ["x", 2, 0.5, True, ["x"], [0.5, None]])
def test_nan_is_missing_beside_values_of_any_type(tmp_path: Path, other: object) -> None:
    """As `json.dumps` writes rows of pandas: NaN is no answer, and no id."""
    rows = [{"a": other, "b": [other, math.nan], "c": other}, {"a": math.nan, "b": [], "c": None}]
    # A third type, so that all become texts.
    rows += [{"a": math.nan, "b": [], "c": "y"}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    found = read_file(str(tmp_path / "a.jsonl"))
    assert found["a"].null_count == 2 and found["a"][0].is_valid
    assert found["c"].to_pylist()[1:] == [None, "y"]
    assert found["b"].to_pylist()[0] == [found["a"][0].as_py(), None]


def test_a_whole_number_is_one_text_however_it_is_stored() -> None:
    tables = [pa.table({"id": values}) for values in ([1.0, None, math.nan], ["1"], ["x"])]
    assert concatenated(tables)["id"].to_pylist() == ["1", None, None, "1", "x"]
    assert array_of("a", "id", [1, 1.0, "1", 0.5, 2.0**60]).to_pylist() == [
        *("1", "1", "1", "0.5", "1.152921504606847e+18")
    ]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.csv", b"", "an empty file"),
        ("a.csv", b"a,b\n1,2\n1,2,3\n1\n", "3 values: '1,2,3', and 1 more such rows"),
        ("a.csv", "a,b\n1,\u00fc\n".encode("latin-1"), "line 2: expected text in UTF-8"),
        ("a.csv", "a,b\n1,2\n".encode("utf-16"), "found UTF-16"),
        ("a.json", b'{"a": 1}', "a list of objects"),
        ("a.json", b"[1]", "row 1: expected an object"),
        ("a.json", b"[1", "expected JSON"),
        ("a.jsonl", b'{"a": "\\ud800"}\n', "row 1, column a: expected Unicode text"),
        ("a.parquet", b"PAR1 no", "a Parquet file"),
        ("a.arrow", b"no", "an Arrow file"),
        ("a.xlsx", b"no", "one named .xlsx"),
    ],
)
def test_files_that_cannot_be_read(
    tmp_path: Path, name: str, content: bytes, expected: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as error:
        read_file(str(tmp_path / name))
    assert expected in str(error.value)


def test_all_broken_lines_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"a": 1}\n{"a": \n[1]\n{"a": 2}\n')
    with pytest.raises(InputError) as error:
        read_file(str(tmp_path / "a.jsonl"))
    assert "a.jsonl, line 2" in str(error.value)
    assert "a.jsonl, line 3: expected a JSON object, found [1]" in str(error.value)


def test_a_missing_file_has_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "pools.csv").write_text("a\n1\n")
    with pytest.raises(InputError, match=r"did you mean pools\.csv"):
        read_file(str(tmp_path / "pool.csv"))
    with pytest.raises(InputError, match="there is no folder"):
        read_file(str(tmp_path / "data" / "pool.csv"))


def test_datasets_are_named_after_files(tmp_path: Path) -> None:
    assert dataset_name(["x/pools.csv"]) == "pools"
    assert dataset_name([str(tmp_path)]) == tmp_path.name
    assert dataset_name(["x/a.csv", "x/b.csv"]) == "x"
