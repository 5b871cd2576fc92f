"""Labels, and answers found in solutions."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multirm.tables.questions import option_letters
from multirm.text.labels import (
    after_first_error,
    first_incorrect,
    format_question,
    outcome_from_steps,
    parse_choice,
    split_steps,
)

LABELS = st.lists(st.integers(0, 1), min_size=1)


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
        ("The answer is option (C).", "C"),
        ("The answer is choice D.", "D"),
        ("The answer is [e].", "E"),
        ("The answer is $\\boxed{\\text{F}}$.", "F"),
        ("The answer is optional.", None),
        ("The answer to the question is (C).", "C"),
        ("The answer to this question is: E. It was education.", "E"),
        ("The answer is (A).\n\nSo the answer to the question is B. 4.3 km", "B"),
        ("The answer to the question is a prime number.", None),
        ("The answer to the first is (C).", None),
        ("So it is.\n\nAnswer: C", "C"),
        ("**Answer:** (B)", "B"),
        ("Final answer: $A$. Answer: [G].", "G"),
        # What "the answer is" comes first, as in VersaPRM.
        ("The answer is (C). My second answer: D.", "C"),
        ("Answer: A prime number.", None),
        ("Answer: Dublin.", None),
        ("Answer: K", None),
    ],
)
def test_the_last_choice_is_parsed(text: str, letter: str | None) -> None:
    assert parse_choice(text) == letter


@pytest.mark.parametrize(
    ("text", "n_options", "letter"),
    [
        ("The answer is (K).", 12, "K"),
        ("The answer is (l)", 12, "L"),
        ("The answer is (M).", 12, None),
        ("The answer is (E).", 4, None),
        ("The answer is Z.", 26, "Z"),
    ],
)
def test_a_choice_is_one_of_the_options(text: str, n_options: int, letter: str | None) -> None:
    assert parse_choice(text, n_options) == letter


def test_steps_are_separated_by_blank_lines() -> None:
    text = "\n\n One\ntwo\r\n \t\r\nthree\n\n\n\nfour \n\n"
    assert split_steps(text) == ["One\ntwo", "three", "four"]
    assert split_steps(" \n\n ") == []


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


def test_options_follow_the_question() -> None:
    assert format_question("Which? ", ["one", " two"]) == "Which?\nA. one\nB. two"
    assert format_question("Why?", None) == "Why?"
