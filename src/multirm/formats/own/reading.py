"""A table that is being read: its columns, and what was found to be wrong so far."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import pyarrow as pa

from multirm.errors import InputError, shown
from multirm.formats.own.columns import ColumnMap, Field, Spoken, Taken
from multirm.formats.own.values import (
    UnfitError,
    texts,
)

Made = TypeVar("Made")


@dataclass
class Reading:
    """A table that is being read, with what was found to be wrong so far.

    Attributes:
        arrays: its columns, later with a value per solution.
        rows: for each solution, the row that it is in.
        parts: the files that its rows are from, with their numbers of rows, if they are several.
        of_questions: whether a row was a question, with a list of solutions.
    """

    where: str
    mapping: ColumnMap
    spoken: Spoken
    taken: Taken
    arrays: dict[str, pa.Array]
    rows: np.ndarray
    of_questions: bool = False
    parts: Sequence[tuple[str, int]] = ()
    problems: list[InputError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def of(self, wanted: Field) -> pa.Array | None:
        """The column that holds something; None if there is none that can be used."""
        column = self.taken.columns.get(wanted)
        # A column's name may be empty: that of the index where pandas has written a frame.
        return None if column is None else self.arrays.get(column)

    def place(self, solution: int) -> str:
        row = int(self.rows[solution])
        for file, n_rows in self.parts:
            if row < n_rows:
                return f"{file}, row {row + 1}"
            row -= n_rows
        return f"{self.where}, row {row + 1}"

    def wrong(self, where: str, expected: str, found: str, remedy: str = "") -> None:
        self.problems.append(InputError(where, expected=expected, found=found, remedy=remedy))

    def converted(
        self, column: str, convert: Callable[[pa.Array], Made], remedy: str = ""
    ) -> Made | None:
        """A column's values as `convert` makes them; None if some are unfit, which becomes a problem."""
        try:
            return convert(self.arrays[column])
        except UnfitError as error:
            more = f" and {len(error.rows) - 1} more" * (len(error.rows) > 1)
            found = f"{shown(error.values[0]) if error.values else 'none'}{more}"
            place = f"{self.place(error.rows[0])}, column {column}"
            self.wrong(place, error.expected, found, remedy)
            return None

    def texts(self, held: Field) -> pa.Array | None:
        """The texts of the column that holds something; None if there is none, or its values are no texts."""
        column = self.taken.columns.get(held)
        return self.converted(column, texts) if column in self.arrays else None
