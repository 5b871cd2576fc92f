"""TRL's stepwise data: `{"prompt": …, "completions": [step, …], "labels": [true, …]}`, one object per line.

TRL (github.com/huggingface/trl) trained process reward models on it; a label is about the step in its place.
"""

import hashlib
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from multirm.errors import InputError, shown
from multirm.formats.json_source import Record, each, files_of, read_json_lines
from multirm.tables.schema import Row
from multirm.text.labels import outcome_from_steps

PATTERN = "*.jsonl"
_DIGITS = 16


@dataclass(frozen=True)
class StepwiseSolution:
    """A prompt and its steps, with what is known of each step.

    Attributes:
        where: its place in the file.
        prompt: the question.
        steps: none of them empty.
        labels: for each step, 1 (true), 0 (false) or None (null, or a fraction).
        values: for each step, a soft label from 0 to 1 (a number), or None (true, false or null).
        n_empty: how many empty steps were left out, with their labels.
    """

    where: str
    prompt: str
    steps: list[str]
    labels: list[int | None]
    values: list[float | None]
    n_empty: int

    @property
    def step_labels(self) -> list[int] | None:
        """The labels; None unless every step has one."""
        known = [label for label in self.labels if label is not None]
        return known if len(known) == len(self.steps) else None


def read_stepwise(source: Sequence[str | Path]) -> list[StepwiseSolution]:
    """Read files, or the files named `*.jsonl` in folders. Empty steps are left out with their labels.

    Raises:
        InputError: a row has other keys or types, no steps, or not as many labels as steps.
    """
    files = files_of([str(place) for place in source], PATTERN)
    return list(each(read_json_lines(files), _solutions_of))


def solution_rows(solutions: Sequence[StepwiseSolution], dataset: str, category: str) -> list[Row]:
    """Rows of a solutions table: those with the same prompt are solutions to one question.

    A question's id is a digest of its text, so that files can be put together. There are no answers; the outcome
    is 1 if all steps are correct, and null unless all have labels.
    """
    counted: Counter[str] = Counter()
    rows: list[Row] = []
    for solution in solutions:
        question_id = hashlib.sha256(solution.prompt.encode()).hexdigest()[:_DIGITS]
        labels = solution.step_labels
        rows.append(
            {
                "dataset": dataset,
                "category": category,
                "question_id": question_id,
                "solution_id": counted[question_id],
                "question": solution.prompt,
                "answer": None,
                "steps": solution.steps,
                "parsed_answer": None,
                "outcome": None if labels is None else outcome_from_steps(labels),
                "step_labels": labels,
            }
        )
        counted[question_id] += 1
    return rows


def _solutions_of(_: int, record: Record) -> Iterator[StepwiseSolution]:
    steps, given = record.texts("completions"), record.items("labels")
    if len(steps) != len(given):
        raise record.error(
            "labels", expected=f"one for each of {len(steps)} completions", found=str(len(given))
        )
    pairs = [(step, _label(record, k, given[k])) for k, step in enumerate(steps)]
    kept = [(step, label) for step, label in pairs if step]
    if not kept:
        raise record.error("completions", expected="at least one step with text", found="none")
    yield StepwiseSolution(
        record.where,
        record.text("prompt"),
        [step for step, _ in kept],
        [int(label) if isinstance(label, bool) else None for _, label in kept],
        [None if isinstance(label, bool) else label for _, label in kept],
        len(pairs) - len(kept),
    )


def _label(record: Record, step: int, value: Any) -> bool | float | None:
    if value is None or isinstance(value, bool):
        return value
    # Also refuses NaN, and -100, which elsewhere marks tokens without loss.
    if isinstance(value, int | float) and math.isfinite(value) and 0 <= value <= 1:
        return float(value)
    raise InputError(
        f"{record.where}, key labels[{step}]",
        expected="true, false, or a number from 0 to 1",
        found=shown(value),
        remedy="a step without a label has null",
    )
