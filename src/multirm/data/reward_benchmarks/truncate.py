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
    texts = {
        tuple(row[name] for name in SOLUTIONS.key): row
        for row in parquet.read(solutions, SOLUTIONS).to_pylist()
    }
    n_ids = 1 + max(row["solution_id"] for row in rows)
    made: list[dict[str, Any]] = []
    made_texts: list[dict[str, Any]] = []
    for place, n_shown in enumerate([None, *sorted(characters)]):
        for row in rows:
            key = tuple(row[name] for name in SOLUTIONS.key)
            if row["n_shown"] is not None:
                raise InputError(
                    responses, expected="whole responses", found=f"{row['n_shown']} characters"
                )
            if key not in texts:
                raise InputError(
                    solutions,
                    expected="the text of every response",
                    found=f"none of {'/'.join(map(str, key))}",
                )
            # Ids of variants follow those of whole responses.
            variant = {"solution_id": row["solution_id"] + place * n_ids}
            made.append({**row, **variant, "n_shown": n_shown})
            steps = texts[key]["steps"]
            if n_shown is not None:
                n_before = len(steps) - 1 if row["benchmark"] == Benchmark.PRM800K else 0
                steps = steps[:n_before] + first_characters(steps[n_before:], n_shown)
            labels = texts[key]["step_labels"]
            made_texts.append(
                {
                    **texts[key],
                    **variant,
                    "steps": steps,
                    "step_labels": None if labels is None else labels[: len(steps)],
                }
            )
    logger.info("%d responses, %d with variants", len(rows), len(made))
    origin = origin_of(__name__, {"characters": sorted(characters)}, [responses, solutions])
    parquet.write_together(
        [(output, RESPONSES, made), (output_solutions, SOLUTIONS, made_texts)], origin
    )


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
