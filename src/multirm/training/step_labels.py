"""What a process reward model learns about each step: a label or a value, from a solutions table or a labels table."""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from multirm.errors import InputError, shown
from multirm.formats.trl import StepwiseSolution
from multirm.models.training_method import Targets
from multirm.tables.labels import Key, read_labels, solution_of
from multirm.tables.reward_models import Kind
from multirm.tables.schema import Row

logger = logging.getLogger(__name__)

Target = int | float
"""A label, 0 or 1, or a value from 0 to 1."""

StepLabels = Mapping[int, tuple[int | None, float | None]]
"""The label and the value of some of a solution's steps, by position; one of the two is known."""

NO_VARIANTS = "train on other data; why replies became no variants is in the table of augmentations"

CORRECT_FROM = 0.5
"""The lowest value that counts as correct where a step is either correct or not."""


@dataclass(frozen=True)
class LabelsTable:
    """A labels table, and the dataset whose solutions it labels if they are named otherwise in it."""

    path: Path
    dataset: str | None = None

    @classmethod
    def parse(cls, word: str) -> Self:
        """From PATH or DATASET=PATH."""
        dataset, equals, path = word.partition("=")
        return cls(Path(path), dataset) if equals and not Path(word).exists() else cls(Path(word))


def read_tables(tables: Iterable[LabelsTable]) -> dict[Key, StepLabels]:
    """The labels and values in labels tables, by solution and step; solutions without any have none.

    Raises:
        InputError: a table has several sources, a solution is in several tables, or a named dataset has no labels.
    """
    found: dict[Key, StepLabels] = {}
    n_labelled = Counter[str]()
    for table in tables:
        read = read_labels(table.path)
        n_labelled[table.dataset or ""] += len(read)
        for key, steps in read.items():
            # A chosen dataset has the solutions that were labelled, under its own name.
            key = (table.dataset or key[0], *key[1:])
            if key in found:
                raise InputError(
                    table.path,
                    expected="each solution in one of the labels tables",
                    found=f"{shown(key)} in another one as well",
                )
            known = {step: (row["label"], row["value"]) for step, row in steps.items()}
            found[key] = {step: each for step, each in known.items() if each != (None, None)}
    for dataset, n in n_labelled.items():
        if dataset and not n:
            raise InputError(
                f"labels of {dataset}", expected="some", found="none", remedy=NO_VARIANTS
            )
    return found


def labels_of_stepwise(
    rows: Sequence[Row], solutions: Sequence[StepwiseSolution]
) -> dict[Key, StepLabels]:
    """The labels and values of TRL's stepwise data, by solution and step.

    Args:
        rows: the rows of a solutions table that were made of `solutions`, in the same order.
    """
    return {
        solution_of(row): {
            step: known
            for step, known in enumerate(zip(solution.labels, solution.values, strict=True))
            if known != (None, None)
        }
        for row, solution in zip(rows, solutions, strict=True)
    }


def require_labelled(
    rows: Iterable[Row], tables: Sequence[LabelsTable], labels: Mapping[Key, StepLabels]
) -> None:
    """Refuse labels tables that are about other solutions, or about steps that a solution does not have.

    Args:
        tables: the labels tables.
        labels: what is in them.

    Raises:
        InputError: none of the solutions is in `labels`, or one has fewer steps than labels.
    """
    source = ", ".join(str(table.path) for table in tables)
    n_found = 0
    for row in rows:
        steps = labels.get(solution_of(row))
        if steps is None:
            continue
        n_found += 1
        if max(steps, default=0) >= len(row["steps"]):
            raise InputError(
                source,
                expected=f"labels of {len(row['steps'])} steps of solution {shown(solution_of(row))}",
                found=f"one of step {max(steps)}, counted from 0",
                remedy="give the solutions that were labelled",
            )
    if tables and not n_found:
        raise InputError(
            source,
            expected="labels of some of the solutions",
            found=f"of others, such as {shown(next(iter(labels)))}" if labels else "none",
            remedy="dataset, category and ids must be equal; write DATASET=PATH if only the dataset differs",
        )
    if tables:
        logger.info("%s: labels of %d solutions", source, n_found)


def step_targets(
    kind: Kind,
    outcome: int | None,
    step_labels: Sequence[int] | None,
    n_steps: int,
    labels: StepLabels | None = None,
    targets: Targets = Targets.LABELS,
) -> dict[int, Target] | None:
    """The training targets, by the step's 0-based position; None if there are none.

    dORM learns the outcome, at the last step. dPRM learns the step labels up to and including the first target that
    is 0: after a step that cannot be right, "correct" has no meaning.

    Args:
        labels: of a solution in a labels table; they replace `step_labels`, and other steps have no target.
        targets: whether to learn its labels or its values.
    """
    if kind is Kind.DORM:
        return None if outcome is None else {n_steps - 1: outcome}
    if labels is None:
        labels = {step: (label, None) for step, label in enumerate(step_labels or ())}
    learned: dict[int, Target] = {}
    for step in sorted(labels):
        target = _target(*labels[step], targets)
        if target is not None:
            learned[step] = target
        if target == 0:
            break
    return learned or None


def _target(label: int | None, value: float | None, targets: Targets) -> Target | None:
    if targets is Targets.VALUES and value is not None:
        return value
    return label
