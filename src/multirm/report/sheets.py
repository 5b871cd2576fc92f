"""Tables for readers: rows of text as LaTeX and Markdown, and the numbers behind them as Parquet and CSV.

Names come from studies and from other people's files: they are escaped, so that none of them is taken for markup.
"""

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from multirm.errors import InputError, escaped, one_of, shown
from multirm.running.provenance import Origin
from multirm.tables import parquet
from multirm.tables.schema import Schema

Row = Mapping[str, Any]

# A bracket or a star at the start of a row would be an argument of the line break before it.
_LATEX = str.maketrans(
    {
        **{char: f"\\{char}" for char in "&%$#_{}"},
        **{char: f"{{{char}}}" for char in "[]*"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        "†": r"\textdagger{}",
        "–": "--",
    }
)
_MARKDOWN = str.maketrans(
    {**{char: f"\\{char}" for char in r"\`*_{}[]#!|~$"}, "<": "&lt;", ">": "&gt;", "&": "&amp;"}
)


@dataclass(frozen=True)
class Sheet:
    """A table of text.

    Attributes:
        title: what it shows, and of what.
        header: of the columns, of which the first has names and the others have numbers.
        rows: a cell for each column.
        notes: sentences that say what numbers and marks mean.
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()


def to_latex(sheets: Sequence[Sheet]) -> str:
    """A table environment for each sheet, for a document that uses the package booktabs."""
    return "\n".join(["% \\usepackage{booktabs}", *map(_latex, sheets)])


def _latex(sheet: Sheet) -> str:
    def line(cells: Sequence[str]) -> str:
        return f"{' & '.join(map(latex_text, cells))} \\\\"

    notes = [rf"\par\smallskip {latex_text(' '.join(sheet.notes))}"] if sheet.notes else []
    lines = [
        r"\begin{table}",
        r"\centering\footnotesize\setlength{\tabcolsep}{4pt}",
        rf"\caption{{{latex_text(sheet.title)}}}",
        rf"\begin{{tabular}}{{l{'r' * (len(sheet.header) - 1)}}}",
        r"\toprule",
        line(sheet.header),
        r"\midrule",
        *map(line, sheet.rows),
        r"\bottomrule",
        r"\end{tabular}",
        *notes,
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def latex_text(text: str) -> str:
    """Text as LaTeX that shows it."""
    return escaped(text).translate(_LATEX)


def to_markdown(sheets: Sequence[Sheet]) -> str:
    """Each sheet as a table, its title above and its notes below."""
    return "\n".join(map(_markdown, sheets))


def _markdown(sheet: Sheet) -> str:
    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(map(markdown_text, cells))} |"

    rule = f"|---|{'---:|' * (len(sheet.header) - 1)}"
    table = [line(sheet.header), rule, *map(line, sheet.rows)]
    notes = [markdown_text(" ".join(sheet.notes)), ""] if sheet.notes else []
    return "\n".join([f"**{markdown_text(sheet.title)}**", "", *table, "", *notes])


def markdown_text(text: str) -> str:
    """Text as Markdown that shows it, also in a cell of a table."""
    return escaped(text).translate(_MARKDOWN)


def to_csv(columns: Sequence[str], rows: Sequence[Row]) -> str:
    """Rows as CSV, numbers in full; what is missing is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([row[name] for name in columns] for row in rows)
    return text.getvalue()


_SUFFIXES = (".parquet", ".tex", ".md", ".csv")


def check_suffixes(output: Sequence[Path]) -> None:
    """Refuse files whose suffix says no format of a table, before anything is computed.

    Raises:
        InputError: another suffix.
    """
    for path in output:
        if path.suffix not in _SUFFIXES:
            raise InputError(path, expected=one_of(_SUFFIXES), found=shown(path.suffix))


def write_sheets(
    output: Sequence[Path],
    schema: Schema,
    rows: Sequence[Row],
    sheets: Sequence[Sheet],
    origin: Origin,
) -> None:
    """Write a table to files, whose suffixes say their formats: all of them, or none if anything fails.

    Args:
        rows: of the schema, for .parquet and .csv.
        sheets: the same for readers, for .tex and .md.

    Raises:
        InputError: a row does not fit the schema, or a file cannot be written.
    """
    texts: dict[str, Callable[[], str]] = {
        ".tex": lambda: to_latex(sheets),
        ".md": lambda: to_markdown(sheets),
        ".csv": lambda: to_csv(schema.columns.names, rows),
    }
    parquet.write_together(
        [(path, schema, rows) for path in output if path.suffix == ".parquet"],
        origin,
        {path: texts[path.suffix]() for path in output if path.suffix in texts},
    )


# So many columns of numbers fit beside each other on a page.
_AT_ONCE = 4


def in_parts(names: Sequence[str]) -> Iterator[Sequence[str]]:
    """Names of columns, as many at a time as fit on a page."""
    for start in range(0, len(names), _AT_ONCE):
        yield names[start : start + _AT_ONCE]


def in_words(name: str) -> str:
    """A name of ours as readers are shown it: `label_disagrees` → `label disagrees`."""
    return name.replace("_", " ")
