"""Labels of single steps, and where each comes from."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import pyarrow as pa

from multirm.errors import InputError, shown
from multirm.tables import parquet
from multirm.tables.schema import Row, Schema, column, is_refused
from multirm.tables.solutions import SOLUTION_KEY, SOLUTIONS


class LabelSource(StrEnum):
    """Who or what labelled a step."""

    JUDGE = "judge"
    """A language model that was asked for the first bad step."""
    MONTE_CARLO = "monte_carlo"
    """How often continuations of the solution's first steps reach the reference answer."""
    CONSENSUS = "consensus"
    """Several sources that agree on the first bad step."""
    SELF_FILTERING = "self_filtering"
    """Labels that the rewards of a model trained on them do not contradict."""
    READ = "read"
    """The files that the solution was read from."""
    AUGMENTATION = "augmentation"
    """A step that was written to be bad, or to mean the same as a labelled one."""
    KNOWN = "known"
    """The facts that the miniature's questions are about."""


class LabelReason(StrEnum):
    """Why a step has no label."""

    UNPARSABLE = "unparsable"
    """No reply names a step, or says that there is none."""
    OUT_OF_RANGE = "out_of_range"
    """The replies name a step that the solution does not have."""
    TIED = "tied"
    """As many votes for one first bad step as for another."""
    NO_ANSWERS = "no_answers"
    """No continuation ends with an answer."""
    UNSURE = "unsure"
    """Too few continuations end with an answer, or too many of them could be right by guessing, to tell."""
    NOT_CONTINUED = "not_continued"
    """The search for the first bad step ended before it."""
    UNLABELLED = "unlabelled"
    """A source has no row for the step."""
    DISAGREEMENT = "disagreement"
    """The sources name different first bad steps, or one of them names none."""
    NO_REWARD = "no_reward"
    """The reward model gave no reward."""
    CONTRADICTED = "contradicted"
    """A reward is too far from the label, of this or another step of the solution."""
    UNKNOWN_FORM = "unknown_form"
    """The step is not in the form that can be checked against the facts."""


def _check_label(row: Row) -> tuple[str, str] | None:
    source, label, value, reason = (row[name] for name in ("source", "label", "value", "reason"))
    if is_refused(lambda: LabelSource(source)):
        return "a source, such as judge", shown(source)
    if reason is not None and is_refused(lambda: LabelReason(reason)):
        return "a reason for the missing label, such as unparsable, or null", shown(reason)
    if row["step"] < 0:
        return "the step's position, from 0", shown(row["step"])
    if label not in (None, 0, 1):
        return "label 0, 1 or null", shown(label)
    if value is not None and not 0 <= value <= 1:
        return "a value from 0 to 1, or null", shown(value)
    if label is not None and reason is not None:
        return "no reason beside a label", shown(reason)
    if label is None and value is None and reason is None:
        return "a label, a value or the reason why there is none", "none"
    return _check_votes(row)


def _check_votes(row: Row) -> tuple[str, str] | None:
    n_votes, n_agreeing = row["n_votes"], row["n_agreeing"]
    if row["label"] is not None and (n_votes is None) != (n_agreeing is None):
        return "n_votes and n_agreeing of a label, or neither", f"{n_votes} and {n_agreeing}"
    if n_agreeing is not None and not 0 <= n_agreeing <= (n_votes or 0):
        return "n_agreeing from 0 to n_votes", f"{n_agreeing} of {n_votes}"
    return None


# A step without a row has no label: training does not learn from it.
LABELS = Schema(
    "labels",
    1,
    pa.schema(
        [
            *SOLUTION_KEY,
            # From 0.
            column("step", pa.int32()),
            # A LabelSource.
            column("source", pa.string()),
            # 1 if the step is good, 0 if it is bad; null if unknown.
            column("label", pa.int8(), nullable=True),
            # How good: the share of votes that call the step good, or of continuations that are correct.
            column("value", pa.float32(), nullable=True),
            # Replies or continuations that could be read, and those of them that agree with `label`.
            column("n_votes", pa.int32(), nullable=True),
            column("n_agreeing", pa.int32(), nullable=True),
            # A LabelReason, for a step without a label; it may have a value.
            column("reason", pa.string(), nullable=True),
        ]
    ),
    ("dataset", "category", "question_id", "solution_id", "step", "source"),
    _check_label,
)

Key = tuple[Any, ...]


def solution_of(row: Row) -> Key:
    """The key of the solution that a row is about."""
    return tuple(row[name] for name in SOLUTIONS.key)


def label_rows(
    solution: Row, source: LabelSource, labels: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """A row for each of a solution's steps, from the first on.

    Args:
        solution: a row with the solution's key.
        labels: for each step, the columns that are not null: `label`, `value`, `reason`, ….
    """
    key = {name: solution[name] for name in SOLUTIONS.key}
    nothing = dict.fromkeys(("label", "value", "n_votes", "n_agreeing", "reason"))
    return [
        {**key, "step": step, "source": source, **nothing, **columns}
        for step, columns in enumerate(labels)
    ]


def read_labels(path: Path) -> dict[Key, dict[int, dict[str, Any]]]:
    """The rows of a table of labels by solution and step.

    Raises:
        InputError: as for `parquet.read`, or the table has several sources.
    """
    found: dict[Key, dict[int, dict[str, Any]]] = {}
    sources = set()
    for row in parquet.read(path, LABELS).to_pylist():
        sources.add(row["source"])
        found.setdefault(solution_of(row), {})[row["step"]] = row
    if len(sources) > 1:
        raise InputError(
            path,
            expected="labels from a single source",
            found=f"some from {', '.join(sorted(sources))}",
            remedy="keep one, or combine tables of one source each by agree-labels",
        )
    return found


def refuse_other_labels(
    path: Path, labels: Mapping[Key, Mapping[int, Row]], lengths: Mapping[Key, int], solutions: str
) -> None:
    """Refuse labels of other solutions, or of steps that a solution does not have.

    Args:
        path: the table of `labels`, which are as from `read_labels`.
        lengths: the number of steps of each solution.
        solutions: the files of the solutions.

    Raises:
        InputError: says which label.
    """
    for key, steps in labels.items():
        if key not in lengths:
            raise InputError(
                path, expected=f"labels of solutions in {solutions}", found=f"one of {shown(key)}"
            )
        if max(steps) >= lengths[key]:
            raise InputError(
                path,
                expected=f"steps 0 to {lengths[key] - 1} of {shown(key)}",
                found=f"a label of step {max(steps)}",
            )
