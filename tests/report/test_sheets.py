"""Tables for readers: each format shows the text that it is given, whatever is in it."""

import csv
from pathlib import Path

import pytest

from multirm.errors import InputError
from multirm.report.sheets import (
    Sheet,
    check_suffixes,
    in_parts,
    in_words,
    latex_text,
    markdown_text,
    to_csv,
    to_latex,
    to_markdown,
    write_sheets,
)
from multirm.tables import parquet
from multirm.tables.hyper_parameters import HYPER_PARAMETERS
from tests.origins import made_of

HOSTILE = "a|b & 100% $x_1$ #{\\input{/etc/passwd}} ~^ <b>*[x]*</b> `c` \n† end"


def test_latex_has_no_command_of_a_name() -> None:
    text = latex_text(HOSTILE)
    assert r"\input" not in text
    assert r"\textbackslash{}input\{/etc/passwd\}" in text
    assert r"100\% \$x\_1\$ \#" in text
    assert "\n" not in text
    # Every brace that is not escaped belongs to a command or a group of ours.
    plain = text.replace(r"\{", "").replace(r"\}", "")
    assert plain.count("{") == plain.count("}")


def test_a_row_cannot_begin_with_an_argument_of_a_line_break() -> None:
    sheet = Sheet("t", ("name", "n"), [["[1in]", "1"], ["*", "2"]])
    lines = to_latex([sheet]).splitlines()
    assert r"{[}1in{]} & 1 \\" in lines
    assert r"{*} & 2 \\" in lines


def test_markdown_has_no_markup_of_a_name() -> None:
    text = markdown_text(HOSTILE)
    assert "<" not in text
    assert "\n" not in text
    for char in "|*[]`_~$":
        assert text.count(f"\\{char}") == text.count(char) == HOSTILE.count(char)


def test_every_cell_has_its_place() -> None:
    sheet = Sheet("Title", ("name", "x", "y"), [["a|b", "1", "2"], ["c", "3", "4"]], ["A note."])
    title, _, header, rule, first, second, _, note, *_ = to_markdown([sheet]).splitlines()
    assert (title, note) == ("**Title**", "A note.")
    assert (header, rule) == ("| name | x | y |", "|---|---:|---:|")
    assert (first, second) == (r"| a\|b | 1 | 2 |", "| c | 3 | 4 |")
    latex = to_latex([sheet, sheet])
    assert latex.count(r"\begin{tabular}{lrr}") == latex.count(r"c & 3 & 4 \\") == 2
    assert r"\caption{Title}" in latex


def test_csv_has_all_digits_and_leaves_out_what_is_missing() -> None:
    text = to_csv(["a", "b"], [{"a": 1 / 3, "b": None, "c": 1}, {"a": 'x,"\n', "b": 2}])
    assert list(csv.reader(text.splitlines(keepends=True))) == [
        ["a", "b"],
        [repr(1 / 3), ""],
        ['x,"\n', "2"],
    ]


def test_formats_go_by_suffix(tmp_path: Path) -> None:
    rows = [{"model": "m", "stage": "training", "setting": "rank", "value": "16"}]
    output = [tmp_path / f"t{suffix}" for suffix in (".parquet", ".tex", ".md", ".csv")]
    write_sheets(output, HYPER_PARAMETERS, rows, [Sheet("t", ("a",), [])], made_of())
    assert parquet.read(output[0], HYPER_PARAMETERS).to_pylist() == rows
    assert output[1].read_text().startswith("% \\usepackage{booktabs}")
    assert output[2].read_text().startswith("**t**")
    assert output[3].read_text() == "model,stage,setting,value\nm,training,rank,16\n"
    with pytest.raises(InputError, match=r"expected \.parquet, \.tex, \.md or \.csv"):
        check_suffixes([tmp_path / "t.xls"])


def test_four_columns_at_a_time() -> None:
    assert [len(part) for part in in_parts(list("abcdefghi"))] == [4, 4, 1]
    assert list(in_parts([])) == []
    assert in_words("label_disagrees") == "label disagrees"
