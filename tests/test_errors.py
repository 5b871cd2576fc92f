"""Errors are one line that is safe to print in a terminal."""

import pytest

from multirm.errors import InputError, did_you_mean, one_of, shown


def test_a_message_says_where_what_and_what_to_do() -> None:
    error = InputError("f, row 1", expected="a", found="b", remedy="c")
    assert str(error) == "f, row 1: expected a, found b; c"


@pytest.mark.parametrize(
    ("found", "printed"),
    [
        ("\x1b[2J\x1b]0;owned\x07", "\\x1b[2J\\x1b]0;owned\\x07"),
        ("a\nb\r\u2028c\x85d", "a b c d"),
        ("\x9b31m", "\\x9b31m"),
        ("\u202edlog", "\\u202edlog"),
        ("\ud800", "\\ud800"),
        ("Straße 中 ∑", "Straße 中 ∑"),
    ],
)
def test_control_characters_are_escaped(found: str, printed: str) -> None:
    error = InputError(f"file {found}", expected=f"a {found}", found=found, remedy=found)
    assert str(error) == f"file {printed}: expected a {printed}, found {printed}; {printed}"


def test_values_of_any_size_are_shown() -> None:
    deep: list[object] = []
    for _ in range(10**5):
        deep = [deep]
    assert shown("x" * 100) == "'" + "x" * 58 + "…"
    assert shown(deep) == "list too large to show"
    assert shown(10**5000) == "int too large to show"


def test_choices_are_listed_in_words() -> None:
    assert one_of(["a"]) == "a"
    assert one_of(["a", "b"]) == "a or b"
    assert one_of(["a", "b", "c"]) == "a, b or c"


@pytest.mark.parametrize(
    ("word", "hint"),
    [("dorm", "did you mean dORM?"), ("gRPM", "did you mean gPRM?"), ("zzz", ""), (5, "")],
)
def test_the_nearest_word_is_suggested_whatever_its_case(word: object, hint: str) -> None:
    assert did_you_mean(word, ["dORM", "dPRM", "gPRM"]) == hint


def test_without_known_words_nothing_is_suggested() -> None:
    assert did_you_mean("a", []) == ""
