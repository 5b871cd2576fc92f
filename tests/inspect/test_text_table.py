"""Tables in a terminal: no line is wider than it, and nothing is cut without a mark."""

from hypothesis import given
from hypothesis import strategies as st

from multirm.inspect.text_table import BETWEEN, CUT, fitting, text_table, width_of

VALUES = st.one_of(st.none(), st.text(), st.integers(), st.floats(), st.lists(st.text()))
TABLES = st.integers(1, 12).flatmap(
    lambda n: st.lists(st.lists(VALUES, min_size=n, max_size=n), min_size=1, max_size=5)
)


@given(TABLES, st.integers(20, 120))
def test_no_line_is_wider_than_the_terminal(rows: list[list[object]], width: int) -> None:
    names = [f"column {place}" for place in range(len(rows[0]))]
    lines, n_columns = text_table(names, rows, width)
    assert len(lines) == 2 + len(rows)
    assert 1 <= n_columns <= len(names)
    assert all(width_of(line) <= width and line.isprintable() for line in lines)


@given(TABLES)
def test_nothing_is_cut_without_a_width(rows: list[list[object]]) -> None:
    lines, n_columns = text_table([""] * len(rows[0]), rows, None)
    assert n_columns == len(rows[0])
    texts = [value for row in rows for value in row if isinstance(value, str) and value.isalnum()]
    assert all(any(text in line for line in lines) for text in texts)


@given(st.lists(st.integers(1, 200), min_size=1, max_size=12), st.integers(10, 200))
def test_only_the_widest_columns_are_cut(widths: list[int], total: int) -> None:
    fitted = fitting(widths, total)
    assert sum(fitted) + len(BETWEEN) * (len(fitted) - 1) <= total
    cut = [new for new, old in zip(fitted, widths, strict=False) if new < old]
    assert all(new == max(fitted) for new in cut)
    if len(fitted) == len(widths) and cut:
        # There is no room for one more character in every column that is cut.
        assert sum(fitted) + len(cut) + len(BETWEEN) * (len(fitted) - 1) > total


def test_values_are_aligned_and_escaped() -> None:
    rows = [[1.23456789, "a\nb", [0.1, None]], [None, "中文", {"k": "\x1b"}]]
    lines, _ = text_table(["n", "text", "more"], rows, None)
    assert lines == [
        "      n  text  more",
        "───────  ────  ───────────",
        r"1.23457  a\nb  [0.1, NULL]",
        r"   NULL  中文  {k: \x1b}",
    ]


def test_a_wide_character_is_not_cut_in_half() -> None:
    lines, _ = text_table(["x"], [["中" * 20]], 12)
    assert lines[-1] == "中" * 5 + CUT
