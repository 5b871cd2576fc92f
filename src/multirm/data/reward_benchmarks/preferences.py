"""Entry point `prefer_responses`: responses as preferences to train on, such as UltraFeedback's and HelpSteer3's."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from multirm.errors import InputError
from multirm.running.arguments import OutputFile, entry
from multirm.running.provenance import origin_of
from multirm.tables import parquet
from multirm.tables.preferences import PREFERENCES, PreferenceKind
from multirm.tables.responses import RESPONSES, Benchmark
from multirm.tables.schema import Row
from multirm.tables.solutions import SOLUTIONS

logger = logging.getLogger(__name__)

_QUESTION = ("dataset", "category", "question_id")


@entry
def prefer_responses(responses: Path, solutions: Path, output: OutputFile) -> None:
    """Write each better response to a prompt with each worse one as a preference, to train a reward model on.

    Pairs with the same text on both sides are left out; a warning counts them.

    Args:
        responses: A table of responses, as written by `read-responses`.
        solutions: The table of solutions that was written beside it.
        output: The table of preferences to write.

    Raises:
        InputError: a response has no solution, is truncated, or no pair is left.
    """
    texts = {_key(row): row for row in parquet.read(solutions, SOLUTIONS).to_pylist()}
    of_questions: dict[tuple[Any, ...], list[Row]] = {}
    for row in parquet.read(responses, RESPONSES).to_pylist():
        if row["n_shown"] is not None:
            found = f"{row['n_shown']} characters"
            raise InputError(responses, expected="whole responses", found=found)
        if _key(row) not in texts:
            raise InputError(
                solutions,
                expected="the text of every response",
                found=f"none of {'/'.join(map(str, _key(row)))}",
            )
        of_questions.setdefault(_key(row)[:-1], []).append(row)
    every = [pair for rows in of_questions.values() for pair in _pairs(rows, texts)]
    pairs = [pair for pair in every if pair["chosen"] != pair["rejected"]]
    if len(pairs) < len(every):
        logger.warning("left out %d pairs of equal texts", len(every) - len(pairs))
    if not pairs:
        raise InputError(responses, expected="better and worse responses to a prompt", found="none")
    logger.info("%d preferences from %d prompts", len(pairs), len(of_questions))
    parquet.write(output, PREFERENCES, pairs, origin_of(__name__, {}, [responses, solutions]))


def _pairs(rows: Sequence[Row], texts: Mapping[tuple[Any, ...], Row]) -> Iterator[dict[str, Any]]:
    """The preferences among the responses to a prompt."""
    better, worse = ([row for row in rows if row["is_chosen"] is side] for side in (True, False))
    sides = [(chosen, rejected) for chosen in better for rejected in worse]
    for pair_id, (chosen, rejected) in enumerate(sides):
        is_step = chosen["benchmark"] == Benchmark.PRM800K
        yield {
            **{name: chosen[name] for name in _QUESTION},
            "pair_id": pair_id,
            "kind": PreferenceKind.PROCESS if is_step else PreferenceKind.OUTCOME,
            "question": texts[_key(chosen)]["question"],
            "chosen": texts[_key(chosen)]["steps"],
            "rejected": texts[_key(rejected)]["steps"],
            "chosen_solution_id": chosen["solution_id"],
            "rejected_solution_id": rejected["solution_id"],
            **dict.fromkeys(("chosen_value", "rejected_value")),
            **dict.fromkeys(("chosen_n_leaves", "rejected_n_leaves")),
            "margin": chosen["margin"],
        }


def _key(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in SOLUTIONS.key)
