"""Lines that fit, with all that was in the text."""

import re

from hypothesis import given
from hypothesis import strategies as st

from multirm.figures.wrapping import balanced, text_width, wrap

TEXTS = st.text(st.sampled_from("abWmi1 -_/.é漢"), max_size=80)


@given(TEXTS, st.floats(20, 300), st.booleans())
def test_nothing_is_cut_and_every_line_fits(text: str, width: float, bold: bool) -> None:
    lines = wrap(text, width, 10, bold)
    assert "".join(re.sub(r"\s", "", line) for line in lines) == re.sub(r"\s", "", text)
    assert all(text_width(line, 10, bold) <= width + 0.01 for line in lines)


@given(TEXTS, st.floats(20, 300))
def test_balanced_lines_are_as_many_and_fit_too(text: str, width: float) -> None:
    lines, before = balanced(text, width, 10), wrap(text, width, 10)
    assert len(lines) <= len(before)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(text_width(line, 10) <= width + 0.01 for line in lines)


def test_lines_end_between_words() -> None:
    name = "Skywork-Reward-V2-Llama-3.1-8B-0"
    assert balanced(name, 150, 10) == ["Skywork-Reward-", "V2-Llama-3.1-8B-0"]
    assert wrap("one two", 25, 10) == ["one", "two"]
    # A word that fits a line by itself is not divided.
    assert wrap("best of Law_test", 60, 10) == ["best of", "Law_test"]
    assert wrap("best of Law_test/computer_science", 60, 10) == [
        *("best of", "Law_test/", "computer_", "science"),
    ]
    assert wrap("", 25, 10) == []


def test_widths_are_about_those_of_helvetica() -> None:
    # Sums of the widths in Adobe's font metrics, in thousandths of the size.
    for text, width in (("Majority vote", 5668), ("Pass@N", 3960), ("dORM-14B", 5001)):
        assert abs(text_width(text, 1000) / width - 1) < 0.06
