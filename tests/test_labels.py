"""Labels and answers: the laws that voting and outcome labels rest on."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multirm.labels import (
    after_first_error,
    answer_format,
    canonical_answer,
    first_incorrect,
    format_question,
    option_letters,
    outcome_from_steps,
    outcome_label,
    parse_choice,
    split_steps,
    step_labels_from_ratings,
)
from multirm.vocabulary import AnswerFormat

CHOICE, NUMBER, TEXT = AnswerFormat.CHOICE, AnswerFormat.NUMBER, AnswerFormat.TEXT
LABELS = st.lists(st.integers(0, 1), min_size=1)
NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**40), max_value=10**40)


@pytest.mark.parametrize(
    "text", ["1000", "1,000", "1000.0", " $1,000.00 ", "1000.", "+1000", "1000%"]
)
def test_spellings_of_one_number(text: str) -> None:
    assert canonical_answer(text, NUMBER) == "1000"


@pytest.mark.parametrize(
    ("text", "canonical"),
    [("-0.0", "0"), (".50", "0.5"), ("007", "7"), ("1,00", "1,00"), ("7/14", "7/14")]
    + [("-1.8 Billion", "-1.8 billion"), ("", ""), ("$", "$"), ("+", "+"), ("NaN", "nan")],
)
def test_numbers_and_what_is_none(text: str, canonical: str) -> None:
    assert canonical_answer(text, NUMBER) == canonical


@settings(deadline=None)
@given(NUMBERS)
def test_a_number_keeps_its_value(value: Decimal) -> None:
    canonical = canonical_answer(f"{value:f}", NUMBER)
    assert Decimal(canonical) == value
    assert canonical_answer(f"{value:,f}", NUMBER) == canonical


@settings(deadline=None)
@given(st.integers(), st.integers())
def test_different_numbers_stay_different(a: int, b: int) -> None:
    assert outcome_label(str(a), str(b), NUMBER) == int(a == b)


@settings(deadline=None)
@given(st.text(st.characters(max_codepoint=0x24F)), st.sampled_from(AnswerFormat))
def test_canonical_answers_are_their_own(text: str, format: AnswerFormat) -> None:
    canonical = canonical_answer(text, format)
    assert canonical_answer(canonical, format) == canonical


@pytest.mark.parametrize("text", ["C", "c", "(C)", " (c). ", "C.", "( C )"])
def test_spellings_of_one_choice(text: str) -> None:
    assert canonical_answer(text, CHOICE) == "C"


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("The answer is (C).", "C"),
        ("the answer is: **D**", "D"),
        ("The answer is $\\boxed{E}$.", "E"),
        ("The answer is (b)", "B"),
        ("The answer is b.", "B"),
        ("The answer is (A). No: the answer is (J).", "J"),
        ("The answer is a prime number.", None),
        ("The answer is Dublin.", None),
        ("The answer is (K).", None),
        ("I do not know.", None),
    ],
)
def test_the_last_choice_is_parsed(text: str, letter: str | None) -> None:
    assert parse_choice(text) == letter


@pytest.mark.parametrize(
    ("answer", "format"), [("B", CHOICE), ("1,000", NUMBER), ("-3.5", NUMBER), ("Paris", TEXT)]
)
def test_the_format_of_an_answer(answer: str, format: AnswerFormat) -> None:
    assert answer_format(answer) is format


def test_no_parsed_answer_is_wrong() -> None:
    assert outcome_label(None, "", TEXT) == 0


def test_steps_are_the_pieces_between_blank_lines() -> None:
    text = "\n\n One\ntwo\r\n \t\r\nthree\n\n\n\nfour \n\n"
    assert split_steps(text) == ["One\ntwo", "three", "four"]
    assert split_steps(" \n\n ") == []


def test_neutral_steps_are_correct() -> None:
    assert step_labels_from_ratings([-1, 0, 1]) == [0, 1, 1]


@settings(deadline=None)
@given(LABELS)
def test_labels_up_to_the_first_error(labels: list[int]) -> None:
    first = first_incorrect(labels)
    expected = [int(0 not in labels[: k + 1]) for k in range(len(labels))]
    assert after_first_error(labels) == expected
    assert (first is None) == bool(outcome_from_steps(labels))
    assert first is None or (labels[first] == 0 and 0 not in labels[:first])


def test_option_letters() -> None:
    assert option_letters(10) == list("ABCDEFGHIJ")


def test_options_stand_below_the_question() -> None:
    assert format_question("Which? ", ["one", " two"]) == "Which?\nA. one\nB. two"
    assert format_question("Why?", None) == "Why?"
