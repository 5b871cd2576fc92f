"""Entry point `add_noise`: solutions some of whose labels are wrong, to measure what label noise does to training."""

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
from multirm.tables.solutions import SOLUTIONS
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
    """Flip labels of a random share of solutions; everything else stays as it is.

    With one seed, the labels that a smaller probability or share flips are a subset of those that a larger one
    flips. Noise on noise is drawn anew.

    Args:
        solutions: solutions table.
        dataset: name that the rows get as their dataset.
        output: solutions table, with the same keys but for `dataset`.
        seed: seed of the study.
        share: probability that a solution is noisy; the labels of the others are kept.
        steps: probability that a step label of a noisy solution is flipped, each by itself.
        outcomes: probability that the outcome label of a noisy solution is flipped.

    Raises:
        InputError: no solution has the labels that are to be flipped.
    """
    rows: list[Row] = parquet.read(solutions, SOLUTIONS).to_pylist()
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
    logger.info("%s: labels of %d of %d solutions are flipped", dataset, changed, len(rows))


def with_noise(row: Row, seed: int, share: float, steps: float, outcomes: float) -> dict[str, Any]:
    """A solution with its labels flipped, with the probabilities of `add_noise`.

    Step labels and the outcome are flipped independently: the one comes from whoever labelled the steps, the
    other from the reference answer. Without a reference answer the outcome has no source but the steps, so it
    follows the noisy step labels and has no noise of its own. Labels that are missing stay missing. A step after
    the first incorrect one keeps the label it draws: readers of step labels decide what counts after an error.
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
            remedy="leave out the noise of steps",
        )
    if outcomes > 0 and not any(map(_has_own_outcome, rows)):
        raise InputError(
            path,
            expected="outcome labels to flip, of solutions with a reference answer",
            found="none",
            remedy="leave out the noise of outcomes",
        )
