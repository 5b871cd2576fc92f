"""Monte-Carlo labels: which steps are continued, what follows from it, and which continuations are shared."""

from dataclasses import replace
from math import ceil, log2
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multirm.data.continue_steps import (
    ContinuationOptions,
    Tally,
    continue_steps,
    monte_carlo_labels,
    needed,
    read_continuation,
)
from multirm.data.guessing import guessing_rate
from multirm.engines.name import EngineName
from multirm.errors import InputError
from multirm.generation.solving_options import SolvingOptions
from multirm.tables import parquet
from multirm.tables.continuations import CONTINUATIONS, Search, fewest_continuations
from multirm.tables.labels import LABELS, LabelReason
from multirm.tables.solutions import SOLUTIONS
from tests.data.conftest import solution
from tests.origins import made_of

OPTIONS = ContinuationOptions(engine=EngineName.TRANSFORMERS, max_tokens=8, temperature=1.0)
OPTIONS_OF_TEN = "\n".join(f"{letter}. {letter}" for letter in "ABCDEFGHIJ")


def row(n_steps: int, outcome: int) -> dict[str, Any]:
    question = f"Which?\n{OPTIONS_OF_TEN}"
    return {**solution(0, 0, n_steps), "question": question, "outcome": outcome}


def tallies_of(row: dict[str, Any], n_right: list[int], search: Search) -> dict[int, Tally]:
    """All tallies that are asked for, of 16 continuations each, given those right after 1, 2, … steps."""
    tallies: dict[int, Tally] = {}
    while wanted := needed(row, tallies, search, 0.05):
        tallies |= {k: Tally(16, n_right[k - 1]) for k in wanted}
    return tallies


@given(st.integers(1, 20), st.data())
def test_halving_finds_the_first_hopeless_step_in_few_questions(
    n_steps: int, data: st.DataObject
) -> None:
    first_bad = data.draw(st.integers(0, n_steps - 1))
    n_right = [16 if step < first_bad else 2 for step in range(n_steps)]
    tallies = tallies_of(row(n_steps, 0), n_right, Search.HALVING)
    assert len(tallies) <= ceil(log2(n_steps)) if n_steps > 1 else not tallies
    labels = monte_carlo_labels(row(n_steps, 0), tallies, Search.HALVING, 0.05)
    assert [each["label"] for each in labels] == [int(step < first_bad) for step in range(n_steps)]


@given(st.integers(2, 20), st.data())
def test_halving_doubts_right_answers_too(n_steps: int, data: st.DataObject) -> None:
    """A right answer among ten options may be a guess: only continuations show that its steps are good."""
    first_bad = data.draw(st.integers(0, n_steps - 1))
    n_right = [16 if step < first_bad else 2 for step in range(n_steps)]
    tallies = tallies_of(row(n_steps, 1), n_right, Search.HALVING)
    assert 0 < len(tallies) <= ceil(log2(n_steps))
    labels = monte_carlo_labels(row(n_steps, 1), tallies, Search.HALVING, 0.05)
    last_is_good = first_bad == n_steps - 1
    good = [step < first_bad for step in range(n_steps - 1)] + [last_is_good]
    assert [each["label"] for each in labels] == [int(each) for each in good]
    # A bad step has no value of a right answer beside its label.
    assert labels[-1].get("value") == (1.0 if last_is_good else None)


def test_a_search_that_cannot_tell_leaves_the_others_without_labels() -> None:
    for outcome in (0, 1):
        tallies = {2: Tally(16, 16), 3: Tally(1, 1)}
        assert needed(row(5, outcome), tallies, Search.HALVING, 0.05) == []
        labels = monte_carlo_labels(row(5, outcome), tallies, Search.HALVING, 0.05)
        assert [each["label"] for each in labels] == [1, 1, None, None, outcome]
        assert [each.get("reason") for each in labels] == [
            *(None, None, LabelReason.UNSURE, LabelReason.NOT_CONTINUED, None)
        ]


def test_all_steps_are_labelled_by_themselves_and_the_last_by_the_outcome() -> None:
    tallies = tallies_of(row(5, 0), [16, 4, 5, 0], Search.ALL)
    assert sorted(tallies) == [1, 2, 3, 4]
    labels = monte_carlo_labels(row(5, 0), tallies, Search.ALL, 0.05)
    # Among ten options, four of 16 are not more than by guessing.
    assert [each["label"] for each in labels] == [1, 0, 1, 0, 0]
    assert [each["value"] for each in labels] == pytest.approx(
        [1, (4 / 16 - 0.1) / 0.9, (5 / 16 - 0.1) / 0.9, 0, 0]
    )
    assert [each.get("n_agreeing") for each in labels] == [16, 12, 5, 16, None]
    uncorrected = monte_carlo_labels(row(5, 1), tallies, Search.ALL, 1.0)
    assert [each["label"] for each in uncorrected] == [1, 1, 1, 0, 1]


def test_steps_without_answers_have_no_label() -> None:
    tallies = {1: Tally(16, 16), 2: Tally(0, 0)}
    labels = monte_carlo_labels(row(3, 0), tallies, Search.ALL, 0.05)
    assert [each["label"] for each in labels] == [1, None, 0]
    assert labels[1]["reason"] == LabelReason.NO_ANSWERS
    # The search ends there.
    assert needed(row(4, 0), {2: Tally(0, 0)}, Search.HALVING, 0.05) == []
    halved = monte_carlo_labels(row(4, 0), {2: Tally(0, 0)}, Search.HALVING, 0.05)
    assert [each["label"] for each in halved] == [None, None, None, 0]
    assert [each.get("reason") for each in halved] == [
        *(LabelReason.NOT_CONTINUED, LabelReason.NO_ANSWERS, LabelReason.NOT_CONTINUED, None)
    ]


@pytest.mark.parametrize("tally", [Tally(1, 1), Tally(1, 0), Tally(3, 1)])
def test_steps_with_few_answers_are_neither_good_nor_bad(tally: Tally) -> None:
    """If 15 of 16 continuations are cut off, the step after which this happens is not the first bad one."""
    one, _ = monte_carlo_labels(row(2, 0), {1: tally}, Search.ALL, 0.05)
    assert (one["label"], one["reason"]) == (None, LabelReason.UNSURE)
    assert (one["n_votes"], one["n_agreeing"]) == (tally.n_answers, None)
    assert one["value"] == pytest.approx(max(0, (tally.n_right / tally.n_answers - 0.1) / 0.9))


@given(st.floats(1e-6, 1))
def test_the_fewest_continuations_can_tell(significance: float) -> None:
    n = fewest_continuations(significance)
    assert n is not None
    for n_options in range(11):
        if n_options != 1:
            rate = guessing_rate(n_options)
            assert Tally(n, n).is_hopeful(rate, significance) is True
            assert Tally(n, 0).is_hopeful(rate, significance) is False
    two, none = Tally(n - 1, n - 1), Tally(n - 1, 0)
    assert n == 1 or (two.is_hopeful(1 / 2, significance), none.is_hopeful(0, significance)) == (
        None,
        None,
    )


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"per_prefix": 4}, "--per-prefix: expected at least 5, to tell good steps from bad"),
        ({"significance": 0.0}, "--significance: expected more than 0"),
    ],
)
def test_too_few_continuations_to_tell_are_refused(
    settings: dict[str, Any], told: str, tmp_path: Path, tiny_model: Path
) -> None:
    with pytest.raises(InputError, match=told):
        continued(tmp_path, tiny_model, [solution(0, 0)], **settings)


def continued(
    folder: Path, model: Path, rows: list[dict[str, Any]], **settings: Any
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows of both tables."""
    options = replace(OPTIONS, **settings.pop("options", {}))
    parquet.write(folder / "s.parquet", SOLUTIONS, rows, made_of())
    outputs = folder / "labels.parquet", folder / "continuations.parquet"
    solving = SolvingOptions(shots=0)
    settings = {"per_prefix": 5, **settings}
    continue_steps(folder / "s.parquet", str(model), *outputs, options, solving, **settings)
    return (
        parquet.read(outputs[0], LABELS).to_pylist(),
        parquet.read(outputs[1], CONTINUATIONS).to_pylist(),
    )


def test_common_beginnings_are_continued_once_and_depend_on_nothing_else(
    tmp_path: Path, tiny_model: Path
) -> None:
    one, other = solution(0, 0), solution(0, 1)
    other["steps"] = [one["steps"][0], "Something else.", *other["steps"][2:]]
    rows = [one, other, solution(1, 0)]
    labels, continuations = continued(tmp_path, tiny_model, rows)
    assert len(labels) == 9
    beginnings = {(each["question_id"], each["prefix"]) for each in continuations}
    # One step of both, two steps of each, and those of the other question.
    assert len(beginnings) == 1 + 2 + 2
    assert len(continuations) == 5 * len(beginnings)
    assert len({each["text"] for each in continuations}) == len(continuations)
    _, alone = continued(tmp_path, tiny_model, rows[1:2])
    assert all(each in continuations for each in alone)


@pytest.mark.parametrize(
    ("text", "truncated", "answer", "outcome"),
    [
        ("Yes.", False, "A", 1),
        ("No, wait.\n\nThe answer is (B).", False, "B", 0),
        ("", False, "A", 1),
        ("The answer is (B).", True, None, None),
    ],
)
def test_an_answer_is_the_last_one_of_beginning_and_text(
    text: str, truncated: bool, answer: str | None, outcome: int | None
) -> None:
    begun = {**row(3, 1), "steps": ["The answer is (A).", "Or is it?", "Yes."], "answer": "A"}
    counts = {"n_tokens_read": 5, "n_tokens_generated": 2}
    read = read_continuation(begun, 2, 7, {"text": text, "truncated": truncated, **counts})
    assert read["prefix"] == "The answer is (A).\n\nOr is it?"
    assert (read["parsed_answer"], read["outcome"]) == (answer, outcome)
    assert (read["n_steps"], read["continuation_id"], read["text"]) == (2, 7, text)


def test_solutions_without_outcomes_are_refused(tmp_path: Path, tiny_model: Path) -> None:
    rows = [solution(0, 0), {**solution(0, 1), "outcome": None}]
    with pytest.raises(InputError, match=r"1 without \(first: d/law/q0/1\)"):
        continued(tmp_path, tiny_model, rows)
