"""Each reason to drop a critique, on a critique made for it; and the law of balancing."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multirm.critiques.filter import filter_critiques, filtered, repeated, surplus
from multirm.errors import InputError
from multirm.tables import parquet
from multirm.tables.critiques import CRITIQUES, Agreement, DropReason
from multirm.tables.reward_models import Kind
from multirm.tables.solutions import SOLUTIONS
from multirm.text.verdicts import read_critique
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


def critique(text: str, number: int = 0, of: int = 0, category: str = "law") -> dict[str, Any]:
    return {
        "dataset": "data",
        "category": category,
        "question_id": "q",
        "solution_id": of,
        "critique_id": number,
        "critique": text,
        "verdict": None,
        "step_verdicts": None,
        "n_tokens_read": None,
        "n_tokens_generated": None,
        "truncated": False,
        "kept": True,
        "reason": None,
        "deviations": None,
    }


def reason_for(
    kind: Kind,
    text: str,
    outcome: int | None = 1,
    labels: list[int] | None = None,
    agreement: Agreement = Agreement.STRICT,
    **columns: Any,
) -> DropReason | None:
    """The reason to drop a critique judged by itself, or None."""
    row = critique(text) | columns
    (marked,) = filtered(kind, [(row, solution(outcome=outcome, labels=labels))], 99, 0, agreement)
    assert marked["kept"] == (marked["reason"] is None)
    if not marked["kept"]:
        assert marked["critique"] == text
    return None if marked["reason"] is DropReason.UNBALANCED else marked["reason"]


@pytest.mark.parametrize(
    ("kind", "text", "reason"),
    [
        (Kind.GORM, YES, None),
        (Kind.GORM, " Fine, fine, fine", DropReason.NO_END_OF_THINKING),
        (Kind.GORM, YES.replace("Fine", "正确"), DropReason.CHINESE_CHARACTERS),
        (Kind.GORM, YES + "\n正确", None),
        (Kind.GORM, YES.replace(" Fine.", ""), DropReason.NO_STEPS),
        (Kind.GORM, YES.replace("Yes", "Maybe"), DropReason.UNPARSABLE),
        (Kind.GORM, YES.replace("Yes", "Yesterday"), DropReason.UNPARSABLE),
        (Kind.GORM, YES.replace("? Yes", "? **yes**"), None),
        (Kind.GORM, YES.replace("Fine", YES.split("\n")[-1]), None),
        (Kind.GPRM, steps_text(1, 1, 1, verdict="Yes"), None),
        (Kind.GPRM, steps_text(1, 1, 1, verdict="Yes") + " 正确", None),
        (Kind.GPRM, " Fine.\n</think>\nIs the solution correct? Yes", DropReason.NO_STEPS),
        (Kind.GPRM, steps_text(1, 1, 1, verdict="Perhaps"), DropReason.UNPARSABLE),
        (
            Kind.GPRM,
            steps_text(1, 1, 1, verdict="Yes").replace("Step 2", "Step 4"),
            DropReason.UNPARSABLE,
        ),
    ],
)
def test_form(kind: Kind, text: str, reason: DropReason | None) -> None:
    assert reason_for(kind, text, labels=[1, 1, 1]) is reason


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
    assert reason_for(kind, text, outcome, labels) is reason


@pytest.mark.parametrize(
    ("verdicts", "word", "outcome", "reason"),
    [
        ([0], "No", 0, None),
        ([1, 0], "No", 0, None),
        ([1, 1, 0], "No", 0, None),
        ([1, 1, 1], "Yes", 1, None),
        ([1, 0], "No", 1, DropReason.LABEL_DISAGREES),
        ([1, 1, 1], "Yes", 0, DropReason.LABEL_DISAGREES),
        ([1, 1, 1], "Yes", None, DropReason.UNLABELLED),
        # Refused as before: too few steps, steps after the first error, steps that do not exist.
        ([1, 1], "Yes", 1, DropReason.LABEL_DISAGREES),
        ([1, 0, 0], "No", 0, DropReason.LABEL_DISAGREES),
        ([1, 1, 1, 0], "No", 0, DropReason.LABEL_DISAGREES),
        ([1, 0], "Yes", 0, DropReason.LABEL_DISAGREES),
    ],
)
def test_relaxed_agreement_is_about_the_outcome(
    verdicts: list[int], word: str, outcome: int | None, reason: DropReason | None
) -> None:
    text = steps_text(*verdicts, verdict=word)
    assert reason_for(Kind.GPRM, text, outcome, [1, 0, 1], Agreement.RELAXED) is reason
    assert reason_for(Kind.GPRM, text, outcome, None, Agreement.RELAXED) is reason


def test_relaxed_agreement_changes_nothing_for_gorm() -> None:
    assert reason_for(Kind.GORM, YES, 1, None, Agreement.RELAXED) is None
    assert reason_for(Kind.GORM, NO, 1, None, Agreement.RELAXED) is DropReason.LABEL_DISAGREES


@pytest.mark.parametrize("kept", [YES, steps_text(1, 1, 1, verdict="Yes")])
def test_kept_critiques_end_with_the_verdict(kept: str) -> None:
    kind = Kind.GORM if kept is YES else Kind.GPRM
    no, wrong = (
        (NO, solution(1, 0)) if kept is YES else (steps_text(0, verdict="No"), solution(1, 0, [0]))
    )
    pairs = [
        (critique(f"{kept}\n正确 and so on."), solution(0, 1, [1, 1, 1])),
        (critique(no, of=1), wrong),
    ]
    first, second = filtered(kind, pairs, 99, 0, Agreement.STRICT)
    assert (first["critique"], first["kept"]) == (kept, True)
    assert first["deviations"] == ["text_after"]
    assert (second["critique"], second["kept"], second["deviations"]) == (no, True, [])


def test_text_after_the_verdict_does_not_count_as_length() -> None:
    long = YES + "." * len(YES)
    for text, n_generated, reason in (
        (long, 180, None),
        (long, 181, DropReason.TOO_LONG),
        (YES, 90, None),
        (YES, 91, DropReason.TOO_LONG),
    ):
        counted = {"n_tokens_read": 9, "n_tokens_generated": n_generated}
        assert reason_for(Kind.GORM, text, **counted) is reason
    # What was not counted is not too long.
    assert reason_for(Kind.GORM, YES, n_tokens_generated=100) is None


def test_all_but_the_first_duplicate_of_a_solution_are_repeated() -> None:
    rows = [
        critique(YES, number=2),
        critique(YES, number=0),
        critique(NO, number=1),
        critique(YES, of=1),
    ]
    assert repeated(rows) == [0]


DRAWN_CRITIQUES = st.lists(
    st.tuples(st.sampled_from(["law", "math", "other"]), st.sampled_from([YES, NO])), max_size=40
).map(lambda drawn: [critique(text, number=n, category=c) for n, (c, text) in enumerate(drawn)])


@given(DRAWN_CRITIQUES, st.randoms())
def test_balance(rows: list[dict[str, Any]], random: Any) -> None:
    rows = [row | {"verdict": read_critique(Kind.GORM, row["critique"]).verdict} for row in rows]
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


def test_reasons_are_checked_in_order_and_only_the_rest_is_balanced() -> None:
    right, wrong = solution(0, outcome=1), solution(1, outcome=0)
    pairs = [
        (critique(YES, number=0), right),
        (critique(YES, number=1), right),
        (critique(f" Indeed.{YES}", number=2), right),
        (critique(f" And so on.{YES}", number=3), right),
        (critique(NO, of=1, number=0), wrong),
        (critique(YES, of=1, number=1), wrong),
        (critique("...", of=1, number=2), wrong),
    ]
    pairs[3][0].update(n_tokens_read=20, n_tokens_generated=80)
    marked = filtered(Kind.GORM, pairs, 99, 0, Agreement.STRICT)
    reasons = [row["reason"] for row in marked]
    assert reasons[1] is DropReason.DUPLICATE
    assert reasons[3:] == [
        DropReason.TOO_LONG,
        None,
        DropReason.LABEL_DISAGREES,
        DropReason.NO_END_OF_THINKING,
    ]
    assert {reasons[0], reasons[2]} == {None, DropReason.UNBALANCED}


GENERATED = {"kind": "gORM", "stage": "generated"}


def written(
    tmp_path: Path,
    critiques: list[dict[str, Any]],
    max_length: int = 400,
    made_by: dict[str, Any] = GENERATED,
) -> list[dict[str, Any]]:
    solutions = [solution(0, 1), solution(1, 0), solution(2, 1, category="math")]
    parquet.write(tmp_path / "s.parquet", SOLUTIONS, solutions, made_of())
    path = tmp_path / "c.parquet"
    parquet.write(path, CRITIQUES, critiques, made_of(made_by))
    filter_critiques(
        Kind.GORM,
        path,
        tmp_path / "s.parquet",
        tmp_path / "f.parquet",
        max_length,
        seed=0,
    )
    return parquet.read(tmp_path / "f.parquet", CRITIQUES).to_pylist()


def test_no_row_is_lost_and_a_one_sided_category_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    critiques = [
        critique(YES),
        critique(NO, of=1),
        critique("?", of=1, number=1),
        critique(YES, of=2, category="math"),
    ]
    rows = written(tmp_path, critiques, max_length=1000)
    assert [row["reason"] for row in rows] == [None, None, "no_end_of_thinking", "unbalanced"]
    assert [row["kept"] for row in rows] == [True, True, False, False]
    assert [row["verdict"] for row in rows] == [1, 0, None, 1]
    assert [row["deviations"] for row in rows] == [[]] * 4
    unread = {name: critiques[0][name] for name in ("verdict", "kept", "reason", "deviations")}
    assert [row | unread for row in rows] == critiques
    assert "math: no critique is kept; 1 Yes and 0 No were left" in caplog.text


def test_prompt_and_critique_together_may_be_too_long(tmp_path: Path) -> None:
    long, short = critique(YES), critique(NO, of=1)
    for row, n_generated in ((long, 14), (short, 13)):
        row |= {"n_tokens_read": 7, "n_tokens_generated": n_generated}
    rows = written(tmp_path, [long, short], max_length=20)
    assert [row["reason"] for row in rows] == ["too_long", "unbalanced"]


def make_earlier(path: Path, version: int, n_prompt: list[int], n_tokens: list[int]) -> None:
    """Rewrite a table of critiques as an earlier version, which counted the tokens of prompt and critique together."""
    table = pq.read_table(path).drop_columns(["n_tokens_read", "n_tokens_generated"])
    table = table.append_column("n_tokens", pa.array(n_tokens, pa.int32()))
    if version == 1:
        table = table.drop_columns(["deviations"])
    else:
        table = table.append_column("n_prompt_tokens", pa.array(n_prompt, pa.int32()))
    footer = json.loads(table.schema.metadata[parquet.FOOTER_KEY]) | {"schema_version": version}
    metadata = {parquet.FOOTER_KEY: json.dumps(footer).encode()}
    pq.write_table(table.replace_schema_metadata(metadata), path)


@pytest.mark.parametrize("version", [1, 2])
def test_critiques_of_earlier_versions_may_be_too_long(
    tmp_path: Path, version: int, caplog: pytest.LogCaptureFixture
) -> None:
    # The fourth is half text after the verdict, of which only version 1 cannot tell the tokens.
    texts = [YES, f" Indeed.{YES}", f" So be it.{YES}", YES + "." * len(YES), NO, NO, NO]
    critiques = [critique(text, number, int(text is NO)) for number, text in enumerate(texts)]
    for row, text in zip(critiques[4:], ("", " Indeed.", " So be it."), strict=True):
        row["critique"] = text + NO
    written(tmp_path, critiques)
    path, output = tmp_path / "c.parquet", tmp_path / "f.parquet"
    caplog.clear()
    make_earlier(path, version, [10] * 7, [20, 21, 20, 30, 20, 20, 20])
    filter_critiques(Kind.GORM, path, tmp_path / "s.parquet", output, 20, seed=0)
    rows = parquet.read(output, CRITIQUES).to_pylist()
    is_long = [row["reason"] == "too_long" for row in rows]
    assert is_long == [False, True, False, version == 1, False, False, False]
    assert "no counts of tokens" not in caplog.text
    counts = {(row["n_tokens_read"], row["n_tokens_generated"]) for row in rows}
    assert counts == ({(None, None)} if version == 1 else {(10, 10), (10, 11), (10, 20)})


def test_critiques_are_filtered_by_other_labels_of_the_same_solutions(tmp_path: Path) -> None:
    noisy = [solution(0, 0) | {"dataset": "noisy"}, solution(1, 1) | {"dataset": "noisy"}]
    parquet.write(tmp_path / "s.parquet", SOLUTIONS, noisy, made_of())
    critiques = [
        critique(text, number, of) for of in (0, 1) for number, text in enumerate([YES, NO])
    ]
    path = tmp_path / "c.parquet"
    parquet.write(path, CRITIQUES, critiques, made_of(GENERATED))
    arguments = (Kind.GORM, path, tmp_path / "s.parquet", tmp_path / "f.parquet", 400, 0)
    with pytest.raises(InputError, match=r"c\.parquet, row 1: .*dataset 'data'"):
        filter_critiques(*arguments)
    filter_critiques(*arguments, dataset="noisy")
    rows = parquet.read(tmp_path / "f.parquet", CRITIQUES).to_pylist()
    assert [row["dataset"] for row in rows] == ["noisy"] * 4
    assert [row["kept"] for row in rows] == [False, True, True, False]
    assert parquet.read_footer(tmp_path / "f.parquet").parameters["dataset"] == "noisy"


def test_a_critique_of_an_unknown_solution_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"c\.parquet, row 2: .*solution_id 77"):
        written(tmp_path, [critique(YES), critique(YES, of=77)])


@pytest.mark.parametrize(
    ("made_by", "found"),
    [
        (GENERATED | {"kind": "gPRM"}, "found gPRM, generated"),
        (GENERATED | {"stage": "filtered"}, "found gORM, filtered"),
        ({}, "found an unknown kind, an unknown stage"),
    ],
)
def test_other_critiques_are_refused(tmp_path: Path, made_by: dict[str, Any], found: str) -> None:
    with pytest.raises(InputError, match=rf"c\.parquet: expected gORM critiques, gen.*{found}"):
        written(tmp_path, [critique(YES)], made_by=made_by)
    assert not (tmp_path / "f.parquet").exists()


def test_the_footer_has_the_stage_filtered(tmp_path: Path) -> None:
    written(tmp_path, [critique(YES)])
    parameters = parquet.read_footer(tmp_path / "f.parquet").parameters
    assert (parameters["kind"], parameters["stage"]) == ("gORM", "filtered")


def test_discriminative_kinds_have_no_critiques(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected gORM or gPRM, found dPRM"):
        filter_critiques(Kind.DPRM, tmp_path, tmp_path, tmp_path.with_name("f"), 1, 1)


def test_critiques_without_counts_of_tokens_are_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    counted = critique(NO, of=1) | {"n_tokens_read": 5, "n_tokens_generated": 9}
    written(tmp_path, [critique(YES), counted])
    assert "1 of 2 critiques have no counts of tokens" in caplog.text
