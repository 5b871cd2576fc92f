"""Counts of critiques, against plain loops over random tables."""

import json
from pathlib import Path
from statistics import median
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multirm.critiques.check import check_critiques, counts
from multirm.errors import InputError
from multirm.tables import parquet
from multirm.tables.critiques import CRITIQUE_CHECKS, CRITIQUES, Deviation, DropReason
from multirm.tables.reward_models import Kind
from tests.origins import made_of

REASONS = [None, *map(str, DropReason)]


def row(number: int, reason: str | None, **columns: Any) -> dict[str, Any]:
    return {
        "dataset": "data",
        "category": "law",
        "question_id": "q",
        "solution_id": 0,
        "critique_id": number,
        "critique": "Fine.",
        "verdict": 1,
        "step_verdicts": None,
        "n_tokens_read": None,
        "n_tokens_generated": None,
        "truncated": False,
        "kept": reason is None,
        "reason": reason,
        "deviations": [],
    } | columns


ROWS = st.lists(
    st.tuples(
        st.sampled_from(REASONS),
        st.fixed_dictionaries(
            {
                "solution_id": st.integers(0, 3),
                "verdict": st.sampled_from([0, 1, None]),
                "n_tokens_read": st.none() | st.integers(1, 9),
                "n_tokens_generated": st.none() | st.integers(1, 99),
                "critique": st.text(max_size=9),
                "truncated": st.booleans(),
                "deviations": st.none() | st.lists(st.sampled_from(list(map(str, Deviation)))),
            }
        ),
    ),
    max_size=12,
).map(lambda drawn: [row(k, reason, **columns) for k, (reason, columns) in enumerate(drawn)])


@settings(deadline=None)
@given(ROWS)
def test_counts(rows: list[dict[str, Any]]) -> None:
    found = counts(rows)
    kept = [r for r in rows if r["reason"] is None]
    assert (
        found["n_critiques"]
        == len(rows)
        == found["n_kept"] + sum(found[f"n_{reason}"] for reason in REASONS[1:])
    )
    assert found["n_kept"] == len(kept)
    for n, verdict in (("yes", 1), ("no", 0)):
        assert found[f"n_kept_{n}"] == len([r for r in kept if r["verdict"] == verdict])
        assert found[f"n_disagreeing_{n}"] == len(
            [r for r in rows if (r["reason"], r["verdict"]) == ("label_disagrees", verdict)]
        )
    assert found["n_truncated"] == len([r for r in rows if r["truncated"]])
    assert found["n_solutions"] == len({r["solution_id"] for r in rows})
    assert found["n_kept_solutions"] == len({r["solution_id"] for r in kept})
    for deviation in Deviation:
        times = [(r["deviations"] or []).count(deviation) for r in rows]
        assert found[f"n_{deviation}"] == sum(times)
    lengths = [len(r["critique"]) for r in kept]
    assert found["median_characters"] == (median(lengths) if lengths else None)
    assert found["max_characters"] == (max(lengths) if lengths else None)
    pairs = [(r["n_tokens_read"], r["n_tokens_generated"]) for r in kept]
    counted = [read + generated for read, generated in pairs if read and generated]
    assert found["median_tokens"] == (median(counted) if counted else None)
    assert found["max_tokens"] == (max(counted) if counted else None)


def test_agreement_is_among_critiques_compared_with_labels() -> None:
    reasons = [None, "unbalanced", "duplicate", "label_disagrees", "unparsable", "unlabelled"]
    found = counts([row(k, reason) for k, reason in enumerate(reasons)])
    assert found["agreement"] == 3 / 4
    assert counts([row(0, "unparsable")])["agreement"] is None


def test_one_row_per_category(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    paths = [tmp_path / "law.parquet", tmp_path / "math.parquet"]
    made_by = {"kind": "gORM", "stage": "shortened"}
    for path, reason in zip(paths, (None, "too_long"), strict=True):
        parquet.write(
            path,
            CRITIQUES,
            [row(0, reason, category=path.stem), row(1, "label_disagrees", category=path.stem)],
            made_of(made_by),
        )
    with caplog.at_level("INFO"):
        check_critiques(Kind.GORM, paths, tmp_path / "checks.parquet")
    rows = parquet.read(tmp_path / "checks.parquet", CRITIQUE_CHECKS).to_pylist()
    assert [(r["category"], r["kind"], r["n_kept"], r["n_too_long"]) for r in rows] == [
        ("law", "gORM", 1, 0),
        ("math", "gORM", 0, 1),
    ]
    assert [r["agreement"] for r in rows] == [0.5, 0.5]
    assert (
        "math: 0 of 2 critiques kept, 0 Yes and 0 No, of 0 solutions of 1; "
        "50.0 % of verdicts as labelled; not kept: 1 label_disagrees, 1 too_long"
    ) in caplog.text


@pytest.mark.parametrize("version", [1, 2])
def test_earlier_critiques_were_counted_with_their_prompts(tmp_path: Path, version: int) -> None:
    made_by = {"kind": "gORM", "stage": "filtered"}
    path, other = tmp_path / "law.parquet", tmp_path / "math.parquet"
    parquet.write(path, CRITIQUES, [row(0, None), row(1, None)], made_of(made_by))
    columns = {"n_tokens_read": 1, "n_tokens_generated": 2, "solution_id": 1}
    parquet.write(other, CRITIQUES, [row(0, None, **columns)], made_of(made_by))
    table = pq.read_table(path).drop_columns(["n_tokens_read", "n_tokens_generated"])
    table = table.append_column("n_tokens", pa.array([20, 31], pa.int32()))
    # Version 2 has no count of prompts that version 1 did not count.
    table = table.append_column("n_prompt_tokens", pa.array([None] * 2, pa.int32()))
    if version == 1:
        table = table.drop_columns(["deviations", "n_prompt_tokens"])
    footer = json.loads(table.schema.metadata[parquet.FOOTER_KEY]) | {"schema_version": version}
    metadata = {parquet.FOOTER_KEY: json.dumps(footer).encode()}
    pq.write_table(table.replace_schema_metadata(metadata), path)
    check_critiques(Kind.GORM, [path, other], tmp_path / "checks.parquet")
    (found,) = parquet.read(tmp_path / "checks.parquet", CRITIQUE_CHECKS).to_pylist()
    assert (found["median_tokens"], found["max_tokens"]) == (20, 31)


def test_unfiltered_critiques_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.parquet"
    parquet.write(path, CRITIQUES, [row(0, None)], made_of({"kind": "gORM", "stage": "generated"}))
    with pytest.raises(InputError, match="gORM critiques, filtered or shortened, found gORM, gen"):
        check_critiques(Kind.GORM, [path], tmp_path / "checks.parquet")
    with pytest.raises(InputError, match="expected gORM or gPRM"):
        check_critiques(Kind.DPRM, [path], tmp_path / "checks.parquet")
