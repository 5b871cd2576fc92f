"""VersaPRM's JSON files (arXiv 2502.06737): sampled solutions, labelled, augmented; and its version of PRM800K.

A record is a question with `chain_of_thoughts`. Its category is `category`, `metadata.category` or `domain` (where
`prm_math` means math). Its id is `id`, else its 0-based position, in six digits. Options are listed once, whether
`question` has them or only `options`.

A step of a chain is correct if its label is 1, and incorrect if it is -1 or 0. Missing and null labels are alike:
the solution is unlabelled. Solutions have their `cot_id` as id, else their position.

An alternative (an entry of `augs`) replaces the step at its position and ends the chain: it is a solution of its own,
consisting of the steps before it and itself, numbered after the question's chains. It is correct if its type is
PRM800K's rating 1 (good) or 0 (neutral); it is incorrect if its type is -1 or, for counterfactual alternatives,
the name of an error or empty. Its other steps are labelled with their chain, so that only the last label is its own
(`own_labels`). It has no parsed answer; its outcome label is 0 if it is incorrect, and else null,
because the solution is unfinished.

PRM800K's `answer` is a worked solution rather than an answer. There `answer` is null, and the outcome label of a chain
is whether all its steps are correct. PRM800K's own files have another format (`prm800k`).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from multirm.data.inline_options import split_options, with_options
from multirm.data.numbering import by_position
from multirm.data.tally import Tally
from multirm.errors import InputError, shown
from multirm.formats.json_source import Placed, Record, as_record, each
from multirm.text.answers import outcome_label
from multirm.text.labels import from_partial, outcome_from_steps

UNANSWERED = "questions without a solution left out"

_RATINGS = (-1, 0, 1)


@dataclass(frozen=True)
class _Chain:
    """A solution: its steps with text, their labels, and the position of each of the source's steps among them."""

    record: Record
    solution_id: int
    steps: list[str]
    labels: list[int] | None
    places: list[int]


def questions(records: Iterable[Record]) -> Iterator[Placed]:
    """Rows of the questions table, without `dataset`; they need not have solutions."""
    return each(records, _questions)


def solutions(
    records: Iterable[Record], tally: Tally, *, are_questions: bool = True
) -> Iterator[Placed]:
    """Rows of the solutions table, without `dataset`.

    Args:
        are_questions: whether a record has all solutions to its question. If so, those without any are counted.
    """

    def read(index: int, record: Record) -> Iterator[Placed]:
        rows = list(_solutions(index, record, tally))
        if are_questions and not rows:
            tally.add(_category(record), UNANSWERED, record.where)
        yield from rows

    return each(records, read)


def _questions(index: int, record: Record) -> Iterator[Placed]:
    refuse_raw_prm800k(record)
    text, options = split_options(_question(record))
    answer = record.text("answer")
    if len(answer) > 1:
        # PRM800K's worked solutions.
        raise record.error("answer", expected="the letter of an option", found=shown(answer))
    yield (
        record.where,
        {
            "category": _category(record),
            "question_id": _question_id(index, record),
            "question": text,
            "options": options,
            "answer": answer,
        },
    )


def _solutions(index: int, record: Record, tally: Tally) -> Iterator[Placed]:
    refuse_raw_prm800k(record)
    category = _category(record)
    chains = list(_chains(record, category, tally))
    if not chains:
        return
    answer = _answer(record, chains)
    question = {
        "category": category,
        "question_id": _question_id(index, record),
        "question": _question(record),
        "answer": answer,
    }
    for chain in chains:
        parsed = _parsed_answer(chain, answer, category, tally)
        labels = chain.labels
        outcome = None if labels is None else outcome_from_steps(labels)
        if answer is not None:
            outcome = outcome_label(parsed, answer)
        yield (
            chain.record.where,
            {
                **question,
                "solution_id": chain.solution_id,
                "steps": chain.steps,
                "parsed_answer": parsed,
                "outcome": outcome,
                "step_labels": labels,
            },
        )
    next_id = max(chain.solution_id for chain in chains) + 1
    for chain in chains:
        for where, steps, partial in _alternatives(chain, category, tally):
            yield (
                where,
                {
                    **question,
                    "solution_id": next_id,
                    "steps": steps,
                    "parsed_answer": None,
                    "outcome": None if partial[-1] else 0,
                    "step_labels": from_partial(partial),
                    "own_labels": [*[None] * (len(partial) - 1), partial[-1]],
                },
            )
            next_id += 1


def refuse_raw_prm800k(record: Record) -> None:
    """Refuse a row of PRM800K's own files.

    Raises:
        InputError: names the reader of these files.
    """
    if "label" in record.values and "chain_of_thoughts" not in record.values:
        raise InputError(
            record.where,
            expected="a question in VersaPRM's format, with chain_of_thoughts",
            found="a row of PRM800K's own files",
            remedy="use the reader prm800k",
        )


def _category(record: Record) -> str:
    if "domain" in record.values:
        return record.name("domain").removeprefix("prm_")
    if "category" not in record.values and "metadata" in record.values:
        return as_record(f"{record.where}, metadata", record.get("metadata")).name("category")
    return record.name("category")


def _question_id(index: int, record: Record) -> str:
    return record.identifier("id") if "id" in record.values else by_position(index)


def _question(record: Record) -> str:
    options = record.texts("options") if record.values.get("options") is not None else None
    return with_options(record.text("question"), options)


def _answer(record: Record, chains: list[_Chain]) -> str | None:
    """The reference answer; None for a worked solution, which PRM800K's questions have instead."""
    has_parsed = any("parsed_answer" in chain.record.values for chain in chains)
    if not has_parsed and "answer" not in record.values:
        return None
    answer = record.optional_text("answer")
    return answer if has_parsed or (answer and len(answer) == 1) else None


def _parsed_answer(chain: _Chain, answer: str | None, category: str, tally: Tally) -> str | None:
    record = chain.record
    if "parsed_answer" not in record.values:
        return None
    parsed = record.optional_text("parsed_answer")
    if answer is not None and record.values.get("parsed_answer_correctness") is not None:
        is_right = bool(outcome_label(parsed, answer))
        if record.truth("parsed_answer_correctness") != is_right:
            tally.add(category, "solutions with another parsed_answer_correctness", record.where)
    return parsed


def _chains(record: Record, category: str, tally: Tally) -> Iterator[_Chain]:
    read: dict[int, tuple[Any, ...]] = {}
    for position, each_record in enumerate(record.records("chain_of_thoughts")):
        chain = _chain(position, each_record, category, tally)
        content = (chain.steps, chain.labels, each_record.values.get("augs"))
        earlier = read.setdefault(chain.solution_id, content)
        if not chain.steps:
            tally.add(category, "solutions without steps left out", each_record.where)
        elif earlier is not content and earlier == content:
            tally.add(category, "repeated solutions left out", each_record.where)
        else:
            yield chain


def _chain(position: int, record: Record, category: str, tally: Tally) -> _Chain:
    steps = record.texts("steps")
    labels = _labels(record, len(steps))
    kept = [k for k, step in enumerate(steps) if step]
    tally.add(category, "empty steps left out", record.where, len(steps) - len(kept))
    return _Chain(
        record,
        _solution_id(record, position),
        [steps[k] for k in kept],
        None if labels is None else [labels[k] for k in kept],
        [sum(k < place for k in kept) for place in range(len(steps) + 1)],
    )


def _solution_id(record: Record, position: int) -> int:
    if "cot_id" not in record.values:
        return position
    solution_id = record.identifier("cot_id")
    if not (solution_id.isascii() and solution_id.isdigit() and len(solution_id) < 10):
        raise record.error("cot_id", expected="a number from 0", found=shown(record.get("cot_id")))
    return int(solution_id)


def _labels(record: Record, n_steps: int) -> list[int] | None:
    if record.values.get("labels") is None:
        return None
    ratings = record.integers("labels")
    if n_steps != len(ratings):
        raise record.error(
            "labels",
            expected=f"a label for each of {n_steps} steps",
            found=f"{len(ratings)} labels",
        )
    for rating in ratings:
        if rating not in _RATINGS:
            raise record.error("labels", expected="-1, 0 or 1", found=str(rating))
    return [int(rating == 1) for rating in ratings]


def _alternatives(
    chain: _Chain, category: str, tally: Tally
) -> Iterator[tuple[str, list[str], list[int | None]]]:
    """The alternatives of a chain: position in the file, steps and labels."""
    record = chain.record
    seen: set[tuple[int, str, bool]] = set()
    for alternative in record.records("augs") if record.values.get("augs") else []:
        place, step = alternative.integer("aug_idx"), alternative.optional_text("aug_step")
        is_correct, last = _is_correct(alternative), len(chain.places) - 1
        if step is None:
            # VersaPRM's parser makes it of empty braces.
            tally.add(category, "alternatives without text left out", alternative.where)
            continue
        if place == -1:
            # VersaPRM's parser makes it of step 0, though it asks for steps from 1.
            tally.add(category, "alternatives at position -1 left out", alternative.where)
            continue
        if not 0 <= place <= last:
            raise alternative.error(
                "aug_idx", expected=f"a position from 0 to {last}", found=str(place)
            )
        place = chain.places[place]
        key = (place, step, is_correct)
        if key in seen:
            # VersaPRM asks twice about a chain.
            tally.add(category, "repeated alternatives left out", alternative.where)
            continue
        seen.add(key)
        before, replaced = chain.steps[:place], chain.steps[place : place + 1]
        if replaced == [step] and not is_correct:
            tally.add(
                category, "alternatives like the step they replace left out", alternative.where
            )
        else:
            earlier: Sequence[int | None] = chain.labels or [None] * len(chain.steps)
            yield alternative.where, [*before, step], [*earlier[:place], int(is_correct)]


def _is_correct(alternative: Record) -> bool:
    kind = alternative.get("aug_type")
    is_rating = type(kind) is int and kind in _RATINGS
    if not is_rating and (not isinstance(kind, str) or kind.strip("+- ").isdigit()):
        raise alternative.error(
            "aug_type", expected="-1, 0, 1 or the name of an error", found=shown(kind)
        )
    return is_rating and kind != -1
