"""Entry point `take`: a subset of a dataset's questions, solutions or steps; smaller subsets lie in larger ones."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from multirm.errors import InputError
from multirm.running.arguments import OutputFile, entry
from multirm.running.numbers import Count, Seed
from multirm.running.provenance import origin_of
from multirm.running.randomness import item_seed
from multirm.tables import parquet
from multirm.tables.schema import Row
from multirm.tables.solutions import SOLUTIONS

logger = logging.getLogger(__name__)


@entry
def take(
    solutions: Path,
    dataset: str,
    output: OutputFile,
    seed: Seed,
    questions: Count | None = None,
    per_question: Count | None = None,
    steps: Count | None = None,
) -> None:
    """Keep some questions, some solutions to each question, or the first steps of each solution.

    The choice depends on the seed and on question and solution ids, but not on the dataset's name or the order of
    rows: with the same seed, 10 questions are among the 20, and a dataset with noise gets the same questions as
    without. A null limit keeps everything.

    Args:
        solutions: solutions table of one category.
        dataset: dataset name for the rows.
        output: solutions table, rows in the order of `solutions`.
        seed: seed of the study.
        questions: how many questions to keep, drawn at random.
        per_question: how many solutions to keep per question, drawn at random; questions with fewer keep all of
            them, and a warning counts them.
        steps: how many steps to keep of each solution, from the first; the parsed answer and outcome remain those
            of the whole solution.

    Raises:
        InputError: there are too few questions, or no question has enough solutions.
    """
    rows: list[Row] = parquet.read(solutions, SOLUTIONS).to_pylist()
    _require_enough(solutions, rows, questions, per_question)
    kept = take_questions(rows, questions, seed)
    kept = take_solutions(kept, per_question, seed)
    taken = [{**first_steps(row, steps), "dataset": dataset} for row in kept]
    parameters = {
        "dataset": dataset,
        "seed": seed,
        "questions": questions,
        "per_question": per_question,
        "steps": steps,
    }
    origin = origin_of(__name__, parameters, [solutions])
    parquet.write(output, SOLUTIONS, taken, origin)
    logger.info("%s: %d of %d solutions", dataset, len(taken), len(rows))


def take_questions(rows: Sequence[Row], limit: int | None, seed: int) -> list[Row]:
    """The rows of `limit` questions (or of all, if there are fewer), in the order given.

    Questions are drawn by the seed, their category and their id.
    """
    if limit is None:
        return list(rows)
    kept = set(_drawn({_question(row) for row in rows}, limit, seed, "take_questions"))
    return [row for row in rows if _question(row) in kept]


def take_solutions(rows: Sequence[Row], limit: int | None, seed: int) -> list[Row]:
    """The rows of `limit` solutions to each question (or of all, if it has fewer), in the order given."""
    if limit is None:
        return list(rows)
    kept: set[tuple[str | int, ...]] = set()
    for keys in _by_question(rows).values():
        kept.update(_drawn(keys, limit, seed, "take_solutions"))
    return [row for row in rows if _solution(row) in kept]


def first_steps(row: Row, limit: int | None) -> dict[str, Any]:
    """A solution cut to its first `limit` steps, with their labels."""
    labels = row["step_labels"]
    return {
        **row,
        "steps": row["steps"][:limit],
        "step_labels": None if labels is None else labels[:limit],
    }


def _drawn(
    keys: Iterable[tuple[str | int, ...]], limit: int, seed: int, what: str
) -> list[tuple[str | int, ...]]:
    return sorted(keys, key=lambda key: item_seed(seed, what, *key))[:limit]


def _question(row: Row) -> tuple[str, str]:
    return row["category"], row["question_id"]


def _solution(row: Row) -> tuple[str, str, int]:
    return *_question(row), row["solution_id"]


def _by_question(rows: Iterable[Row]) -> dict[tuple[str, str], list[tuple[str, str, int]]]:
    """The keys of the solutions to each question."""
    found = defaultdict(list)
    for row in rows:
        found[_question(row)].append(_solution(row))
    return found


def _require_enough(
    path: Path, rows: Sequence[Row], questions: int | None, per_question: int | None
) -> None:
    pools = [len(keys) for keys in _by_question(rows).values()]
    if questions is not None and questions > len(pools):
        raise InputError(
            path,
            expected=f"at least {questions} questions",
            found=str(len(pools)),
            remedy="take at most that many",
        )
    if per_question is None:
        return
    if per_question > max(pools):
        raise InputError(
            path,
            expected=f"at least {per_question} solutions to a question",
            found=f"at most {max(pools)}",
            remedy="take at most that many",
        )
    if fewer := sum(pool < per_question for pool in pools):
        logger.warning(
            "%s: %d of %d questions have fewer than %d solutions, and keep all of them",
            path, fewer, len(pools), per_question,
        )  # fmt: skip
