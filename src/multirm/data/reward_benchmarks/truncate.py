"""Entry point `truncate_responses`: responses of which only the first characters are shown, beside the whole ones."""

import logging
from pathlib import Path
from typing import Any

from multirm.errors import InputError, shown
from multirm.running.arguments import OutputFile, entry
from multirm.running.numbers import Count
from multirm.running.provenance import origin_of
from multirm.tables import parquet
from multirm.tables.responses import RESPONSES, Benchmark
from multirm.tables.schema import Row
from multirm.tables.solutions import SOLUTIONS

logger = logging.getLogger(__name__)


@entry
def truncate_responses(
    responses: Path,
    solutions: Path,
    characters: list[Count],
    output: OutputFile,
    output_solutions: OutputFile,
) -> None:
    """Add truncated variants of responses, to see from how much of a response a reward model knows the better one.

    A response ends at the last word that fits. One that is no longer than that is shown whole. Of PRM800K's steps, only
    the last one is truncated.

    Args:
        responses: A table of responses, as written by `read-responses`.
        solutions: The table of solutions that was written beside it.
        characters: How many characters of each response to show, in each variant.
        output: The table of responses to write: the whole ones, then the variants.
        output_solutions: The table of their solutions to write.

    Raises:
        InputError: a number of characters is below 1 or given twice, responses are truncated already, or one has no
            solution.
    """
    if min(characters) < 1 or len(set(characters)) < len(characters):
        raise InputError(
            "--characters", expected="different numbers of at least 1", found=shown(characters)
        )
    rows = parquet.read(responses, RESPONSES).to_pylist()
    texts = {_key(row): row for row in parquet.read(solutions, SOLUTIONS).to_pylist()}
    for row in rows:
        if row["n_shown"] is not None:
            raise InputError(
                responses, expected="whole responses", found=f"{row['n_shown']} characters"
            )
        if _key(row) not in texts:
            raise InputError(
                solutions,
                expected="the text of every response",
                found=f"none of {'/'.join(map(str, _key(row)))}",
            )
    n_ids = 1 + max(row["solution_id"] for row in rows)
    # Ids of variants follow those of whole responses.
    made = [
        {**row, "solution_id": row["solution_id"] + place * n_ids, "n_shown": n_shown}
        for place, n_shown in enumerate([None, *sorted(characters)])
        for row in rows
    ]
    whole = [texts[_key(row)] for row in rows] * (1 + len(characters))
    made_texts = [_shown(*each) for each in zip(made, whole, strict=True)]
    logger.info("%d responses, %d with variants", len(rows), len(made))
    origin = origin_of(__name__, {"characters": sorted(characters)}, [responses, solutions])
    parquet.write_together(
        [(output, RESPONSES, made), (output_solutions, SOLUTIONS, made_texts)], origin
    )


def _key(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in SOLUTIONS.key)


def _shown(variant: Row, whole: Row) -> dict[str, Any]:
    """The solution with the text that a variant of a response shows.

    Args:
        variant: a row of the responses table.
        whole: the solution with the response's whole text.
    """
    steps, n_shown = whole["steps"], variant["n_shown"]
    if n_shown is not None:
        n_before = len(steps) - 1 if variant["benchmark"] == Benchmark.PRM800K else 0
        steps = steps[:n_before] + first_characters(steps[n_before:], n_shown)
    labels = whole["step_labels"]
    return {
        **whole,
        "solution_id": variant["solution_id"],
        "steps": steps,
        "step_labels": None if labels is None else labels[: len(steps)],
    }


def first_characters(steps: list[str], n: int) -> list[str]:
    """The steps up to the last word that ends within `n` characters, without counting what separates steps.

    At least one character is left: a first word that is longer is cut.

    Args:
        n: at least 1.
    """
    kept: list[str] = []
    for step in steps:
        if len(step) > n:
            words = step[: n + 1].rpartition(" ")[0].rstrip()
            if not words and not kept:
                words = step[:n]
            return [*kept, words] if words else kept
        kept.append(step)
        n -= len(step)
        if n < 1:
            break
    return kept
