"""Hints for a word that is none of those it may be."""

import pytest

from multirm.spelling import did_you_mean, one_of


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
