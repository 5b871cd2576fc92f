"""Counts of replies to requests for new steps: by type, by position, and by reason."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multirm.report.augmentation_counts import (
    count,
    part_of,
    sheets,
    tabulate_augmentation_counts,
)
from multirm.tables import parquet
from multirm.tables.augmentations import (
    AUGMENTATION_COUNTS,
    AUGMENTATIONS,
    N_PARTS,
    AugmentationReason,
    ErrorType,
)
from tests.origins import made_of


def reply(number: int, **columns: Any) -> dict[str, Any]:
    is_rejected = columns.get("reason") is not None
    return {
        "dataset": "d",
        "category": "law",
        "question_id": f"q{number // 2}",
        "solution_id": 0,
        "request": number % 2,
        "kind": "counterfactual",
        "n_steps": 5,
        "asked_type": "factual",
        "error_type": "factual",
        "step": 1,
        "text": "It is 7.",
        "explanation": None,
        "reply": "…",
        "reason": None,
        "variant_dataset": "wrong",
        "variant_id": None if is_rejected else number,
        "n_tokens_read": 3,
        "n_tokens_generated": 2,
        **columns,
    }


REPLIES = [
    reply(0),
    reply(1, step=4, asked_type="contextual"),
    reply(2, reason="no_number", step=None, error_type=None, text=None),
    reply(3, category="math", step=0, error_type="calculation", asked_type="calculation"),
]


def test_positions_are_those_of_the_middle_of_steps() -> None:
    assert [part_of(step, 5) for step in range(5)] == [0, 1, 2, 3, 4]
    assert [part_of(step, 10) for step in range(10)] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert part_of(0, 1) == 2
    assert [part_of(step, 2) for step in range(2)] == [1, 3]


@given(st.integers(1, 40), st.data())
def test_parts_are_symmetric(n_steps: int, data: st.DataObject) -> None:
    step = data.draw(st.integers(0, n_steps - 1))
    middle = (step + 0.5) / n_steps
    part = part_of(step, n_steps)
    assert part <= middle * N_PARTS + 1e-9 < part + 1 + 1e-6


def test_requests_are_counted_by_the_type_asked_for_and_variants_by_their_own() -> None:
    rows = {(row["category"], row["error_type"]): row for row in count(REPLIES)}
    assert list(rows) == [
        *((None, each) for each in (None, "factual", "contextual", "calculation")),
        *(("law", each) for each in (None, "factual", "contextual")),
        *(("math", each) for each in (None, "calculation")),
    ]
    whole, factual, contextual = rows[None, None], rows[None, "factual"], rows[None, "contextual"]
    assert (whole["n_requests"], whole["n_solutions"], whole["n_accepted"]) == (4, 3, 3)
    assert (whole["n_no_number"], whole["n_other_type"]) == (1, 1)
    assert whole["n_by_part"] == [1, 1, 0, 0, 1]
    assert (factual["n_requests"], factual["n_accepted"], factual["n_other_type"]) == (2, 2, 1)
    assert factual["n_by_part"] == [0, 1, 0, 0, 1]
    assert (contextual["n_requests"], contextual["n_accepted"]) == (1, 0)


KINDS = st.sampled_from(ErrorType)


@given(
    st.lists(
        st.tuples(KINDS, KINDS, st.integers(0, 4), st.none() | st.sampled_from(AugmentationReason))
    )
)
def test_every_request_is_accounted_for(
    drawn: list[tuple[ErrorType, ErrorType, int, AugmentationReason | None]],
) -> None:
    replies = [
        reply(k, asked_type=asked, error_type=given, step=step, reason=reason)
        for k, (asked, given, step, reason) in enumerate(drawn)
    ]
    rows = [row for row in count(replies) if row["category"] is None]
    by_type = [row for row in rows if row["error_type"]]
    for name in ("n_requests", "n_accepted", "n_other_type", "n_unchanged"):
        assert sum(row[name] for row in by_type) == sum(row[name] for row in rows) / 2
    for row in rows[:1]:
        rejected = sum(row[f"n_{reason}"] for reason in AugmentationReason)
        assert row["n_requests"] == rejected + row["n_accepted"] == len(drawn)
        assert sum(row["n_by_part"]) == row["n_accepted"]
        assert row["n_by_part"] == [
            Counter(step for _, _, step, reason in drawn if reason is None)[part]
            for part in range(N_PARTS)
        ]


def test_datasets_from_the_same_solutions_are_told_apart(tmp_path: Path) -> None:
    rewritten = [
        {
            **row,
            "kind": "rewrite",
            "variant_dataset": "same",
            "asked_type": None,
            "error_type": None,
        }
        for row in REPLIES
    ]
    tables = [tmp_path / "wrong.parquet", tmp_path / "same.parquet"]
    for table, rows in zip(tables, (REPLIES, rewritten), strict=True):
        parquet.write(table, AUGMENTATIONS, rows, made_of())
    outputs = [tmp_path / f"labels.{suffix}" for suffix in ("parquet", "md", "tex", "csv")]
    tabulate_augmentation_counts(tables, outputs)
    found = parquet.read(outputs[0], AUGMENTATION_COUNTS).to_pylist()
    assert {(row["dataset"], row["kind"]) for row in found} == {
        *(("wrong", "counterfactual"), ("same", "rewrite"))
    }
    assert {row["error_type"] for row in found if row["dataset"] == "same"} == {None}
    text = outputs[1].read_text()
    assert "Wrong steps in variants of wrong, by type of error" in text
    assert "Rewritten steps in variants of same" in text
    assert "1 name another one" in text


def test_only_reasons_that_occur_have_columns() -> None:
    by_category, by_type = sheets(list(count(REPLIES)))
    assert by_category.header == [
        *("category", "requests", "no number", "accepted"),
        *("0–20 %", "20–40 %", "40–60 %", "60–80 %", "80–100 %"),
    ]
    assert by_category.rows[0] == ["all", "4", "1", "3", "1", "1", "0", "0", "1"]
    assert [row[0] for row in by_type.rows] == ["factual", "contextual", "calculation"]


@pytest.mark.parametrize(
    ("column", "value", "complaint"),
    [
        ("reason", "bad", "a reason, such as unchanged"),
        ("asked_type", "bad", "a known asked_type"),
        ("variant_id", None, "either the id of a variant or the reason"),
        ("text", None, "an accepted reply with a step and its text"),
    ],
)
def test_rows_that_contradict_themselves_are_refused(
    tmp_path: Path, column: str, value: object, complaint: str
) -> None:
    with pytest.raises(Exception, match=complaint):
        parquet.write(
            tmp_path / "t.parquet", AUGMENTATIONS, [reply(0) | {column: value}], made_of()
        )
