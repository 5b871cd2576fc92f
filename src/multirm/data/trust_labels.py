"""Entry point `trust_labels`: drop step labels that the rewards of a model trained on them contradict.

This is VersaPRM's self-filtering (arXiv 2502.06737), for which no code is published.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from multirm.errors import InputError, shown
from multirm.running.arguments import OutputFile, entry
from multirm.running.numbers import Fraction
from multirm.running.provenance import origin_of
from multirm.tables import parquet
from multirm.tables.labels import LABELS, LabelReason, LabelSource, label_rows, solution_of
from multirm.tables.rewards import REWARDS, Scale, Unit
from multirm.tables.solutions import SOLUTIONS
from multirm.text.labels import up_to_first_error

logger = logging.getLogger(__name__)


@entry
def trust_labels(
    solutions: Path, rewards: Path, output: OutputFile, tolerance: Fraction = 0.4
) -> None:
    """Label solutions as they are labelled, unless a step's reward differs from its label by more than a tolerance.

    Steps up to the first incorrect one count: the reward model learned no others. Solutions without step labels get
    no rows.

    Args:
        solutions: labelled solutions.
        rewards: rewards of these solutions, a probability per step.
        output: labels table.
        tolerance: the largest difference between a reward and a label that is trusted.

    Raises:
        InputError: the rewards are of other solutions, or are not probabilities of steps.
    """
    rows = parquet.read(solutions, SOLUTIONS).to_pylist()
    scored = {solution_of(row): row for row in parquet.read(rewards, REWARDS).to_pylist()}
    labels, n_labelled, n_trusted = [], 0, 0
    for row in rows:
        if row["step_labels"] is None:
            continue
        n_labelled += 1
        columns = trusted(row["step_labels"], _rewards_of(rewards, scored, row), tolerance)
        n_trusted += columns[0]["label"] is not None
        labels += label_rows(row, LabelSource.SELF_FILTERING, columns)
    origin = origin_of(__name__, {"tolerance": tolerance}, [solutions, rewards])
    parquet.write(output, LABELS, labels, origin)
    logger.info("trusted the labels of %d of %d labelled solutions", n_trusted, n_labelled)


def trusted(
    step_labels: Sequence[int], rewards: Sequence[float | None], tolerance: float
) -> list[dict[str, Any]]:
    """The columns of labels for each step: its label, or null for all steps, with the reason."""
    learned = up_to_first_error(step_labels) or []
    pairs = list(zip(learned, rewards, strict=False))
    if any(reward is None for _, reward in pairs):
        return [{"label": None, "reason": LabelReason.NO_REWARD} for _ in step_labels]
    if any(abs(label - (reward or 0.0)) > tolerance for label, reward in pairs):
        return [{"label": None, "reason": LabelReason.CONTRADICTED} for _ in step_labels]
    return [{"label": label} for label in step_labels]


def _rewards_of(
    path: Path, scored: dict[tuple[Any, ...], dict[str, Any]], row: dict[str, Any]
) -> list[float | None]:
    key = solution_of(row)
    if key not in scored:
        raise InputError(path, expected=f"rewards of {shown(key)}", found="none")
    found = scored[key]
    if (found["unit"], found["scale"]) != (Unit.STEP, Scale.PROBABILITY):
        raise InputError(
            path,
            expected="a probability per step",
            found=f"unit {found['unit']}, scale {found['scale']}",
            remedy="use the rewards of a dPRM",
        )
    if len(found["rewards"]) != len(row["steps"]):
        raise InputError(
            path,
            expected=f"{len(row['steps'])} rewards of {shown(key)}",
            found=str(len(found["rewards"])),
        )
    rewards: list[float | None] = found["rewards"]
    return rewards
