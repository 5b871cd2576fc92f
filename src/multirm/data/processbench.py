"""ProcessBench (arXiv 2412.06559): solutions whose first incorrect step, if any, people have marked.

`label` is the 0-based position of that step, or -1: what follows it counts as incorrect. The category is the split,
which an `id` such as `gsm8k-17` starts with. Some problems have several solutions; the id of the first one is their
question's. There are no reference answers: `final_answer_correct` is the outcome label. It can be true of a solution
with an incorrect step.
"""

from collections import Counter
from collections.abc import Iterable, Iterator

from multirm.formats.json_source import Placed, Record, each


def solutions(records: Iterable[Record]) -> Iterator[Placed]:
    """Rows of the solutions table, without `dataset`."""
    read: dict[str, str] = {}
    question_ids: dict[tuple[str, str], str] = {}
    n_solutions: Counter[str] = Counter()

    def row_of(_: int, record: Record) -> Iterator[Placed]:
        row_id, category = record.identifier("id"), _split(record)
        if read.setdefault(row_id, record.where) != record.where:
            found = f"{row_id} again, after {read[row_id]}"
            raise record.error("id", expected="each id once", found=found)
        problem = record.text("problem")
        question_id = question_ids.setdefault((category, problem), row_id)
        steps = _steps(record)
        yield (
            record.where,
            {
                "category": category,
                "question_id": question_id,
                "solution_id": n_solutions[question_id],
                "question": problem,
                "answer": None,
                "steps": steps,
                "parsed_answer": None,
                "outcome": int(record.truth("final_answer_correct")),
                "step_labels": _labels(record, len(steps)),
            },
        )
        n_solutions[question_id] += 1

    return each(records, row_of)


def _split(record: Record) -> str:
    split, _, number = record.identifier("id").rpartition("-")
    if not split or not number.isdigit():
        raise record.error(
            "id", expected="a split and a number, such as gsm8k-17", found=str(record.get("id"))
        )
    return split


def _steps(record: Record) -> list[str]:
    steps = record.texts("steps")
    if not steps or not all(steps):
        found = f"an empty one at position {steps.index('')}" if steps else "no steps"
        raise record.error("steps", expected="steps with text", found=found)
    return steps


def _labels(record: Record, n_steps: int) -> list[int]:
    first_error = record.integer("label")
    if not -1 <= first_error < n_steps:
        raise record.error(
            "label", expected=f"-1 or a step from 0 to {n_steps - 1}", found=str(first_error)
        )
    if first_error == -1:
        return [1] * n_steps
    return [1] * first_error + [0] * (n_steps - first_error)
