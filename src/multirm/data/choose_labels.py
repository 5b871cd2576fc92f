"""Entry point `choose_labels`: give solutions the step labels of a table of labels."""

import logging
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from multirm.errors import InputError
from multirm.running.arguments import OutputFile, entry
from multirm.running.numbers import Fraction
from multirm.running.provenance import origin_of
from multirm.tables import parquet
from multirm.tables.labels import LabelSource, read_labels, refuse_other_labels, solution_of
from multirm.tables.solutions import SOLUTIONS, SOLUTIONS_IF_ANY
from multirm.text.labels import after_first_error, outcome_from_steps, up_to_first_error

logger = logging.getLogger(__name__)

NO_LABEL = "without a label"
FEW_VOTES = "too few agreeing votes"


@entry
def choose_labels(
    solutions: Path,
    labels: Path,
    dataset: str,
    output: OutputFile,
    min_agreement: Fraction = 0.0,
) -> None:
    """Replace the step labels of solutions by those of a table of labels; everything else is unchanged.

    A solution gets step labels if all of its steps up to the first bad one have a label, or all of its steps if none
    is bad; steps after the first bad one are bad. Otherwise its step labels are null, and its reason is counted in
    the log; a category may have no labels at all. The outcome of a solution without a reference answer follows from
    its steps.

    Args:
        solutions: solutions table.
        labels: labels table, from a single source.
        dataset: dataset name for the rows.
        output: solutions table, with the same keys except for `dataset`.
        min_agreement: a label whose share of agreeing votes is smaller counts as missing.

    Raises:
        InputError: the labels are of other solutions or of steps that do not exist, or come from several sources, or
            `min_agreement` is given for Monte-Carlo labels.
    """
    rows = parquet.read(solutions, SOLUTIONS_IF_ANY).to_pylist()
    found = read_labels(labels)
    lengths = {solution_of(row): len(row["steps"]) for row in rows}
    refuse_other_labels(labels, found, lengths, str(solutions))
    if min_agreement:
        _require_votes(labels, found)
    chosen, missing = [], Counter[str]()
    for row in rows:
        of_steps = found.get(solution_of(row), {})
        step_labels, reason = _choose(of_steps, len(row["steps"]), min_agreement)
        missing.update([reason] if reason else [])
        chosen.append({**_relabelled(row, step_labels), "dataset": dataset})
    parameters = {"dataset": dataset, "min_agreement": min_agreement}
    parquet.write(output, SOLUTIONS, chosen, origin_of(__name__, parameters, [solutions, labels]))
    n_labelled = len(rows) - missing.total()
    logger.info("%s: labelled %d of %d solutions", dataset, n_labelled, len(rows))
    if missing:
        level = logging.INFO if n_labelled else logging.WARNING
        logger.log(level, "%s: left without labels: %s", dataset, _told(missing))


def _choose(
    labels: Mapping[int, Mapping[str, Any]], n_steps: int, min_agreement: float
) -> tuple[list[int] | None, str | None]:
    """A solution's step labels, or the reason why it has none: that of its first step without a label."""
    given = [_usable(labels.get(step), min_agreement) for step in range(n_steps)]
    known = up_to_first_error([label for label, _ in given])
    if known is None:
        return None, next(reason for label, reason in given if label is None)
    return after_first_error([*known, *[0] * (n_steps - len(known))]), None


def _usable(row: Mapping[str, Any] | None, min_agreement: float) -> tuple[int | None, str | None]:
    if row is None or row["label"] is None:
        return None, (row and row["reason"]) or NO_LABEL
    if row["n_votes"] and row["n_agreeing"] < min_agreement * row["n_votes"]:
        return None, FEW_VOTES
    return row["label"], None


def _relabelled(row: Mapping[str, Any], labels: list[int] | None) -> dict[str, Any]:
    outcome = row["outcome"]
    if row["answer"] is None:
        outcome = None if labels is None else outcome_from_steps(labels)
    return {**row, "step_labels": labels, "outcome": outcome}


def _require_votes(path: Path, found: Mapping[Any, Mapping[int, Mapping[str, Any]]]) -> None:
    """Refuse labels whose votes are continuations: few right ones may be far more than by guessing."""
    sources = {row["source"] for of_steps in found.values() for row in of_steps.values()}
    if LabelSource.MONTE_CARLO in sources:
        raise InputError(
            path,
            expected="labels by vote, such as of a judge, for --min-agreement",
            found="Monte-Carlo labels",
            remedy="leave it out, and set --significance of continue-steps",
        )


def _told(counts: Counter[str]) -> str:
    return ", ".join(f"{n} {reason.replace('_', ' ')}" for reason, n in sorted(counts.items()))
