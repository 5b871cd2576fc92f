"""Entry point `shuffle_steps`: solutions whose reasoning is not their own, to see who reads more than the end."""

import logging
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

from multirm.errors import InputError
from multirm.running.arguments import OutputFile, entry
from multirm.running.numbers import Seed
from multirm.running.provenance import origin_of
from multirm.running.randomness import item_generator
from multirm.tables import parquet
from multirm.tables.schema import Row
from multirm.tables.solutions import SOLUTIONS, pool_of

logger = logging.getLogger(__name__)


@entry
def shuffle_steps(solutions: Path, dataset: str, output: OutputFile, seed: Seed) -> None:
    """Replace the intermediate steps of every solution by some of solutions to other questions.

    The last step stays, and with it the parsed answer and the outcome: a reward model that judges as before
    has looked at nothing else. Step labels are null, since nobody has judged the steps where they are now.

    Args:
        solutions: solutions table of one category.
        dataset: name that the rows get as their dataset.
        output: solutions table, with the same keys but for `dataset`; solutions of one step have no
            intermediate one, and keep theirs.
        seed: seed of the study.

    Raises:
        InputError: the other questions have fewer intermediate steps than a solution needs.
    """
    rows = parquet.read(solutions, SOLUTIONS).to_pylist()
    shuffled = with_shuffled_steps(rows, seed, solutions)
    origin = origin_of(__name__, {"dataset": dataset, "seed": seed}, [solutions])
    parquet.write(output, SOLUTIONS, [{**row, "dataset": dataset} for row in shuffled], origin)
    short = sum(len(row["steps"]) == 1 for row in rows)
    logger.info("%s: %d solutions, %d of one step, which stays", dataset, len(rows), short)


def with_shuffled_steps(rows: Sequence[Row], seed: int, where: Path) -> list[dict[str, Any]]:
    """The solutions, in their order, with intermediate steps drawn from those of other questions.

    Each solution draws without replacement, uniformly over all intermediate steps of its table, whatever the
    order of the rows.

    Args:
        where: the table, for the message.

    Raises:
        InputError: as `shuffle_steps`.
    """
    # In the order of questions, those of one question are a slice.
    ordered = sorted(rows, key=lambda row: tuple(row[name] for name in SOLUTIONS.key))
    steps = [step for row in ordered for step in row["steps"][:-1]]
    counts: Counter[tuple[str, ...]] = Counter()
    for row in ordered:
        counts[pool_of(row)] += len(row["steps"]) - 1
    ends = dict(zip(counts, accumulate(counts.values()), strict=True))
    shuffled = []
    for row in rows:
        question, n_wanted = pool_of(row), len(row["steps"]) - 1
        n_own, end = counts[question], ends[question]
        n_others = len(steps) - n_own
        if n_wanted > n_others:
            raise InputError(
                where,
                expected=f"at least {n_wanted} intermediate steps of other questions than {row['question_id']}",
                found=str(n_others),
                remedy="shuffle more questions at once",
            )
        generator = item_generator(seed, "shuffle_steps", *(row[name] for name in SOLUTIONS.key))
        places = generator.choice(n_others, n_wanted, replace=False) if n_wanted else ()
        drawn = [steps[place if place < end - n_own else place + n_own] for place in places]
        shuffled.append({**row, "steps": [*drawn, row["steps"][-1]], "step_labels": None})
    return shuffled
