"""Read other formats into our tables: one entry function each for questions, solutions and rewards.

Readers check their own format. What every row must satisfy is checked here, where its position in the source is
still known.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from multirm.data import readers
from multirm.data.take import take_questions
from multirm.data.tally import Tally
from multirm.errors import InputError
from multirm.formats import multi_rm
from multirm.formats.json_source import MOST_PROBLEMS, Placed, all_of
from multirm.formats.multi_rm_columns import as_table
from multirm.formats.sources import Reader
from multirm.running.arguments import OutputFile, Place, entry
from multirm.running.files import local
from multirm.running.numbers import Count, Seed
from multirm.running.provenance import origin_of
from multirm.tables import parquet
from multirm.tables.labels import LABELS, LabelSource, label_rows
from multirm.tables.questions import QUESTIONS
from multirm.tables.rewards import REWARDS, Scale, Unit
from multirm.tables.schema import Row, Schema
from multirm.tables.solutions import SOLUTIONS

logger = logging.getLogger(__name__)


@entry
def read_solutions(
    reader: Reader,
    source: list[Place],
    dataset: str,
    category: str,
    output: OutputFile,
    limit: Count | None = None,
    seed: Seed = 42,
    repair_last_labels: bool = False,
    output_labels: OutputFile | None = None,
) -> None:
    """Read the solutions of one category into a solutions table.

    Args:
        reader: The format of the source.
        source: Files and folders; with the reader `published`, also hub names.
        dataset: The dataset name for the rows.
        category: The category to read; a source without it is refused.
        output: The table to write.
        limit: How many questions to keep, drawn as by `multirm take`; all by default, or if there are no more.
        seed: The study's seed.
        repair_last_labels: With the reader `versaprm_csv`, make labels of last steps agree with the answers where
            Multi-RM's copy of the data does.
        output_labels: A table to write, too, with the labels of single steps: also of solutions in which only some have
            one, soft ones, and of alternative steps without the steps before them, which their chains have labelled.

    Raises:
        InputError: the source is missing, broken or inconsistent; nothing is written.
    """
    _require_some(limit)
    tally = Tally()
    found = readers.solutions(reader, source, category, tally, repair_last_labels)
    placed = _of_category(found, category, source, tally)
    rows = _checked(placed, SOLUTIONS, dataset)
    tally.warn(category)
    rows = take_questions(rows, limit, seed)
    own_labels = [row.get("own_labels", row["step_labels"]) for row in rows]
    rows = [{name: row[name] for name in row if name != "own_labels"} for row in rows]
    logger.info("%s: %d solutions of %s/%s", reader, len(rows), dataset, category)
    parameters = {
        "reader": reader,
        "hub": multi_rm.hub_names(source),
        "dataset": dataset,
        "category": category,
        "limit": limit,
        "seed": seed,
        "repair_last_labels": repair_last_labels,
        "counted": tally.of(category),
    }
    origin = origin_of(__name__, parameters, local(source))
    tables: list[tuple[Path, Schema, Sequence[Row]]] = [(output, SOLUTIONS, rows)]
    if output_labels is not None:
        tables.append((output_labels, LABELS, _labels_read(source, rows, own_labels)))
    parquet.write_together(tables, origin)


@entry
def read_questions(
    reader: Reader,
    source: list[Place],
    dataset: str,
    category: str,
    output: OutputFile,
    limit: Count | None = None,
    seed: Seed = 42,
) -> None:
    """Read the questions of one category, with their answers, into a questions table.

    Args:
        reader: The format of the source.
        source: Files and folders; with the reader `published`, also hub names.
        dataset: The dataset name for the rows.
        category: The category to read; a source without it is refused.
        output: The table to write.
        limit: How many questions to keep, drawn as by `multirm take`; all by default, or if there are no more.
        seed: The study's seed.

    Raises:
        InputError: the source is missing, broken or inconsistent, or its questions have no answers.
    """
    _require_some(limit)
    found = readers.questions(reader, source, category)
    placed = _of_category(found, category, source, Tally())
    rows = take_questions(_checked(placed, QUESTIONS, dataset), limit, seed)
    logger.info("%s: %d questions of %s/%s", reader, len(rows), dataset, category)
    parameters = {
        "reader": reader,
        "hub": multi_rm.hub_names(source),
        "dataset": dataset,
        "category": category,
        "limit": limit,
        "seed": seed,
    }
    origin = origin_of(__name__, parameters, local(source))
    parquet.write(output, QUESTIONS, rows, origin)


@entry
def read_rewards(
    source: list[Place],
    dataset: str,
    category: str,
    model: str,
    solutions: Path,
    output: OutputFile,
    unit: Unit | None = None,
    scale: Scale | None = None,
) -> None:
    """Read rewards of one category, in Multi-RM's layout, into a rewards table.

    Args:
        source: Files, folders with `{category}_reward.json`, or hub names.
        dataset: The dataset that was scored.
        category: The category to read.
        model: The name of the reward model that gave the rewards.
        solutions: The table of the solutions that were scored; the source must have rewards for exactly these.
        output: The table to write.
        unit: What one reward is about, if the source does not say.
        scale: What kind of number a reward is, if the source does not say.

    Raises:
        InputError: the source is missing or broken, or its keys differ from those of the solutions.
    """
    records = multi_rm.records_of(source, category, suffix="_reward")
    said = {"unit": unit, "scale": scale}
    named = (
        (where, {**row, **{name: row[name] or value for name, value in said.items()}})
        for where, row in multi_rm.rewards(records, category)
    )
    rows = [{**row, "model": model} for row in _checked(named, REWARDS, dataset)]
    scored = parquet.read(solutions, SOLUTIONS).select(SOLUTIONS.key).to_pylist()
    _match(source, rows, solutions, scored)
    logger.info("rewards of %d solutions of %s/%s by %s", len(rows), dataset, category, model)
    parameters = {
        "hub": multi_rm.hub_names(source),
        "dataset": dataset,
        "category": category,
        "model": model,
        **said,
    }
    origin = origin_of(__name__, parameters, [*local(source), solutions])
    parquet.write(output, REWARDS, as_table(rows, REWARDS), origin)


def _require_some(limit: int | None) -> None:
    if limit is not None and limit < 1:
        raise InputError("limit", expected="at least 1 question", found=str(limit))


def _labels_read(
    source: Sequence[str],
    rows: Sequence[Row],
    own_labels: Sequence[list[int | float | None] | None],
) -> list[dict[str, Any]]:
    """Rows of a labels table: one for each step that the source has a label for."""
    found = [
        row
        for solution, labels in zip(rows, own_labels, strict=True)
        for row, label in zip(
            label_rows(solution, LabelSource.READ, map(_label, labels or [])),
            labels or [],
            strict=True,
        )
        if label is not None
    ]
    if not found:
        raise InputError(
            ", ".join(source),
            expected="labels of steps",
            found="none",
            remedy="read the solutions without --output-labels",
        )
    return found


def _label(label: int | float | None) -> dict[str, int | float | None]:
    return {"value" if isinstance(label, float) else "label": label}


def _of_category(
    placed: Iterable[Placed], category: str, source: Sequence[str], tally: Tally
) -> Iterator[Placed]:
    others: set[str] = set()
    empty = True
    for where, row in placed:
        if row["category"] == category:
            empty = False
            yield where, row
        else:
            others.add(row["category"])
    if empty:
        found = f"only {', '.join(sorted(others))}" if others else "none"
        counted = "".join(f"; {reason}: {n}" for reason, n in tally.of(category).items())
        raise InputError(
            ", ".join(source),
            expected=f"rows of the category {category}",
            found=f"{found}{counted}",
        )


def _checked(placed: Iterable[Placed], schema: Schema, dataset: str) -> list[Row]:
    """The rows with their dataset, checked against the schema and for duplicate keys.

    Raises:
        InputError: the first few errors together, with their positions in the source.
    """
    rows: list[Row] = []
    problems: list[InputError] = []
    seen: dict[tuple[Any, ...], str] = {}
    try:
        for where, row in placed:
            own = {name: row[name] for name in schema.key if name in row}
            key = tuple(own.values())
            problem = schema.check_row(row)
            if problem:
                expected, found = problem
                problems.append(InputError(where, expected=expected, found=found))
            elif key in seen:
                shown = ", ".join(f"{name} {value}" for name, value in own.items())
                found = f"{shown} again, after {seen[key]}"
                problems.append(InputError(where, expected="each key once", found=found))
            if len(problems) == MOST_PROBLEMS:
                break
            seen[key] = where
            rows.append({"dataset": dataset, **row})
    except InputError as error:
        # Readers raise their collected errors at the end.
        problems.append(error)
    if problems:
        raise all_of(problems)
    return rows


def _match(
    source: Sequence[str], rows: Sequence[Row], solutions: Path, scored: Sequence[Row]
) -> None:
    """Refuse rewards whose keys differ from those of the solutions, naming the first ones that do."""
    rewarded = [tuple(row[name] for name in SOLUTIONS.key) for row in rows]
    wanted = [tuple(row.values()) for row in scored]
    has_reward, has_solution = set(rewarded), set(wanted)
    without = [key for key in wanted if key not in has_reward]
    unknown = [key for key in rewarded if key not in has_solution]
    for keys, complaint in ((without, "none"), (unknown, "also some")):
        if keys:
            first = "; ".join("/".join(map(str, key)) for key in keys[:3])
            raise InputError(
                ", ".join(source),
                expected=f"rewards for exactly the solutions in {solutions}",
                found=f"{complaint} for {len(keys)} (first: {first})",
            )
