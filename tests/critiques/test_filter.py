"""Every reason to leave a critique out, by a critique made for it; and the law of balance."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multirm import tables
from multirm.critiques.filter import (
    disagreeing,
    drop_reasons,
    filter_critiques,
    malformed,
    repeated,
    surplus,
)
from multirm.errors import InputError
from multirm.prompts import parse_step_verdicts, parse_verdict
from multirm.vocabulary import DropReason, Kind
from tests.origins import made_of

YES = " Fine.\n</think>\nVerification: Is the answer correct (Yes/No)? Yes"
NO = " Wrong.\n</think>\nVerification: Is the answer correct (Yes/No)? No"


def steps_text(*verdicts: int, verdict: str) -> str:
    words = {1: "correct", 0: "incorrect"}
    lines = [f"\nStep {k}: The step is \\boxed{{{words[v]}}}" for k, v in enumerate(verdicts, 1)]
    return f"{''.join(lines)}\n</think>\nIs the solution correct? {verdict}"


def solution(
    number: int = 0, outcome: int | None = 1, labels: list[int] | None = None, category: str = "law"
) -> dict[str, Any]:
    return {
        "dataset": "data",
        "category": category,
        "question_id": "q",
        "solution_id": number,
        "question": "What is 1 + 1?",
        "answer": "2",
        "steps": ["One and one.", "It is 2.", "So 2."],
        "parsed_answer": "2",
        "outcome": outcome,
        "step_labels": labels,
    }


def critique(
    text: str, kind: Kind = Kind.GORM, number: int = 0, of: int = 0, category: str = "law"
) -> dict[str, Any]:
    return {
        "dataset": "data",
        "category": category,
        "question_id": "q",
        "solution_id": of,
        "critique_id": number,
        "critique": text,
        "verdict": parse_verdict(kind, text),
        "step_verdicts": parse_step_verdicts(text) if kind is Kind.GPRM else None,
        "n_tokens": None,
        "truncated": False,
        "kept": True,
        "reason": None,
    }


@pytest.mark.parametrize(
    ("kind", "text", "reason"),
    [
        (Kind.GORM, YES, None),
        (Kind.GORM, " Fine, fine, fine", DropReason.NO_END_OF_THINKING),
        (Kind.GORM, YES.replace("Fine", "正确"), DropReason.CHINESE_CHARACTERS),
        (Kind.GORM, YES.replace(" Fine.", ""), DropReason.NO_STEPS),
        (Kind.GORM, YES.replace("Yes", "Maybe"), DropReason.UNPARSABLE),
        (Kind.GPRM, steps_text(1, 1, 1, verdict="Yes"), None),
        (Kind.GPRM, " Fine.\n</think>\nIs the solution correct? Yes", DropReason.NO_STEPS),
        (Kind.GPRM, steps_text(1, 0, verdict="Perhaps"), DropReason.UNPARSABLE),
        (
            Kind.GPRM,
            steps_text(1, 0, verdict="No").replace("Step 2", "Step 3"),
            DropReason.UNPARSABLE,
        ),
    ],
)
def test_form(kind: Kind, text: str, reason: DropReason | None) -> None:
    assert malformed(kind, critique(text, kind)) is reason


@pytest.mark.parametrize(
    ("kind", "text", "outcome", "labels", "reason"),
    [
        (Kind.GORM, YES, 1, [1, 0, 1], None),
        (Kind.GORM, NO, 1, [1, 1, 1], DropReason.LABEL_DISAGREES),
        (Kind.GORM, YES, None, [1, 1, 1], DropReason.UNLABELLED),
        (Kind.GPRM, steps_text(1, 1, 1, verdict="Yes"), 0, [1, 1, 1], None),
        (Kind.GPRM, steps_text(1, 0, verdict="No"), 1, [1, 0, 1], None),
        (Kind.GPRM, steps_text(1, 0, verdict="No"), 1, [1, 1, 1], DropReason.LABEL_DISAGREES),
        (Kind.GPRM, steps_text(1, 1, verdict="Yes"), 1, [1, 1, 1], DropReason.LABEL_DISAGREES),
        (Kind.GPRM, steps_text(1, 0, verdict="Yes"), 1, [1, 0, 0], DropReason.LABEL_DISAGREES),
        (Kind.GPRM, steps_text(1, 0, 0, verdict="No"), 1, [1, 0, 0], DropReason.LABEL_DISAGREES),
        (Kind.GPRM, steps_text(1, 0, verdict="No"), 1, None, DropReason.UNLABELLED),
    ],
)
def test_agreement(
    kind: Kind, text: str, outcome: int | None, labels: list[int] | None, reason: DropReason | None
) -> None:
    found = disagreeing(kind, critique(text, kind), solution(outcome=outcome, labels=labels))
    assert found is reason


def test_repeated_are_all_but_the_first_of_a_solution() -> None:
    rows = [
        critique(YES, number=2),
        critique(YES, number=0),
        critique(NO, number=1),
        critique(YES, of=1),
    ]
    assert repeated(rows) == [0]


CRITIQUES = st.lists(
    st.tuples(st.sampled_from(["law", "math", "other"]), st.sampled_from([YES, NO])), max_size=40
).map(lambda drawn: [critique(text, number=n, category=c) for n, (c, text) in enumerate(drawn)])


@given(CRITIQUES, st.randoms())
def test_balance(rows: list[dict[str, Any]], random: Any) -> None:
    dropped = set(surplus(rows, seed=1))
    before = Counter((row["category"], row["verdict"]) for row in rows)
    after = Counter(
        (row["category"], row["verdict"]) for k, row in enumerate(rows) if k not in dropped
    )
    for category in ("law", "math", "other"):
        smaller = min(before[category, 0], before[category, 1])
        assert after[category, 0] == after[category, 1] == smaller
    shuffled = random.sample(rows, len(rows))
    dropped_again = {shuffled[place]["critique_id"] for place in surplus(shuffled, seed=1)}
    assert dropped_again == {rows[place]["critique_id"] for place in dropped}


def test_reasons_are_tried_in_order_and_only_what_is_left_is_balanced() -> None:
    right, wrong = solution(0, outcome=1), solution(1, outcome=0)
    pairs = [
        (critique(YES, number=0), right),
        (critique(YES, number=1), right),
        (critique(YES + " indeed", number=2), right),
        (critique(YES + " and so on", number=3), right),
        (critique(NO, of=1, number=0), wrong),
        (critique(YES, of=1, number=1), wrong),
        (critique("...", of=1, number=2), wrong),
    ]
    pairs[3][0]["n_tokens"] = 100
    reasons = drop_reasons(Kind.GORM, pairs, max_length=99, seed=0)
    assert reasons[1] is DropReason.DUPLICATE
    assert reasons[3:] == [
        DropReason.TOO_LONG,
        None,
        DropReason.LABEL_DISAGREES,
        DropReason.NO_END_OF_THINKING,
    ]
    assert {reasons[0], reasons[2]} == {None, DropReason.UNBALANCED}


GENERATED = {"kind": "gORM", "stage": "generated"}


def filtered(
    tmp_path: Path,
    critiques: list[dict[str, Any]],
    max_length: int = 400,
    made_by: dict[str, Any] = GENERATED,
) -> list[dict[str, Any]]:
    solutions = [solution(0, 1), solution(1, 0), solution(2, 1, category="math")]
    tables.write(tmp_path / "s.parquet", tables.SOLUTIONS, solutions, made_of())
    path = tmp_path / "c.parquet"
    tables.write(path, tables.CRITIQUES, critiques, made_of(made_by))
    filter_critiques(
        Kind.GORM,
        path,
        tmp_path / "s.parquet",
        tmp_path / "f.parquet",
        max_length,
        seed=0,
    )
    return tables.read(tmp_path / "f.parquet", tables.CRITIQUES).to_pylist()


def test_no_row_is_lost_and_a_one_sided_category_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    critiques = [
        critique(YES),
        critique(NO, of=1),
        critique("?", of=1, number=1),
        critique(YES, of=2, category="math"),
    ]
    rows = filtered(tmp_path, critiques, max_length=1000)
    assert [row["reason"] for row in rows] == [None, None, "no_end_of_thinking", "unbalanced"]
    assert [row["kept"] for row in rows] == [True, True, False, False]
    assert [{**row, "kept": True, "reason": None} for row in rows] == critiques
    assert "math: no critique is kept; 1 Yes and 0 No were left" in caplog.text


def test_prompt_and_critique_together_may_be_too_long(tmp_path: Path) -> None:
    long, short = critique(YES), critique(NO, of=1)
    long["n_tokens"], short["n_tokens"] = 21, 20
    rows = filtered(tmp_path, [long, short], max_length=20)
    assert [row["reason"] for row in rows] == ["too_long", "unbalanced"]


def test_a_critique_of_an_unknown_solution_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"c\.parquet, row 2: .*solution_id 77"):
        filtered(tmp_path, [critique(YES), critique(YES, of=77)])


@pytest.mark.parametrize(
    ("made_by", "found"),
    [
        (GENERATED | {"kind": "gPRM"}, "found gPRM, generated"),
        (GENERATED | {"stage": "filtered"}, "found gORM, filtered"),
        ({}, "found some of no known kind, of no known stage"),
    ],
)
def test_other_critiques_are_refused(tmp_path: Path, made_by: dict[str, Any], found: str) -> None:
    with pytest.raises(InputError, match=rf"c\.parquet: expected gORM critiques, gen.*{found}"):
        filtered(tmp_path, [critique(YES)], made_by=made_by)
    assert not (tmp_path / "f.parquet").exists()


def test_the_table_says_that_it_is_filtered(tmp_path: Path) -> None:
    filtered(tmp_path, [critique(YES)])
    parameters = tables.read_footer(tmp_path / "f.parquet").parameters
    assert (parameters["kind"], parameters["stage"]) == ("gORM", "filtered")


def test_discriminative_kinds_have_no_critiques(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected gORM or gPRM, found dPRM"):
        filter_critiques(Kind.DPRM, tmp_path, tmp_path, tmp_path, 1, 1)
