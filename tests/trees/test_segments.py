"""Segments against the paper's examples, and a law: nothing but white space is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multirm.errors import InputError
from multirm.trees.segments import BETWEEN_STEPS, SENTENCE_LINES, check_separator, segments_of


def test_a_full_stop_at_the_end_of_a_line_ends_a_segment() -> None:
    # OpenPRM's Table 5: ". This" and ". \n" stay together, ":\n\n1." does, ".\n\n" is divided.
    steps = ["A step. This kind. \nTherefore:", "1. One.", "Two.\nThree 3.5", "", "End."]
    assert segments_of(steps, SENTENCE_LINES) == [
        "A step. This kind. \nTherefore:\n\n1. One.",
        "Two.",
        "Three 3.5\n\n\n\nEnd.",
    ]


def test_a_blank_line_gives_the_steps() -> None:
    assert segments_of(["a.\nb", " c "], BETWEEN_STEPS) == ["a.\nb", "c"]


@given(
    steps=st.lists(st.text(alphabet="ab. \n", max_size=12), max_size=5),
    separator=st.sampled_from([".\n", "\n\n", "\n", ". ", " "]),
)
def test_only_white_space_is_lost(steps: list[str], separator: str) -> None:
    segments = segments_of(steps, separator)
    assert "".join("".join(segments).split()) == "".join("".join(steps).split())
    assert all(segment and segment == segment.strip() for segment in segments)
    assert not any(separator in segment for segment in segments)


@pytest.mark.parametrize("separator", ["", ".", "\n."])
def test_a_separator_ends_with_white_space(separator: str) -> None:
    with pytest.raises(InputError, match="separator: expected text that ends with white space"):
        check_separator(separator)
