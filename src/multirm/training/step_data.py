"""The labelled solutions that a discriminative reward model learns from, from tables or from TRL's stepwise data."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from multirm.errors import InputError
from multirm.formats.json_source import files_of
from multirm.formats.trl import PATTERN, read_stepwise, solution_rows
from multirm.models.training_method import Targets
from multirm.tables import parquet
from multirm.tables.labels import Key
from multirm.tables.schema import Row
from multirm.tables.solutions import SOLUTIONS_IF_ANY
from multirm.training.step_labels import (
    NO_VARIANTS,
    LabelsTable,
    StepLabels,
    labels_of_stepwise,
    read_tables,
)

logger = logging.getLogger(__name__)

CATEGORY = "all"
"""The category of TRL's stepwise data, which has none."""


@dataclass(frozen=True)
class LabelledSolutions:
    """Solutions, and what is known of their steps besides their own labels.

    Attributes:
        rows: rows of solutions tables.
        labels: labels and values that replace step labels, by solution.
        of_tables: those of them that are from labels tables.
        targets: what to learn unless it is set: values if stepwise data has numbers as labels.
        files: the files that they were read from.
    """

    rows: Sequence[Row]
    labels: Mapping[Key, StepLabels]
    of_tables: Mapping[Key, StepLabels]
    targets: Targets = Targets.LABELS
    files: Sequence[Path] = ()


def read_solutions(
    tables: Iterable[Path],
    stepwise: Iterable[Path],
    labels: Iterable[LabelsTable],
    name: str,
    part: str = "data",
) -> LabelledSolutions:
    """Read solutions tables, files of TRL's stepwise data, and labels tables of the solutions.

    Args:
        stepwise: files, or folders of files `*.jsonl`.
        name: the dataset of `stepwise`.
        part: the option that the solutions were given with, for errors.

    Raises:
        InputError: there are no solutions, or no labels of a dataset with labels tables.
    """
    tables, stepwise, labels = list(tables), list(stepwise), list(labels)
    if not tables and not stepwise:
        raise InputError(
            f"--{part}",
            expected="solutions with labels",
            found="none",
            remedy="give --solutions (tables) or --data (TRL's stepwise data, *.jsonl)",
        )
    rows: list[Row] = parquet.read_all(tables, SOLUTIONS_IF_ANY).to_pylist()
    _say_empty(tables)
    of_tables = read_tables(labels)
    known = dict(of_tables)
    targets = Targets.LABELS
    files = [*tables, *(table.path for table in labels)]
    if stepwise:
        found = read_stepwise(stepwise)
        if n_empty := sum(solution.n_empty for solution in found):
            logger.warning("--%s: %d empty steps left out with their labels", part, n_empty)
        read = solution_rows(found, name, CATEGORY)
        of_steps = labels_of_stepwise(read, found)
        known |= of_steps
        rows += read
        files += files_of([str(place) for place in stepwise], PATTERN)
        given = [each for steps in of_steps.values() for each in steps.values()]
        if any(value is not None for _, value in given):
            targets = Targets.VALUES
    return LabelledSolutions(rows, known, of_tables, targets, files)


def _say_empty(tables: Sequence[Path]) -> None:
    """Count the tables without solutions in a warning; refuse them if there are no others."""
    empty = [path for path in tables if not parquet.count_rows(path)]
    if not empty:
        return
    where = ", ".join(map(str, empty))
    if len(empty) == len(tables):
        raise InputError(where, expected="solutions", found="none", remedy=NO_VARIANTS)
    logger.warning("%d of %d tables have no solutions: %s", len(empty), len(tables), where)
