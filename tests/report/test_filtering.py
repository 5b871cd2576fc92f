"""Filtering by reason: totals, and columns of the reasons that occur."""

from pathlib import Path
from typing import Any

import pytest

from multirm.critiques.check import counts
from multirm.errors import InputError
from multirm.report.filtering import sheets, tabulate_filtering, with_totals
from multirm.tables import parquet
from multirm.tables.critiques import CRITIQUE_CHECKS, FILTERING
from tests.origins import made_of


def critique(k: int, reason: str | None, verdict: int | None = 1) -> dict[str, Any]:
    return {
        "dataset": "d",
        "category": "law",
        "question_id": str(k),
        "solution_id": 0,
        "critique_id": 0,
        "critique": "c",
        "verdict": verdict,
        "truncated": False,
        "n_tokens_read": None,
        "n_tokens_generated": None,
        "kept": reason is None,
        "reason": reason,
        "deviations": None,
    }


def check(category: str, *critiques: dict[str, Any]) -> dict[str, Any]:
    return {"dataset": "d", "category": category, "kind": "gORM", **counts(critiques)}


CHECKS = [
    check("law", critique(0, None), critique(1, "duplicate"), critique(2, None, verdict=0)),
    check("math", critique(0, "too_long"), critique(1, "duplicate")),
]


def test_the_total_comes_first() -> None:
    total, law, math = with_totals("set", CHECKS)
    assert [row["category"] for row in (total, law, math)] == [None, "law", "math"]
    for column in ("n_critiques", "n_duplicate", "n_too_long", "n_kept", "n_kept_yes", "n_kept_no"):
        assert total[column] == law[column] + math[column]
    assert (total["n_critiques"], total["n_kept"], total["n_duplicate"]) == (5, 2, 2)


def test_only_reasons_that_occur_have_columns_and_all_critiques_are_accounted_for() -> None:
    (sheet,) = sheets(with_totals("set", CHECKS))
    assert sheet.header == [
        *("category", "generated", "too long", "duplicate"),
        *("kept", "of them Yes", "of them No"),
    ]
    for _, generated, *rest, _, _ in sheet.rows:
        assert int(generated) == sum(map(int, rest))


def test_sets_are_named(tmp_path: Path) -> None:
    path = tmp_path / "checks.parquet"
    parquet.write(path, CRITIQUE_CHECKS, CHECKS, made_of())
    output = [tmp_path / f"t.{suffix}" for suffix in ("parquet", "md")]
    tabulate_filtering([f"one={path}", f"two={path}"], output)
    names = parquet.read(output[0], FILTERING)["critiques"].to_pylist()
    assert names == ["one"] * 3 + ["two"] * 3
    assert output[1].read_text().count("**gORM critiques of ") == 2
    with pytest.raises(InputError, match="expected SET=PATH"):
        tabulate_filtering([str(path)], output)
