"""Entry point `add_noise`: flip some labels, to measure how label noise affects training."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from multirm.errors import InputError
from multirm.running.arguments import OutputFile, entry
from multirm.running.numbers import Fraction, Seed
from multirm.running.provenance import origin_of
from multirm.running.randomness import item_generator
from multirm.tables import parquet
from multirm.tables.schema import Row
from multirm.tables.solutions import SOLUTIONS, SOLUTIONS_IF_ANY
from multirm.text.labels import flipped, outcome_from_steps

logger = logging.getLogger(__name__)


@entry
def add_noise(
    solutions: Path,
    dataset: str,
    output: OutputFile,
    seed: Seed,
    share: Fraction = 1.0,
    steps: Fraction = 0.0,
    outcomes: Fraction = 0.0,
) -> None:
    """Flip labels of randomly chosen solutions; everything else is unchanged.

    With the same seed, the labels flipped at a smaller probability or share are a subset of those flipped at a
    larger one. Noise added to a noisy dataset is independent of its noise.

    Args:
        solutions: solutions table.
        dataset: dataset name for the rows.
        output: solutions table, with the same keys except for `dataset`.
        seed: seed of the study.
        share: probability that a solution is noisy; the labels of the others are kept.
        steps: probability that a step label of a noisy solution is flipped, independently for each.
        outcomes: probability that the outcome label of a noisy solution is flipped.

    Raises:
        InputError: no solution has the labels to flip.
    """
    rows: list[Row] = parquet.read(solutions, SOLUTIONS_IF_ANY).to_pylist()
    if rows:
        _require_labels(solutions, rows, steps, outcomes)
    noisy = [with_noise(row, seed, share, steps, outcomes) for row in rows]
    parameters = {
        "dataset": dataset,
        "seed": seed,
        "share": share,
        "steps": steps,
        "outcomes": outcomes,
    }
    origin = origin_of(__name__, parameters, [solutions])
    parquet.write(output, SOLUTIONS, [{**row, "dataset": dataset} for row in noisy], origin)
    changed = sum(row != other for row, other in zip(rows, noisy, strict=True))
    logger.info("%s: flipped labels of %d of %d solutions", dataset, changed, len(rows))


def with_noise(row: Row, seed: int, share: float, steps: float, outcomes: float) -> dict[str, Any]:
    """A solution with labels flipped at the probabilities of `add_noise`.

    Step labels and the outcome are flipped independently, because the former come from whoever labelled the steps,
    the latter from the reference answer. Without a reference answer, the outcome follows from the noisy step
    labels and has no noise of its own. Missing labels stay missing. Steps after the first incorrect one are flipped
    as well: what counts after an error is up to the readers of step labels.
    """
    generator = item_generator(seed, "noise", *(row[name] for name in SOLUTIONS.key))
    is_noisy = generator.random() < share
    labels = row["step_labels"]
    if labels is not None:
        labels = flipped(labels, steps if is_noisy else 0.0, generator)
    outcome = row["outcome"]
    if _has_own_outcome(row):
        outcome = flipped([outcome], outcomes if is_noisy else 0.0, generator)[0]
    elif outcome is not None and labels != row["step_labels"]:
        outcome = outcome_from_steps(labels)
    return {**row, "outcome": outcome, "step_labels": labels}


def _has_own_outcome(row: Mapping[str, Any]) -> bool:
    return row["outcome"] is not None and (row["answer"] is not None or row["step_labels"] is None)


def _require_labels(path: Path, rows: Sequence[Row], steps: float, outcomes: float) -> None:
    if steps > 0 and all(row["step_labels"] is None for row in rows):
        raise InputError(
            path,
            expected="step labels to flip",
            found="none",
            remedy="leave out noise on steps",
        )
    if outcomes > 0 and not any(map(_has_own_outcome, rows)):
        raise InputError(
            path,
            expected="outcome labels to flip, of solutions with a reference answer",
            found="none",
            remedy="leave out noise on outcomes",
        )
