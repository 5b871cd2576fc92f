"""Errors are one line that a terminal can be trusted with."""

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
def test_what_a_terminal_would_obey_is_shown_instead(found: str, printed: str) -> None:
    error = InputError(f"file {found}", expected=f"a {found}", found=found, remedy=found)
    assert str(error) == f"file {printed}: expected a {printed}, found {printed}; {printed}"


def test_values_are_shown_however_large() -> None:
    deep: list[object] = []
    for _ in range(10**5):
        deep = [deep]
    assert shown("x" * 100) == "'" + "x" * 58 + "…"
    assert shown(deep) == "list too large to show"
    assert shown(10**5000) == "int too large to show"


def test_permitted_words_are_listed_as_one_says_them() -> None:
    assert one_of(["a"]) == "a"
    assert one_of(["a", "b"]) == "a or b"
    assert one_of(["a", "b", "c"]) == "a, b or c"


@pytest.mark.parametrize(
    ("word", "hint"),
    [("dorm", "did you mean dORM?"), ("gRPM", "did you mean gPRM?"), ("zzz", ""), (5, "")],
)
def test_the_nearest_is_suggested_whatever_its_case(word: object, hint: str) -> None:
    assert did_you_mean(word, ["dORM", "dPRM", "gPRM"]) == hint


def test_nothing_is_near_where_nothing_is_known() -> None:
    assert did_you_mean("a", []) == ""
