"""Entry point `agree_labels`: keep labels of solutions whose first bad step several sources agree on.

This is the consensus filtering of Qwen's process reward models (arXiv 2501.07301), for any number of sources.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from multirm.errors import InputError
from multirm.running.arguments import OutputFile, entry
from multirm.running.provenance import origin_of
from multirm.tables import parquet
from multirm.tables.labels import LABELS, LabelReason, LabelSource, label_rows, read_labels
from multirm.tables.solutions import SOLUTIONS
from multirm.text.labels import after_first_error, up_to_first_error

logger = logging.getLogger(__name__)


@entry
def agree_labels(labels: list[Path], output: OutputFile) -> None:
    """Label the solutions whose first bad step is the same, or missing, according to all sources.

    If they disagree, or one of them does not know, all of the solution's labels are null, with the reason. Steps after
    the last one that any table has a row of get no row either, so such a solution is not known to have no bad step.

    Args:
        labels: tables of labels of the same solutions, a source each.
        output: labels table.

    Raises:
        InputError: there are fewer than two tables, a table twice, or a table with labels from several sources.
    """
    files = {path.resolve() for path in labels}
    if len(labels) < 2 or len(files) < len(labels):
        raise InputError(
            "--labels", expected="at least two tables", found=", ".join(map(str, labels)) or "none"
        )
    tables = [read_labels(path) for path in labels]
    rows, n_agreed = [], 0
    for key in dict.fromkeys(key for table in tables for key in table):
        agreed = consensus([table.get(key, {}) for table in tables])
        n_agreed += agreed[0]["label"] is not None
        solution = dict(zip(SOLUTIONS.key, key, strict=True))
        rows += label_rows(solution, LabelSource.CONSENSUS, agreed)
    parquet.write(output, LABELS, rows, origin_of(__name__, {}, labels))
    n_solutions = len({tuple(row[name] for name in SOLUTIONS.key) for row in rows})
    logger.info("%d sources agree on %d of %d solutions", len(labels), n_agreed, n_solutions)


def consensus(sources: Sequence[Mapping[int, Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """The columns of labels for each step of a solution, from each source's rows by step."""
    n_steps = 1 + max(step for rows in sources for step in rows)
    given = [
        [rows[step]["label"] if step in rows else None for step in range(n_steps)]
        for rows in sources
    ]
    known = [up_to_first_error(labels) for labels in given]
    first = known[0]
    if first is None or any(other != first for other in known):
        reason = _missing(sources, known) or LabelReason.DISAGREEMENT
        return [{"label": None, "reason": reason} for _ in range(n_steps)]
    n = len(sources)
    every = after_first_error([*first, *[0] * (n_steps - len(first))])
    return [{"label": label, "n_votes": n, "n_agreeing": n} for label in every]


def _missing(
    sources: Sequence[Mapping[int, Mapping[str, Any]]], known: Sequence[list[int] | None]
) -> str | None:
    """The reason of the first source that does not know the first bad step; None if all know it."""
    for rows, labels in zip(sources, known, strict=True):
        if labels is None:
            reasons = (rows[step]["reason"] for step in sorted(rows))
            return next((reason for reason in reasons if reason), LabelReason.UNLABELLED)
    return None
