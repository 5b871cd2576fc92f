"""Entry point `demonstrate_task`: write conversations from known solutions, to teach a backbone the tasks of a chat.

The miniature's backbone learns them in pretraining, and can then make the data of a study as a large chat model would.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from multirm.running.arguments import OutputFile, entry
from multirm.running.numbers import CountOrZero, Seed
from multirm.running.provenance import origin_of
from multirm.running.randomness import item_generator
from multirm.tables import parquet
from multirm.tables.conversations import CONVERSATIONS, ChatTask
from multirm.tables.critique_rows import solution_key
from multirm.tables.solutions import SOLUTIONS
from multirm.text.solving import (
    SolveTemplates,
    choose_exemplars,
    join_steps,
    load_solve_templates,
    solve_template_files,
    solve_turns,
)

logger = logging.getLogger(__name__)

Row = Mapping[str, Any]


@entry
def demonstrate_task(
    task: ChatTask, solutions: Path, output: OutputFile, seed: Seed, shots: CountOrZero = 1
) -> None:
    """Write a conversation about each solution, in the form in which a chat model is asked to do a task.

    Args:
        task: solve.
        solutions: solutions table with answers; solutions without a reference answer get no row.
        output: conversations table.
        seed: seed of the study.
        shots: exemplars before the question, drawn for each conversation from the correct solutions of the table.
    """
    rows = parquet.read(solutions, SOLUTIONS).to_pylist()
    files = solve_template_files()
    templates = load_solve_templates(*files)
    conversations = list(_solving(rows, templates, shots, seed, solutions))
    parameters = {"task": task, "shots": shots, "seed": seed}
    origin = origin_of(__name__, parameters, [solutions, *files])
    parquet.write(output, CONVERSATIONS, conversations, origin)
    logger.info("%d conversations from %d solutions", len(conversations), len(rows))


def _solving(
    rows: Sequence[Row], templates: SolveTemplates, shots: int, seed: int, where: Path
) -> Iterator[dict[str, Any]]:
    """Exemplars and the question, and the solution as the reply."""
    for row in rows:
        if row["answer"] is not None:
            key = solution_key(row)
            drawn = item_generator(seed, "demonstration", ChatTask.SOLVE, *key.values())
            shuffled = (rows[place] for place in drawn.permutation(len(rows)))
            exemplars = choose_exemplars(shuffled, row, shots, where)
            yield {
                **key,
                "task": ChatTask.SOLVE,
                "turns": solve_turns(templates, exemplars, row),
                "reply": join_steps(row["steps"]),
            }
