"""PRM800K's own files (arXiv 2305.20050): people's ratings of steps, and of alternatives to them.

A row is one solution as a labeller took it. Its steps are the completions that were chosen, or that a person wrote
where none was good; it ends where none was chosen. In phase 2, where people rated a finished solution up to its first
incorrect step, that step ends it; the steps that follow were never shown to anyone, and are left out. Every other
rated completion is an alternative: a solution of its own, consisting of the steps before it and itself. What is said of
it is only said of its last step (`own_labels`).

A rating of 1 (good) or 0 (neutral) means correct, -1 incorrect. Steps that people wrote have no rating; if one comes
before the first incorrect step, the solution has no step labels.

Rows about the same problem are solutions to one question, whose id is the 0-based position of the first of them, in
six digits. A row with the labeller, time and problem of another one is a copy, and left out. So are rows in which
the problem was found to be bad.

Reference answers exist for some problems, but unfinished solutions have none to compare: `answer` and `parsed_answer`
are null. The outcome label is 0 if a step is incorrect, and 1 if all are correct and the solution is finished
(`finish_reason` is `solution`); else it is null.

VersaPRM's version of this data has another format (`versaprm`).
"""

from collections.abc import Iterable, Iterator

from multirm.data.numbering import Numbering, by_position
from multirm.data.tally import Tally
from multirm.errors import InputError, one_of, shown
from multirm.formats.json_source import Placed, Record, as_record, each
from multirm.text.labels import from_partial

CATEGORY = "math"
_FINISHED = "solution"
_BAD = "bad_problem"
_FINISH_REASONS = (_FINISHED, "found_error", "give_up", _BAD)

_Step = tuple[str, int | None]
"""The text of a step, and its label: 1, 0, or None without a rating."""


def solutions(records: Iterable[Record], tally: Tally) -> Iterator[Placed]:
    """Rows of the solutions table, without `dataset`."""
    numbering = Numbering()
    seen: set[tuple[object, ...]] = set()

    def rows_of(index: int, record: Record) -> Iterator[Placed]:
        _refuse_versaprm(record)
        row = tuple(str(record.values.get(key)) for key in ("labeler", "timestamp", "question"))
        if row in seen:
            tally.add(CATEGORY, "repeated rows left out", record.where)
        else:
            seen.add(row)
            yield from _solutions(index, record, numbering, tally)

    return each(records, rows_of)


def _solutions(index: int, record: Record, numbering: Numbering, tally: Tally) -> Iterator[Placed]:
    asked = as_record(f"{record.where}, question", record.get("question"))
    label = as_record(f"{record.where}, label", record.get("label"))
    finish = label.text("finish_reason")
    if finish not in _FINISH_REASONS:
        raise label.error("finish_reason", expected=one_of(_FINISH_REASONS), found=shown(finish))
    problem = asked.text("problem")
    if finish == _BAD:
        tally.add(CATEGORY, "rows with a bad problem left out", record.where)
        return
    question_id = numbering.question_id(CATEGORY, problem, by_position(index))
    chain, alternatives = _rated(label, asked, tally)
    attempts = [(record.where, chain, finish == _FINISHED)] if chain else []
    attempts += [(where, steps, False) for where, steps in alternatives]
    if not attempts:
        tally.add(CATEGORY, "rows without a rated step left out", record.where)
    for number, (where, steps, is_finished) in enumerate(attempts):
        labels = [label for _, label in steps]
        is_alternative = number > 0 or not chain
        yield (
            where,
            {
                "category": CATEGORY,
                "question_id": question_id,
                "solution_id": numbering.solution_id(question_id),
                "question": problem,
                "answer": None,
                "steps": [text for text, _ in steps],
                "parsed_answer": None,
                "outcome": _outcome(labels, is_finished),
                "step_labels": from_partial(labels),
                "own_labels": [*[None] * (len(labels) - 1), labels[-1]]
                if is_alternative
                else labels,
            },
        )


def _outcome(labels: list[int | None], is_finished: bool) -> int | None:
    if 0 in labels:
        return 0
    return 1 if is_finished and None not in labels else None


def _refuse_versaprm(record: Record) -> None:
    if "chain_of_thoughts" in record.values:
        raise InputError(
            record.where,
            expected="a row of PRM800K's own files, with label",
            found="a question in VersaPRM's format",
            remedy="use the reader versaprm",
        )


def _rated(
    label: Record, asked: Record, tally: Tally
) -> tuple[list[_Step], list[tuple[str, list[_Step]]]]:
    """The steps of the solution, and the position in the file and the steps of each alternative."""
    generated = asked.values.get("pre_generated_steps")
    own = asked.texts("pre_generated_steps") if generated is not None else []
    chain: list[_Step] = []
    alternatives: list[tuple[str, list[_Step]]] = []
    for place, step in enumerate(label.records("steps")):
        completions = step.records("completions") if step.get("completions") is not None else []
        chosen = _chosen(step, completions, own[place : place + 1])
        taken = _completion(completions[chosen]) if chosen is not None else _written(step)
        texts = {taken[0]} if taken else set()
        for number, completion in enumerate(completions):
            text, is_correct = _completion(completion)
            if number == chosen or is_correct is None:
                continue
            if not text:
                tally.add(CATEGORY, "empty alternatives left out", completion.where)
            elif text in texts:
                tally.add(CATEGORY, "repeated alternatives left out", completion.where)
            else:
                alternatives.append((completion.where, [*chain, (text, is_correct)]))
            texts.add(text)
        if taken is None:
            break
        if taken[0]:
            chain.append(taken)
        else:
            tally.add(CATEGORY, "empty steps left out", step.where)
    return chain, alternatives


def _chosen(step: Record, completions: list[Record], own: list[str]) -> int | None:
    """The number of the completion that the solution goes on with; None if there is none.

    Args:
        own: the finished solution's own step here, if any: the first completion, if it is rated and none is chosen.
    """
    chosen = step.get("chosen_completion")
    if chosen is None:
        is_own = own and completions and _completion(completions[0])[0] == own[0]
        return 0 if is_own and not step.get("human_completion") else None
    if type(chosen) is not int or not 0 <= chosen < len(completions):
        raise step.error(
            "chosen_completion",
            expected=f"one of {len(completions)} completions, from 0, or null",
            found=shown(chosen),
        )
    return chosen


def _written(step: Record) -> _Step | None:
    """The step that a person wrote, if any."""
    written = step.get("human_completion")
    return _completion(as_record(f"{step.where}, human_completion", written)) if written else None


def _completion(completion: Record) -> _Step:
    rating = completion.get("rating")
    if rating is not None and (type(rating) is not int or rating not in (-1, 0, 1)):
        raise completion.error("rating", expected="-1, 0, 1 or null", found=shown(rating))
    text = completion.optional_text("text") or ""
    return text, None if rating is None else int(rating != -1)
