"""Segments against the paper's examples, and a law: nothing but white space is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multirm.text.segments import Segments


def test_a_full_stop_at_the_end_of_a_line_ends_a_segment() -> None:
    # OpenPRM's Table 5: ". This" and ". \n" stay together, ":\n\n1." does, ".\n\n" is divided.
    steps = ["A step. This kind. \nTherefore:", "1. One.", "Two.\nThree 3.5", "", "End."]
    assert Segments.SENTENCE_LINES.of(steps) == [
        "A step. This kind. \nTherefore:\n\n1. One.",
        "Two.",
        "Three 3.5\n\n\n\nEnd.",
    ]


def test_steps_and_lines() -> None:
    assert Segments.STEPS.of(["a.\nb", " c "]) == ["a.\nb", "c"]
    assert Segments.LINES.of(["a.\nb", " c "]) == ["a.", "b", "c"]


@pytest.mark.parametrize("segments", list(Segments))
@given(steps=st.lists(st.text(alphabet="ab. \n", max_size=12), max_size=5))
def test_only_white_space_is_lost(segments: Segments, steps: list[str]) -> None:
    found = segments.of(steps)
    assert "".join("".join(found).split()) == "".join("".join(steps).split())
    assert all(segment and segment == segment.strip() for segment in found)
