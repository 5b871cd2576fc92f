"""BIG-Bench-Mistake (arXiv 2311.08516): one solution to each task, in whose steps people have marked the first mistake.

`mistake_index` is the 0-based position of that step, or null: what follows it counts as incorrect. A category is
a file, such as `word_sorting.jsonl`. A question's id is its 0-based line, in six digits. The outcome label says whether
`answer` equals the reference answer `target`; it can be 1 despite a mistake, and 0 without one.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from multirm.data.numbering import by_position
from multirm.formats.json_source import Placed, Record, each, read_json_lines
from multirm.text.answers import outcome_label


def solutions(files: Sequence[Path]) -> Iterator[Placed]:
    """Rows of the solutions table, without `dataset`."""
    for path in files:
        category = "_".join(path.stem.lower().split())
        rows_of = partial(_solution, category=category)
        yield from each(read_json_lines([path]), rows_of)


def _solution(index: int, record: Record, category: str) -> Iterator[Placed]:
    steps, answer = record.texts("steps"), record.text("target")
    if not steps or not all(steps):
        found = f"an empty one at position {steps.index('')}" if steps else "no steps"
        raise record.error("steps", expected="steps with text", found=found)
    parsed = record.optional_text("answer")
    yield (
        record.where,
        {
            "category": category,
            "question_id": by_position(index),
            "solution_id": 0,
            "question": record.text("input"),
            "answer": answer,
            "steps": steps,
            "parsed_answer": parsed,
            "outcome": outcome_label(parsed, answer),
            "step_labels": _labels(record, len(steps)),
        },
    )


def _labels(record: Record, n_steps: int) -> list[int]:
    if record.get("mistake_index") is None:
        return [1] * n_steps
    mistake = record.integer("mistake_index")
    if not 0 <= mistake < n_steps:
        raise record.error(
            "mistake_index",
            expected=f"null or a step from 0 to {n_steps - 1}",
            found=str(mistake),
        )
    return [1] * mistake + [0] * (n_steps - mistake)
