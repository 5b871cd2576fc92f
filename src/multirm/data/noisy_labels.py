"""Entry point `add_noise_to_labels`: flip the labels in a labels table as `add_noise` flips those of its solutions.

Of variants of solutions and of PRM800K's alternatives, reward models learn only the steps in the labels table; so they
do with noise.
"""

import logging
from pathlib import Path
from typing import Any

from multirm.data.noise import with_noise
from multirm.errors import InputError
from multirm.running.arguments import OutputFile, entry
from multirm.running.numbers import Fraction, Seed
from multirm.running.provenance import origin_of
from multirm.tables import parquet
from multirm.tables.labels import LABELS, read_labels, solution_of
from multirm.tables.schema import Row
from multirm.tables.solutions import SOLUTIONS_IF_ANY

logger = logging.getLogger(__name__)


@entry
def add_noise_to_labels(
    solutions: Path,
    labels: Path,
    dataset: str,
    output: OutputFile,
    seed: Seed,
    share: Fraction = 1.0,
    steps: Fraction = 0.0,
) -> None:
    """Flip labels of steps where `add_noise` flips step labels; steps without a label still have none.

    Args:
        solutions: solutions table, as given to `add-noise`.
        labels: labels table of these solutions and possibly of others, whose dataset may have another name.
        dataset: dataset name for the rows, that of the noisy solutions.
        output: labels table of the solutions that have labels.
        seed: seed of the study.
        share: probability that a solution is noisy.
        steps: probability that a label of a noisy solution is flipped, independently for each.

    Raises:
        InputError: the labels are of other solutions, or of steps that these do not have.
    """
    rows = parquet.read(solutions, SOLUTIONS_IF_ANY).to_pylist()
    found = {key[1:]: of_steps for key, of_steps in read_labels(labels).items()}
    noisy = []
    for row in rows:
        of_steps = found.get(solution_of(row)[1:], {})
        if max(of_steps, default=0) >= len(row["steps"]):
            raise InputError(
                labels,
                expected=f"labels of {len(row['steps'])} steps of solution {row['solution_id']}",
                found=f"one of step {max(of_steps)}, counted from 0",
            )
        flips = flipped_steps(row, seed, share, steps)
        noisy += [
            {**(flipped_label(label) if flips[step] else label), "dataset": dataset}
            for step, label in of_steps.items()
        ]
    if found and rows and not noisy:
        raise InputError(labels, expected=f"labels of solutions in {solutions}", found="others")
    parameters = {"dataset": dataset, "seed": seed, "share": share, "steps": steps}
    origin = origin_of(__name__, parameters, [solutions, labels])
    parquet.write(output, LABELS, noisy, origin)
    logger.info("%s: %d labels of %d solutions", dataset, len(noisy), len(rows))


def flipped_steps(row: Row, seed: int, share: float, steps: float) -> list[bool]:
    """For each of a solution's steps, whether `add_noise` flips its label, if it has one."""
    all_bad = {**row, "step_labels": [0] * len(row["steps"])}
    return list(map(bool, with_noise(all_bad, seed, share, steps, 0.0)["step_labels"]))


def flipped_label(row: Row) -> dict[str, Any]:
    """A row of the labels table with the opposite label and value; the votes that were against it agree with it."""
    changed: dict[str, Any] = {}
    if row["label"] is not None:
        changed["label"] = 1 - row["label"]
    if row["value"] is not None:
        changed["value"] = 1 - row["value"]
    if row["n_agreeing"] is not None:
        changed["n_agreeing"] = row["n_votes"] - row["n_agreeing"]
    return {**row, **changed}
