"""Variants of solutions: what is asked, which replies become variants, and what these are."""

import shutil
from collections import Counter
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import GenerationConfig

from multirm.data.augment_steps import (
    Asking,
    WriterOptions,
    ask_counterfactuals,
    ask_rewrites,
    augment_steps,
    augmentation_rows,
    variant,
)
from multirm.engines.name import EngineName
from multirm.tables import parquet
from multirm.tables.augmentations import (
    AUGMENTATIONS,
    AugmentationKind,
    AugmentationReason,
    ErrorType,
)
from multirm.tables.labels import LABELS
from multirm.tables.solutions import SOLUTIONS
from multirm.text.augmenting import (
    GENERAL_TYPES,
    MATHEMATICAL_TYPES,
    normalised,
    well_formed_counterfactual,
)
from multirm.text.labels import split_steps
from tests.data.conftest import solution
from tests.origins import made_of

COUNTERFACTUAL, REWRITE = AugmentationKind.COUNTERFACTUAL, AugmentationKind.REWRITE
OPTIONS = WriterOptions(engine=EngineName.TRANSFORMERS, max_tokens=6, temperature=1.0)


def correct(question: int, number: int = 0, n_steps: int = 3, **columns: Any) -> dict[str, Any]:
    labels = {"step_labels": [1] * n_steps, "outcome": 1, "parsed_answer": "A"}
    return solution(question, number, n_steps) | labels | columns


def test_only_correct_solutions_get_wrong_steps() -> None:
    rows = [
        correct(0),
        correct(1, step_labels=[1, 1, 0]),
        correct(2, step_labels=None),
        correct(3, outcome=0),
        correct(4, outcome=None, answer=None),
    ]
    asked = ask_counterfactuals(rows, 2, [], 1)
    assert [(each.solution["question_id"], each.number) for each in asked] == [
        *(("q0", 0), ("q0", 1), ("q4", 0), ("q4", 1))
    ]


@given(
    st.integers(1, 40), st.integers(1, 9), st.lists(st.sampled_from(["law", "math"])), st.integers(0, 9)
)  # fmt: skip
def test_types_are_balanced_in_each_category(
    n: int, per_solution: int, math: list[str], seed: int
) -> None:
    rows = [correct(k, category=("law", "math")[k % 3 == 0]) for k in range(n)]
    asked = ask_counterfactuals(rows, per_solution, math, seed)
    assert len(asked) == n * per_solution
    for category in {row["category"] for row in rows}:
        types = MATHEMATICAL_TYPES if category in math else GENERAL_TYPES
        own = [each for each in asked if each.solution["category"] == category]
        counts = Counter(each.error_type for each in own)
        assert set(counts) <= set(types)
        assert max(counts.values()) - min(counts[each] for each in types) <= 1
        for row in rows:
            of_row = [each.error_type for each in own if each.solution is row]
            assert len(set(of_row)) == min(len(of_row), len(types))


def test_what_is_asked_depends_on_solutions_and_seed_not_on_their_order() -> None:
    rows = [correct(k, number) for k in range(10) for number in range(3)]

    def asked(rows: list[dict[str, Any]], seed: int = 1) -> set[tuple[Any, ...]]:
        every = [*ask_counterfactuals(rows, 2, [], seed), *ask_rewrites(rows, 2, seed)]
        key = "question_id", "solution_id"
        return {
            (*(each.solution[name] for name in key), each.number, each.error_type, each.step)
            for each in every
        }

    assert asked(rows) == asked(rows[::-1])
    assert asked(rows) != asked(rows, 2)


def test_all_pairs_of_neighbouring_types_are_offered_and_each_type_meets_many_solutions() -> None:
    rows = [correct(k) for k in range(50)]
    asked = ask_counterfactuals(rows, 2, [], 3)
    pairs = Counter(
        frozenset(each.error_type for each in asked if each.solution is row) for row in rows
    )
    assert set(map(len, pairs)) == {2}
    assert len(pairs) == 5
    assert max(pairs.values()) == min(pairs.values()) == 10


def test_rewritten_steps_are_different_and_not_the_last() -> None:
    rows = [correct(k, n_steps=4) for k in range(60)]
    asked = ask_rewrites(rows, 2, 1)
    assert len(asked) == 120
    by_solution = [tuple(each.step for each in asked if each.solution is row) for row in rows]
    assert set(map(frozenset, by_solution)) == set(map(frozenset, combinations(range(3), 2)))
    assert min(Counter(pair[0] for pair in by_solution).values()) > 10
    [one] = ask_rewrites([correct(0, n_steps=2)], 5, 1)
    assert one.step == 0
    assert ask_rewrites([correct(0, n_steps=1), correct(1, step_labels=None)], 2, 1) == []


def reply(text: str, truncated: bool = False) -> dict[str, Any]:
    tokens = {"n_tokens_read": 3, "n_tokens_generated": 2}
    return {"text": text, "truncated": truncated, "given_up": False, **tokens}


def wrong(step: int, text: str, error_type: ErrorType = ErrorType.FACTUAL) -> dict[str, Any]:
    return reply(well_formed_counterfactual(step, error_type, text, "It is."))


def rows_of(
    kind: AugmentationKind,
    asked: list[Asking],
    replies: list[dict[str, Any]],
    per_solution: int = 9,
) -> list[dict[str, Any]]:
    return list(augmentation_rows(kind, "new", per_solution, asked, replies))


def of_one(*replies: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows for some replies about one solution."""
    asked = [
        Asking(correct(0), number, error_type=ErrorType.FACTUAL) for number in range(len(replies))
    ]
    return rows_of(COUNTERFACTUAL, asked, list(replies))


@pytest.mark.parametrize(
    ("given_reply", "reason"),
    [
        (wrong(1, "It is 7."), None),
        (wrong(0, "It is 7."), None),
        (wrong(2, "It is 7.", ErrorType.CALCULATION), None),
        (wrong(3, "It is 7."), AugmentationReason.OUT_OF_RANGE),
        (wrong(-1, "It is 7."), AugmentationReason.OUT_OF_RANGE),
        (wrong(1, "Step 1 of 0/0."), AugmentationReason.UNCHANGED),
        (wrong(1, "step 1  OF\n0/0."), AugmentationReason.UNCHANGED),
        (wrong(1, "Step 2 of 0/0."), AugmentationReason.COPIED),
        (wrong(1, "It is 7.\n\nSo it is."), AugmentationReason.SEVERAL_STEPS),
        (wrong(1, "Step 1:"), AugmentationReason.NO_STEP),
        (wrong(1, ""), AugmentationReason.NO_STEP),
        (reply(""), AugmentationReason.EMPTY),
        (reply("Sorry."), AugmentationReason.NO_NUMBER),
        (wrong(1, "It is 7.") | {"truncated": True}, AugmentationReason.CUT_OFF),
        (reply("", truncated=True) | {"given_up": True}, AugmentationReason.GIVEN_UP),
    ],
)
def test_a_reply_becomes_a_variant_or_has_a_reason(
    given_reply: dict[str, Any], reason: AugmentationReason | None
) -> None:
    [row] = of_one(given_reply)
    assert row["reason"] == reason
    assert (row["variant_id"] is None) == (reason is not None)
    assert row["reply"] == given_reply["text"]
    assert row["asked_type"] == ErrorType.FACTUAL


def test_the_first_of_equal_steps_counts_and_other_positions_are_no_duplicates() -> None:
    rows = of_one(
        wrong(1, "It is 7."),
        wrong(1, "it IS  7.", ErrorType.CONTEXTUAL),
        wrong(2, "It is 7."),
        wrong(1, "It is 9."),
    )
    assert [row["reason"] for row in rows] == [None, AugmentationReason.DUPLICATE, None, None]
    assert [row["variant_id"] for row in rows] == [0, None, 2, 3]


STEPS = st.sampled_from(["It is 7.", "It is 9.", "STEP 1 of 0/0.", "Step 2 of 0/0.", "a\n\nb", ""])
REPLIES = st.one_of(
    st.builds(wrong, st.integers(-1, 4), STEPS, st.sampled_from(ErrorType)),
    st.builds(reply, st.text(max_size=20), st.booleans()),
)


@given(st.lists(REPLIES, max_size=8))
def test_accepted_variants_are_sound(replies: list[dict[str, Any]]) -> None:
    source = correct(0)
    rows = of_one(*replies)
    assert len(rows) == len(replies)
    accepted = [row for row in rows if row["reason"] is None]
    assert len({row["variant_id"] for row in accepted}) == len(accepted)
    assert len({(row["step"], normalised(row["text"])) for row in accepted}) == len(accepted)
    for row in accepted:
        made = variant(source, row)
        *before, new = made["steps"]
        assert before == source["steps"][: row["step"]]
        assert new == row["text"] and split_steps(new) == [new]
        assert normalised(new) not in map(normalised, source["steps"])
        assert made["step_labels"] == [1] * len(before) + [0]
        assert {made["dataset"], made["solution_id"]} == {"new", row["variant_id"]}
    for row in rows:
        assert (row["reason"] is None) != (row["variant_id"] is None)


@pytest.mark.parametrize(
    ("text", "answer", "outcome"),
    [("So the answer is (B).", "B", 0), ("The answer is (A).", "A", 1), ("It is 7.", None, None)],
)
def test_a_variant_has_an_answer_only_if_its_new_step_gives_one(
    text: str, answer: str | None, outcome: int | None
) -> None:
    asked = {"question": "?\nA. 1\nB. 2", "steps": ["One.", "The answer is (A)?", "Yes."]}
    source = correct(0) | asked
    [row] = rows_of(
        COUNTERFACTUAL, [Asking(source, 0, error_type=ErrorType.FACTUAL)], [wrong(2, text)]
    )
    made = variant(source, row)
    assert (made["parsed_answer"], made["outcome"]) == (answer, outcome)


def test_a_rewritten_step_keeps_its_label() -> None:
    source = correct(0, step_labels=[1, 0, 0], outcome=0)
    asked = [Asking(source, number, step=step) for number, step in enumerate((0, 1, 1, 0, 0, 0, 0))]
    source["steps"][:2] = ["It is 1.", "Step 1 of 0/0."]
    replies = [
        *(reply("So 1."), reply("Step 1: So step 1, of 0."), reply("Step 1 of 0/0.")),
        *(reply("a\n\nb"), reply("So 2."), reply("So it is."), reply("It is 1, not 2.")),
    ]
    rows = rows_of(REWRITE, asked, replies)
    assert [row["reason"] for row in rows] == [
        *(None, None, AugmentationReason.UNCHANGED, AugmentationReason.SEVERAL_STEPS),
        *[AugmentationReason.OTHER_NUMBERS] * 3,
    ]
    first, second = (variant(source, row) for row in rows[:2])
    assert (first["steps"], first["step_labels"]) == (["So 1."], [1])
    assert second["steps"] == ["It is 1.", "So step 1, of 0."]
    assert second["step_labels"] == [1, 0]
    assert {row["asked_type"] for row in rows} == {row["error_type"] for row in rows} == {None}


def test_ids_are_unique_within_a_question() -> None:
    sources = [correct(0, number) for number in (0, 1, 7)]
    asked = ask_counterfactuals(sources, 3, [], 1)
    rows = rows_of(COUNTERFACTUAL, asked, [wrong(1, f"It is {k}.") for k in range(9)], 3)
    assert len({row["variant_id"] for row in rows}) == 9
    assert all(row["variant_id"] // 3 == row["solution_id"] for row in rows)


def augmented(
    folder: Path, model: Path, kind: AugmentationKind, rows: list[dict[str, Any]], **settings: Any
) -> tuple[Path, Path, list[dict[str, Any]]]:
    """The tables of variants and of labels, and the rows of the table of replies."""
    options = replace(OPTIONS, **settings.pop("options", {}))
    parquet.write(folder / "s.parquet", SOLUTIONS, rows, made_of())
    output, labels, replies = (folder / f"{name}.parquet" for name in ("new", "labels", "replies"))
    outputs = output, labels, replies
    augment_steps(folder / "s.parquet", str(model), kind, "new", *outputs, options, **settings)
    return output, labels, parquet.read(replies, AUGMENTATIONS).to_pylist()


def test_replies_of_a_random_model_are_all_rejected_and_counted(
    tmp_path: Path, tiny_model: Path
) -> None:
    rows = [correct(question, number) for question in range(3) for number in range(2)]
    _, labels, replies = augmented(
        tmp_path, tiny_model, COUNTERFACTUAL, [*rows, solution(5, 0)], per_solution=3, math=["law"]
    )
    assert len(replies) == 6 * 3
    assert {row["reason"] for row in replies} <= {
        *(AugmentationReason.CUT_OFF, AugmentationReason.EMPTY, AugmentationReason.NO_NUMBER)
    }
    assert {row["asked_type"] for row in replies} == set(ErrorType)
    assert len({row["reply"] for row in replies}) > 12
    assert parquet.read(labels, LABELS).num_rows == 0
    assert parquet.read_footer(tmp_path / "new.parquet").parameters["math"] == ["law"]
    assert "We need an example of a mistake" in parquet.read_footer(labels).parameters["template"]


@pytest.fixture
def brief_model(tiny_model: Path, tmp_path: Path) -> Path:
    """The tiny model with so many tokens that end a text that few texts are cut off."""
    folder = tmp_path / "brief"
    shutil.copytree(tiny_model, folder)
    ends = GenerationConfig.from_pretrained(folder)
    ends.eos_token_id = list(range(1, 300, 6))
    ends.save_pretrained(folder)
    return folder


def test_rewrites_of_a_random_model_are_variants_in_three_tables(
    tmp_path: Path, brief_model: Path
) -> None:
    """A random model's text says nothing, but it is one, if it ends by itself."""
    steps = ["One.", "Two.", "Three.", "Four."]
    rows = [correct(k, steps=steps, step_labels=[1, k % 2, k % 2, k % 2]) for k in range(12)]
    options = {"max_tokens": 12}
    output, labels, replies = augmented(
        tmp_path, brief_model, REWRITE, rows, per_solution=1, options=options
    )
    made = parquet.read(output, SOLUTIONS).to_pylist()
    accepted = [row for row in replies if row["reason"] is None]
    assert len(accepted) == len(made) > 0
    found = parquet.read(labels, LABELS).to_pylist()
    for row, variant_row, label in zip(accepted, made, found, strict=True):
        source = next(each for each in rows if each["question_id"] == row["question_id"])
        assert variant_row["steps"][:-1] == source["steps"][: row["step"]]
        assert label["step"] == row["step"] == len(variant_row["steps"]) - 1
        assert (
            label["label"] == variant_row["step_labels"][-1] == source["step_labels"][row["step"]]
        )
        assert label["source"] == "augmentation"
        assert label["solution_id"] == variant_row["solution_id"] == row["variant_id"]
    some = augmented(tmp_path, brief_model, REWRITE, rows[5:2:-1], per_solution=1, options=options)[
        2
    ]
    assert all(row in replies for row in some)
