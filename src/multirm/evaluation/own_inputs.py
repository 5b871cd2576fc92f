"""Evaluate files with any columns directly: their solutions and rewards become tables in memory."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from multirm.errors import InputError, shown
from multirm.evaluation.options import InputOptions
from multirm.formats.own.options import OwnOptions, OwnRewards, read_own_files
from multirm.formats.own.tables import OwnTables
from multirm.tables import parquet
from multirm.tables.accuracy import Aggregation
from multirm.tables.rewards import Unit
from multirm.tables.solutions import SOLUTIONS
from multirm.text.answer_rules import AnswerRule

logger = logging.getLogger(__name__)

# Our tables are Parquet, and Multi-RM's layout is JSON: of these, only the columns tell.
_SUFFIXES = {".csv", ".tsv", ".jsonl", ".ndjson", ".arrow"}


@dataclass(frozen=True)
class OwnInputs:
    """What was read from files with any columns.

    Attributes:
        tables: the solutions and rewards.
        aggregation: those of each model, in the order in which models are reported.
        answers: when answers are equal: as the options say, or by the user's grading if there is one.
        files: the files that were read.
    """

    tables: OwnTables
    aggregation: Mapping[str, Sequence[Aggregation]]
    answers: AnswerRule
    files: list[Path]


def are_own(options: InputOptions) -> bool:
    """Whether the solutions are files with any columns: by their names, their columns, or options for these."""
    if options.columns or options.correct is not None:
        return True
    return any(_is_own(Path(place)) for place in options.solutions)


def _is_own(path: Path) -> bool:
    if path.is_dir():
        return (path / "state.json").is_file() or (path / "dataset_dict.json").is_file()
    if path.suffix.casefold() in _SUFFIXES:
        return True
    if path.suffix != ".parquet" or not path.is_file():
        return False
    return parquet.find_footer(path) is None and not parquet.has_columns(path, SOLUTIONS)


def read_own_inputs(
    options: InputOptions, aggregations: Mapping[str, Sequence[Aggregation]]
) -> OwnInputs:
    """Read the files that the options of a command name; what was assumed is logged.

    A model with one reward for each solution needs no aggregation.

    Raises:
        InputError: says everything that is wrong with files, columns and options; or a model lacks an aggregation.
    """
    if options.correct is not None and options.answers is AnswerRule.STRICT:
        raise InputError(
            "--answers",
            expected="none with --correct, which says what is correct",
            found=str(options.answers),
            remedy="leave out one of them",
        )
    found, files = read_own_files(
        options.solutions,
        OwnOptions(columns=options.columns, correct=options.correct, split=options.split),
        OwnRewards(options.rewards or (), options.unit or (), options.scale or ()),
    )
    datasets = found.solutions["dataset"].unique().to_pylist()
    if len(datasets) > 1:
        raise InputError(
            ", ".join(options.solutions),
            expected="the solutions of one dataset",
            found=", ".join(map(shown, datasets)),
            remedy="evaluate each on its own: multirm import divides them, and prints the commands",
        )
    for note in found.notes:
        logger.info("%s", note)
    for model in aggregations:
        if model not in found.rewards:
            raise InputError(
                "--rewards", expected=f"{model}=COLUMN, as it has an aggregation", found="none"
            )
    chosen = dict(aggregations)
    for model, table in found.rewards.items():
        if model not in chosen and table["unit"][0].as_py() != Unit.SOLUTION:
            raise InputError(
                "--aggregation",
                expected=f"one for {model}, whose rewards are lists",
                found="none",
                remedy=f"add --aggregation {model}=AGGREGATION (last, min, mean, …)",
            )
        chosen.setdefault(model, [Aggregation.LAST])
    answers = AnswerRule.GRADED if options.correct is not None else options.answers
    return OwnInputs(found, chosen, answers, files)
