"""Entry point `import_own`: solutions and rewards from files with any columns → our tables."""

import glob
import shlex
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from multirm.errors import InputError, escaped
from multirm.formats.own.options import OwnOptions, OwnRewards, read_own_files
from multirm.formats.own.tables import OwnTables
from multirm.running.arguments import OutputFolder, Place, entry
from multirm.running.provenance import Origin, origin_of
from multirm.running.usage import as_started
from multirm.tables import parquet
from multirm.tables.accuracy import Aggregation
from multirm.tables.rewards import REWARDS, Unit
from multirm.tables.schema import Schema
from multirm.tables.solutions import SOLUTIONS

# How a list of rewards usually becomes that of the solution, by what one of them is about.
_USUAL = {
    Unit.STEP: Aggregation.MIN,
    Unit.CRITIQUE: Aggregation.MEAN,
    Unit.SOLUTION: Aggregation.LAST,
}

_BY_NAME = OwnOptions()


@entry
def import_own(
    files: list[Place],
    output: OutputFolder | None = None,
    options: OwnOptions = _BY_NAME,
    rewards: list[Place] | None = None,
    unit: list[str] | None = None,
    scale: list[str] | None = None,
    dataset: str | None = None,
    category: str | None = None,
) -> None:
    """Read your own solutions and rewards, with any column names, and write them as tables that all commands read.

    A row is a solution, or a question with a list of solutions in each column. Columns are recognised by usual names;
    everything that is missing or wrong is told at once, with the options to add. Rows without a reward have a null one.

    Args:
        files: Files named .csv, .tsv, .jsonl, .json, .parquet or .arrow, or a folder of `datasets.save_to_disk`.
            Several are read one after the other.
        output: The folder to write: data/DATASET/CATEGORY.parquet, and rewards/MODEL/DATASET/CATEGORY.parquet. Without
            it, only what would be read is printed.
        options: which columns hold what.
        rewards: MODEL=COLUMN for each reward model: numbers, or lists of numbers. MODEL=FILE or MODEL=FILE:COLUMN if
            they are in a file of their own, with the columns question_id and solution_id.
        unit: What one number of a list of rewards is about: MODEL=step or MODEL=critique. A single number is about the
            solution.
        scale: MODEL=probability if rewards are probabilities from 0 to 1; they are `score`, numbers without bounds,
            otherwise. Nothing is guessed from their range.
        dataset: The dataset's name, if no column has it; by default, the file's name.
        category: The category, if no column has it; by default, `all`.

    Raises:
        InputError: says everything that is wrong; nothing is written.
    """
    said = OwnRewards(rewards or (), unit or (), scale or ())
    found, read = read_own_files(files, options, said, dataset, category)
    if output is None:
        lines = [*_read(found), "", "nothing is written: add --output FOLDER"]
        sys.stdout.write("\n".join(map(escaped, lines)) + "\n")
        return
    parameters = {**asdict(options), "rewards": dict(_names(said)), "graded": found.graded}
    origin = origin_of(__name__, parameters, read)
    write_pools(output, found.solutions, found.rewards, origin)
    lines = _read(found)
    names = pc.unique(found.solutions["dataset"]).to_pylist()
    page = ["report", str(output), "--output", str(output / "report.html")]
    commands = [*(_evaluation(found, output, name) for name in names), page]
    lines += ["", f"written to {output}; next:"]
    lines += [f"  {as_started()} {shlex.join(words)}" for words in commands]
    sys.stdout.write("\n".join(map(escaped, lines)) + "\n")


def write_pools(
    output: Path, solutions: pa.Table, rewards: Mapping[str, pa.Table], origin: Origin
) -> None:
    """Write data/DATASET/CATEGORY.parquet, and rewards/MODEL/DATASET/CATEGORY.parquet: all of them or none.

    Raises:
        InputError: there are other categories of a dataset already, or rewards of other solutions to it, or a row does
            not fit its table.
    """
    data = list(_parts(output / "data", SOLUTIONS, solutions))
    _refuse_rewards_of_others(output, data, rewards)
    tables = [
        *data,
        *(
            part
            for model, table in rewards.items()
            for part in _parts(output / "rewards" / model, REWARDS, table)
        ),
    ]
    _refuse_others([path for path, _, _ in tables])
    parquet.write_together(tables, origin)


def _parts(
    folder: Path, schema: Schema, table: pa.Table
) -> Iterator[tuple[Path, Schema, pa.Table]]:
    """The rows of each dataset and category, with the path of their table."""
    for name in pc.unique(table["dataset"]).to_pylist():
        of_dataset = table.filter(pc.equal(table["dataset"], name))
        for category in pc.unique(of_dataset["category"]).to_pylist():
            own = of_dataset.filter(pc.equal(of_dataset["category"], category))
            yield folder / name / f"{category}.parquet", schema, own


def _refuse_others(paths: Sequence[Path]) -> None:
    """Refuse to write beside other categories of these datasets, which would be read together with them."""
    for folder in dict.fromkeys(path.parent for path in paths):
        others = [path.name for path in folder.glob("*.parquet") if path not in paths]
        if others:
            raise InputError(
                folder,
                expected="no other categories of the same dataset",
                found=", ".join(sorted(others)[:3]),
                remedy="remove the folder, or choose another --output or --dataset",
            )


def _refuse_rewards_of_others(
    output: Path, data: Sequence[tuple[Path, Schema, pa.Table]], models: Collection[str]
) -> None:
    """Refuse to replace solutions beside rewards of other models, which would then seem to be those of the new ones."""
    for path, schema, table in data:
        others = [
            folder.parent
            for folder in sorted((output / "rewards").glob(f"*/{glob.escape(path.parent.name)}"))
            if folder.parent.name not in models
        ]
        if others and path.is_file() and parquet.read(path, schema) != table.cast(schema.columns):
            raise InputError(
                path,
                expected="the solutions that rewards of other models are of",
                found=f"other ones, beside {', '.join(map(str, others[:3]))}",
                remedy="import the rewards of all models together, or choose another --output",
            )


def _names(said: OwnRewards) -> Iterator[tuple[str, str]]:
    """What each model's rewards were read from, without folders."""
    for pair in said.rewards:
        model, _, place = pair.partition("=")
        yield model, Path(place).name


def _read(found: OwnTables) -> list[str]:
    """What was read."""
    solutions = found.solutions
    questions = solutions.select(["dataset", "category", "question_id"])
    n_questions = len(set(zip(*(column.to_pylist() for column in questions.columns), strict=True)))
    n_steps = pc.sum(pc.list_value_length(solutions["steps"])).as_py()
    n_right = pc.sum(solutions["outcome"]).as_py()
    by = "by your grading" if found.graded else "by their answers"
    unanswered = solutions["parsed_answer"].null_count
    lines = [
        "understood: " + ", ".join(f"{name} = {column}" for name, column in found.taken.items()),
        f"{n_questions} questions, {solutions.num_rows} solutions, {n_steps} steps;"
        f" {n_right} solutions ({n_right / solutions.num_rows:.1%}) are correct {by}"
        + f"; {unanswered} have no parsed answer"
        * bool(unanswered),
    ]
    for model, table in found.rewards.items():
        lists = table["rewards"]
        n_none = len(lists) - int(_has_reward(lists).sum())
        unit, scale = table["unit"][0].as_py() or "unknown", table["scale"][0].as_py()
        lines.append(
            f"{model}: {len(lists) - n_none} rewards (unit {unit}, scale {scale}), {n_none} missing"
        )
    return lines + [f"note: {note}" for note in found.notes]


def _has_reward(lists: pa.ChunkedArray) -> np.ndarray:
    """Whether each list has a number, bool [solutions]."""
    array = lists.combine_chunks()
    there = pc.is_valid(pc.list_flatten(array)).to_numpy(zero_copy_only=False)
    owners = pc.list_parent_indices(array).to_numpy()
    return np.bincount(owners, there, minlength=len(array)) > 0


def _evaluation(found: OwnTables, output: Path, dataset: str) -> list[str]:
    """The words of the command that evaluates a dataset."""
    words = ["evaluate", "--solutions", str(output / "data" / dataset)]
    if found.rewards:
        pairs = [f"{model}={output / 'rewards' / model / dataset}" for model in found.rewards]
        words += ["--rewards", *pairs, "--aggregation"]
        words += [f"{model}={_aggregation(table)}" for model, table in found.rewards.items()]
    words += ["--answers", "graded"] if found.graded else []
    return [*words, "--output", str(output / "evaluation" / dataset)]


def _aggregation(table: pa.Table) -> Aggregation:
    unit = table["unit"][0].as_py()
    return _USUAL[Unit(unit)] if unit else Aggregation.MEAN
