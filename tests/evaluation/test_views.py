"""Solutions and rewards in any mixture of tables and Multi-RM's layout, as one database."""

import json
import logging
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from multirm.errors import InputError
from multirm.evaluation.input_checks import check_rewards, check_solutions, reward_type
from multirm.evaluation.views import UNREAD, open_inputs
from multirm.tables import parquet
from multirm.tables.rewards import COST_COLUMNS, REWARDS
from multirm.tables.solutions import SOLUTIONS
from tests.origins import made_of

POOL = [("A", {"dORM": [0.5]}), ("B", {"dORM": [0.25]})]


def test_solutions_in_json_get_the_dataset_of_the_rewards(
    tmp_path: Path, write_tables: Any
) -> None:
    written = write_tables({"law": {"q1": ("A", POOL)}}, ["dORM"])
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    row = {"q_id": "q1", "question": "?", "answer": "A", "cot_ids": [0, 1]}
    row |= {"cots": [["So."], ["Thus.", "Hence."]], "parsed_answers": ["A", "B"]}
    (folder / "law.json").write_text(json.dumps([row]))
    database, _ = open_inputs([str(folder)], {"dORM": [str(written.rewards[0].parent)]})
    joined = database.sql(
        "SELECT solution_id, rewards FROM solutions "
        "JOIN rewards USING (dataset, category, question_id, solution_id) ORDER BY 1"
    )
    assert joined.fetchall() == [(0, [0.5]), (1, [0.25])]


def test_a_model_has_the_name_given(write_tables: Any) -> None:
    written = write_tables({"law": {"q1": ("A", POOL)}}, ["dORM"])
    solutions = [str(path) for path in written.solutions]
    database, _ = open_inputs(solutions, {"it's mine": [str(written.rewards[0])]})
    assert database.sql("SELECT DISTINCT model FROM rewards").fetchall() == [("it's mine",)]


def test_precision_is_kept_whatever_table_is_first(tmp_path: Path, write_tables: Any) -> None:
    written = write_tables({"law": {"q1": ("A", POOL)}, "math": {"q1": ("A", POOL)}}, ["dORM"])
    path = written.rewards[1]
    rows = [row | {"rewards": [0.1]} for row in parquet.read(path, REWARDS).to_pylist()]
    precise = parquet.read(path, REWARDS).drop(["rewards"])
    column = pa.array([row["rewards"] for row in rows], pa.list_(pa.float64()))
    table = precise.append_column("rewards", column).select(REWARDS.columns.names)
    parquet.write(path, REWARDS, table, made_of())
    database, _ = open_inputs(
        [str(path) for path in written.solutions],
        {"dORM": [str(path) for path in written.rewards]},
    )
    found = database.sql("SELECT DISTINCT rewards FROM rewards WHERE category = 'math'").fetchall()
    assert found == [([0.1],)]


def test_missing_and_other_inputs_are_refused(tmp_path: Path, write_tables: Any) -> None:
    written = write_tables({"law": {"q1": ("A", POOL)}}, ["dORM"])
    solutions = [str(path) for path in written.solutions]
    with pytest.raises(InputError, match="at least one PATH"):
        open_inputs([], {})
    with pytest.raises(InputError, match="no such file"):
        open_inputs([str(tmp_path / "no.parquet")], {})
    with pytest.raises(InputError, match="expected a table of rewards"):
        open_inputs(solutions, {"dORM": solutions})
    with pytest.raises(InputError, match="nothing of that name"):
        open_inputs([str(tmp_path / "no folder")], {})


@pytest.mark.parametrize(
    ("folder", "sibling"),
    [("run[1]", "run1"), ("star*", "starX"), ("what?", "whatX"), ("a[!b]", "ac"), ("it's", "its")],
)
def test_a_path_is_not_a_glob_pattern(
    tmp_path: Path, write_tables: Any, folder: str, sibling: str
) -> None:
    """The sibling, which the path would match as a pattern, has different rewards."""
    study = {name: {"q1": ("A", POOL)} for name in ("math", "law")}
    other = {name: {"q1": ("A", [("A", {"dORM": [0.75]})] * 2)} for name in study}
    for name, content in ((sibling, other), (folder, study)):
        write_tables(content, ["dORM"])
        for kind in ("data", "rewards"):
            shutil.copytree(tmp_path / kind, tmp_path / name / kind)
    here = tmp_path / folder
    database, files = open_inputs(
        [str(here / "data" / "math.parquet"), str(here / "data" / "law.parquet")],
        {"dORM": [str(here / "rewards" / "dORM")]},
    )
    assert database.sql("SELECT file, place FROM solutions GROUP BY ALL ORDER BY 2").fetchall() == [
        (str(here / "data" / "math.parquet"), 1),
        (str(here / "data" / "law.parquet"), 2),
    ]
    found = database.sql("SELECT category, rewards, file FROM rewards ORDER BY ALL").fetchall()
    expected = [
        (name, rewards, str(here / "rewards" / "dORM" / f"{name}.parquet"))
        for name in ("law", "math")
        for rewards in ([0.25], [0.5])
    ]
    assert found == expected
    assert files == [
        *(here / "data" / f"{name}.parquet" for name in ("math", "law")),
        *(here / "rewards" / "dORM" / f"{name}.parquet" for name in ("law", "math")),
    ]


def rewrite(
    path: Path, columns: dict[str, Any], types: dict[str, pa.DataType] | None = None
) -> None:
    """Rewrite a table as another program would: without our footer, with some columns changed."""
    table = pq.read_table(path).replace_schema_metadata(None)
    for name, values in columns.items():
        array = pa.array(values, (types or {}).get(name))
        if name in table.column_names:
            table = table.set_column(table.column_names.index(name), name, array)
        else:
            table = table.append_column(name, array)
    pq.write_table(table, path)


def test_tables_of_other_programs(write_tables: Any) -> None:
    """Ids as 64-bit numbers, large strings, labels like in pandas, and an extra column."""
    written = write_tables({"law": {"7": ("A", POOL)}}, ["dORM"])
    (solutions,), (rewards,) = written.solutions, written.rewards
    ids = {"question_id": [7, 7], "solution_id": [0, 1], "note": ["mine", None]}
    types = {"question_id": pa.int64(), "solution_id": pa.int64()}
    labels = {"outcome": [1.0, None], "step_labels": [None, None]}
    rewrite(
        solutions, {**ids, **labels, "answer": ["A", "A"]}, {**types, "answer": pa.large_string()}
    )
    rewrite(
        rewards,
        {**ids, "rewards": [[1], None], "category": ["law", "law"], "truncated": [None, None]},
        {**types, "category": pa.dictionary(pa.int32(), pa.string())},
    )
    database, _ = open_inputs([str(solutions)], {"dORM": [str(rewards)]})
    check_solutions(database)
    check_rewards(database, ["dORM"])
    found = database.sql(
        "SELECT question_id, solution_id, answer, outcome, rewards, truncated FROM solutions "
        "JOIN rewards USING (dataset, category, question_id, solution_id) ORDER BY 2"
    ).fetchall()
    assert found == [
        ("7", 0, "A", 1.0, [1.0], None),
        ("7", 1, "A", None, [], None),
    ]


@pytest.mark.parametrize(
    ("column", "values", "complaint"),
    [
        ("solution_id", [0.0, 1.5], "expected solution_id of type int32, found double"),
        ("rewards", ["0.5", "1"], "expected rewards of type list of float or null, not NaN, found"),
        ("step_labels", [[0.5], [1.0]], r"expected step_labels of type .* found list<\w+: double>"),
        ("answer", [True, False], "expected answer of type string or null, found bool"),
    ],
)
def test_lossy_types_are_refused(
    write_tables: Any, column: str, values: list[Any], complaint: str
) -> None:
    written = write_tables({"law": {"7": ("A", POOL)}}, ["dORM"])
    (path,) = written.rewards if column == "rewards" else written.solutions
    rewrite(path, {column: values})
    with pytest.raises(InputError, match=complaint):
        open_inputs([str(written.solutions[0])], {"dORM": [str(written.rewards[0])]})


def test_nan_is_a_missing_reward(write_tables: Any) -> None:
    written = write_tables({"law": {"q1": ("A", POOL)}}, ["dORM"])
    nan = float("nan")
    rewrite(written.rewards[0], {"rewards": [[nan, 0.5, None], [nan]]})
    database, _ = open_inputs([str(written.solutions[0])], {"dORM": [str(written.rewards[0])]})
    check_rewards(database, ["dORM"])
    found = database.sql("SELECT rewards FROM rewards ORDER BY solution_id").fetchall()
    assert found == [([None, 0.5, None],), ([None],)]


@pytest.mark.parametrize("value", [1.5, -0.25])
def test_a_probability_out_of_range_is_shown(write_tables: Any, value: float) -> None:
    written = write_tables({"law": {"q1": ("A", POOL)}}, ["dORM"])
    rewrite(written.rewards[0], {"rewards": [[0.5, float("nan"), value], [0.5]]})
    database, _ = open_inputs([str(written.solutions[0])], {"dORM": [str(written.rewards[0])]})
    check_rewards(database, ["dORM"])
    shown = (
        rf"expected probabilities from 0 to 1, found 1 with others \('small/law/q1/0': {value}\)"
    )
    with pytest.raises(InputError, match=shown):
        reward_type(database, "dORM", None, None, needs_unit=True)


def test_an_infinite_reward_is_shown(write_tables: Any) -> None:
    written = write_tables({"law": {"q1": ("A", POOL)}}, ["dORM"])
    rewrite(written.rewards[0], {"rewards": [[0.5, float("nan"), float("inf")], [0.5]]})
    database, _ = open_inputs([str(written.solutions[0])], {"dORM": [str(written.rewards[0])]})
    with pytest.raises(InputError, match="expected finite rewards, or null, found 1 with others"):
        check_rewards(database, ["dORM"])


@pytest.mark.parametrize("column", ["dataset", "category", "question_id", "solution_id"])
@pytest.mark.parametrize("kind", ["solutions", "rewards"])
def test_a_row_without_a_key_is_named_with_its_file(
    write_tables: Any, kind: str, column: str
) -> None:
    written = write_tables({"law": {"q1": ("A", POOL)}}, ["dORM"])
    (path,) = getattr(written, kind)
    kept = pq.read_table(path)[column].to_pylist()[1]
    type_ = pa.int32() if column == "solution_id" else pa.string()
    rewrite(path, {column: [None, kept]}, {column: type_})
    database, _ = open_inputs([str(written.solutions[0])], {"dORM": [str(written.rewards[0])]})
    with pytest.raises(InputError, match=r"law.parquet: expected a key in every row, found 1") as e:
        check_solutions(database)
        check_rewards(database, ["dORM"])
    assert e.value.where == str(path)


def several(path: Path, *models: str) -> None:
    """Rewrite a table with the rewards of several models, each model's lower than the one's before."""
    table = pq.read_table(path).replace_schema_metadata(None)
    parts = []
    for number, model in enumerate(models):
        rows = [
            row | {"model": model, "rewards": [r / 2**number for r in row["rewards"]]}
            for row in table.to_pylist()
        ]
        parts.append(pa.Table.from_pylist(rows, schema=table.schema))
    pq.write_table(pa.concat_tables(parts), path)


def test_a_table_of_several_models(write_tables: Any, caplog: pytest.LogCaptureFixture) -> None:
    written = write_tables({"law": {"q1": ("A", POOL)}}, ["dORM"])
    solutions, path = [str(written.solutions[0])], str(written.rewards[0])
    several(written.rewards[0], "other", "mine")
    database, _ = open_inputs(solutions, {"mine": [path]})
    assert database.sql("SELECT model, rewards FROM rewards ORDER BY 2").fetchall() == [
        ("mine", [0.125]),
        ("mine", [0.25]),
    ]
    with pytest.raises(InputError, match=r"rewards of one model, or of dORM among .* 'mine', 'oth"):
        open_inputs(solutions, {"dORM": [path]})
    assert caplog.messages == []


def test_another_models_name_is_logged(write_tables: Any, caplog: pytest.LogCaptureFixture) -> None:
    written = write_tables({"law": {"q1": ("A", POOL)}}, ["dORM"])
    with caplog.at_level(logging.WARNING):
        open_inputs([str(written.solutions[0])], {"gORM": [str(written.rewards[0])]})
    assert caplog.messages == [
        f"{written.rewards[0]}: using the rewards of 'dORM' as those of 'gORM'"
    ]


def test_rows_in_multi_rms_layout_have_their_categorys_file(tmp_path: Path) -> None:
    pool = {"q_id": "q", "question": "?", "answer": "A", "cot_ids": [0], "cots": [["So."]]}
    for name in ("law", "math"):
        (tmp_path / f"{name}.json").write_text(json.dumps([pool | {"parsed_answers": ["A"]}]))
        rewards = [{"q_id": "q", "cot_ids": [0], "rewards": [[0.5]]}]
        (tmp_path / f"{name}_reward.json").write_text(json.dumps(rewards))
    database, files = open_inputs([str(tmp_path)], {"dORM": [str(tmp_path)]})
    for view, suffix in (("solutions", ""), ("rewards", "_reward")):
        found = database.sql(f"SELECT category, file FROM {view} ORDER BY ALL").fetchall()
        assert found == [(name, f"{tmp_path}/{name}{suffix}.json") for name in ("law", "math")]
    assert [file.name for file in files] == [
        *("law.json", "math.json", "law_reward.json", "math_reward.json"),
    ]


def test_a_folder_of_tables_of_another_kind(tmp_path: Path, write_tables: Any) -> None:
    written = write_tables({"law": {"q1": ("A", POOL)}}, ["dORM"])
    folder = str(written.rewards[0].parent)
    with pytest.raises(InputError, match=r"expected solutions, .*, found only tables of rewards"):
        open_inputs([folder], {})


@pytest.mark.parametrize("name", ["filename", "FILE_ROW_NUMBER"])
def test_columns_that_duckdb_adds_are_an_error_of_one_line(write_tables: Any, name: str) -> None:
    written = write_tables({"law": {"q1": ("A", POOL)}}, ["dORM"])
    path = written.solutions[0]
    table = pq.read_table(path).replace_schema_metadata(None)
    pq.write_table(table.append_column(name, pa.array(["x"] * len(table))), path)
    with pytest.raises(InputError, match=rf"{path.name}: .*DuckDB") as caught:
        open_inputs([str(path)], {})
    assert "\n" not in str(caught.value)


def test_a_flipped_bit_is_detected_in_every_column_read(write_tables: Any) -> None:
    written = write_tables({"law": {"q1": ("A", POOL)}}, ["dORM"])
    solutions, rewards = written.solutions[0], written.rewards[0]
    for path, schema in ((solutions, SOLUTIONS), (rewards, REWARDS)):
        intact = path.read_bytes()
        row_group = pq.read_metadata(path).row_group(0)
        for number, name in enumerate(schema.columns.names):
            column = row_group.column(number)
            content = bytearray(intact)
            start = column.dictionary_page_offset or column.data_page_offset
            content[start + column.total_compressed_size - 1] ^= 1
            path.write_bytes(content)
            if name in UNREAD:
                continue
            with pytest.raises(InputError, match=rf"{path.name}: expected a whole Parquet table"):
                open_inputs([str(solutions)], {"dORM": [str(rewards)]})
        path.write_bytes(intact)


COUNTS = ("n_tokens_read", "n_tokens_generated")


def make_earlier(path: Path, version: int, unit: str | None, module: str) -> None:
    """Make a table of two rewards one of a version of the schema, with token counts 7 and 9, the second truncated."""
    table = parquet.read(path, REWARDS)
    table = table.drop_columns([*COST_COLUMNS, "unit", "scale", "truncated"])
    table = table.append_column("truncated", pa.array([False, True]))
    if version > 1:
        table = table.append_column("unit", pa.array([unit] * 2, pa.string()))
        table = table.append_column("scale", pa.array(["probability"] * 2))
    if version < 3:
        table = table.append_column("n_tokens", pa.array([7, 9], pa.int32()))
    else:
        for name in COUNTS:
            table = table.append_column(name, pa.array([7, 9], pa.int32()))
        table = table.append_column("flops", pa.nulls(2, pa.float64()))
    older = replace(REWARDS, version=version, columns=table.schema, check_row=lambda row: None)
    parquet.write(path, older, table, replace(made_of(), code={module: "0" * 64}))


@pytest.mark.parametrize(
    ("version", "unit", "module", "n_read", "n_generated"),
    [
        (3, "step", "multirm.scoring.discriminative", (7, 9), (7, 9)),
        (2, "step", "multirm.scoring.discriminative", (7, 0), (0, 0)),
        (2, "critique", "multirm.scoring.generative", (None, None), (7, 9)),
        (2, "solution", "multirm.data.read", (None, None), (None, None)),
        (2, None, "multirm.scoring.generative", (None, None), (None, None)),
        (1, "step", "multirm.scoring.discriminative", (7, 0), (0, 0)),
        (1, "critique", "multirm.scoring.generative", (None, None), (7, 9)),
        (1, None, "multirm.data.read", (None, None), (None, None)),
    ],
)
def test_earlier_rewards_mean_the_same_to_all_readers(
    write_tables: Any,
    version: int,
    unit: str | None,
    module: str,
    n_read: tuple[int | None, ...],
    n_generated: tuple[int | None, ...],
) -> None:
    written = write_tables({"law": {"q1": ("A", POOL)}}, ["dORM"])
    (path,) = written.rewards
    make_earlier(path, version, unit, module)
    scale = None if (version, unit) == (1, None) else "probability"
    expected = [
        (*pair, None, unit, scale, reward)
        for pair, reward in zip(zip(n_read, n_generated, strict=True), ([0.5], [0.25]), strict=True)
    ]
    names = [*COST_COLUMNS, "unit", "scale", "rewards"]
    rows = parquet.read(path, REWARDS).select(names).to_pylist()
    assert [tuple(row.values()) for row in rows] == expected
    database, _ = open_inputs([str(each) for each in written.solutions], {"dORM": [str(path)]})
    query = f"SELECT {', '.join(names)} FROM rewards ORDER BY solution_id"
    assert database.sql(query).fetchall() == expected
    assert database.sql("SELECT DISTINCT file FROM rewards").fetchall() == [(str(path),)]


def test_tables_of_several_versions_are_one_model_s_rewards(write_tables: Any) -> None:
    pools = {"law": {"q1": ("A", POOL)}, "math": {"q2": ("A", POOL)}}
    written = write_tables(pools, ["dORM"])
    law, math = written.rewards
    make_earlier(law, 1, None, "multirm.scoring.discriminative")
    # Another model's table beside it, as in a folder of several models.
    other = math.with_name("other.parquet")
    rows = [{**row, "model": "other"} for row in parquet.read(math, REWARDS).to_pylist()]
    parquet.write(other, REWARDS, rows, made_of())
    solutions = [str(each) for each in written.solutions]
    database, _ = open_inputs(solutions, {"dORM": [str(law), str(math), str(other)]})
    found = database.sql(
        "SELECT file, count(*), any_value(unit) FROM rewards GROUP BY 1 ORDER BY 1"
    )
    assert found.fetchall() == [(str(law), 2, "step"), (str(math), 2, "step")]
