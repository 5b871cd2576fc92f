"""Entry point `shuffle_steps`: swap reasoning between solutions, to test which models read more than the end."""

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
    """Replace the intermediate steps of every solution with steps of solutions to other questions.

    The last step is kept, and with it the parsed answer and the outcome: a reward model whose rewards do not change
    has read nothing else. Step labels become null, since nobody has judged the steps in their new context.

    Args:
        solutions: solutions table of one category.
        dataset: dataset name for the rows.
        output: solutions table, with the same keys except for `dataset`; solutions with a single step are unchanged.
        seed: seed of the study.

    Raises:
        InputError: the other questions have fewer intermediate steps than a solution needs.
    """
    rows = parquet.read(solutions, SOLUTIONS).to_pylist()
    shuffled = with_shuffled_steps(rows, seed, solutions)
    origin = origin_of(__name__, {"dataset": dataset, "seed": seed}, [solutions])
    parquet.write(output, SOLUTIONS, [{**row, "dataset": dataset} for row in shuffled], origin)
    short = sum(len(row["steps"]) == 1 for row in rows)
    logger.info("%s: %d solutions, %d of them unchanged (one step)", dataset, len(rows), short)


def with_shuffled_steps(rows: Sequence[Row], seed: int, where: Path) -> list[dict[str, Any]]:
    """The solutions, in their order, with intermediate steps drawn from those of other questions.

    Each solution draws without replacement, uniformly over the intermediate steps of other questions in its table;
    the order of rows has no influence.

    Args:
        where: the table, for errors.

    Raises:
        InputError: as `shuffle_steps`.
    """
    # Sorted by question, so that the steps of one question are a slice.
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
                expected=f"at least {n_wanted} intermediate steps of questions other than {row['question_id']}",
                found=str(n_others),
                remedy="shuffle more questions together",
            )
        generator = item_generator(seed, "shuffle_steps", *(row[name] for name in SOLUTIONS.key))
        places = generator.choice(n_others, n_wanted, replace=False) if n_wanted else ()
        drawn = [steps[place if place < end - n_own else place + n_own] for place in places]
        shuffled.append({**row, "steps": [*drawn, row["steps"][-1]], "step_labels": None})
    return shuffled
