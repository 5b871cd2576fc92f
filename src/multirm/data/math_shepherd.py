"""Math-Shepherd (arXiv 2312.08935): solutions whose steps are labelled by whether they can lead to the answer.

`input` is the question, then steps that start with `Step k: ` and end with the tag `ки`; `label` is the same text with
`+` (correct) or `-` in place of each tag. A tag ends a line: `ки` inside a line is text. Tags before `Step 1:` are
errors of the source; they are removed from the question and counted. The numbers of steps are removed, since prompts
number steps themselves. Calculator annotations (`<<3+5=8>>`) are kept, as Math-Shepherd's own models read them.

A step is labelled `+` if some continuation of it reaches the answer, so `+` can follow `-`. The label of the last step
says whether the solution's own answer is right: it is the outcome label. There are no reference answers; the parsed
answer is what follows `The answer is: ` in the last step.

Rows with the same question are solutions to it. A question's id is the row's `task` and the 0-based position of the
first of these rows. Rows without `Step 1:` are left out.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from multirm.data.numbering import Numbering, by_position
from multirm.data.tally import Tally
from multirm.errors import shown
from multirm.formats.json_source import Placed, Record, each

CATEGORY = "math"
_TAG = re.compile(r"\s*ки[ \t]*(?=\n|\Z)")
_FIRST_STEP = re.compile(r"(?:\A|(?<=\s))step 1\s?:", re.IGNORECASE)
_NUMBER = re.compile(r"step (\d+)\s?:\s*", re.IGNORECASE)
_ANSWER = "The answer is:"
_LABELS = {"+": 1, "-": 0}


def solutions(records: Iterable[Record], tally: Tally) -> Iterator[Placed]:
    """Rows of the solutions table, without `dataset`."""
    numbering = Numbering()
    return each(records, lambda index, record: _solution(index, record, numbering, tally))


def _solution(index: int, record: Record, numbering: Numbering, tally: Tally) -> Iterator[Placed]:
    pieces, labels = _labelled(record)
    starts = [list(_FIRST_STEP.finditer(piece)) for piece in pieces]
    first = next((k for k, found in enumerate(starts) if found), None)
    if first is None:
        tally.add(CATEGORY, "rows without `Step 1:` left out", record.where)
        return
    tally.add(CATEGORY, "labels inside questions left out", record.where, first)
    # A question may mention a step 1, too.
    at = starts[first][-1].start()
    question = "\n".join([*pieces[:first], pieces[first][:at]]).strip()
    if not question:
        raise record.error("input", expected="a question before `Step 1:`", found="none")
    texts = _without_numbers([pieces[first][at:], *pieces[first + 1 :]])
    steps = [(text, label) for text, label in zip(texts, labels[first:], strict=True) if text]
    tally.add(CATEGORY, "empty steps left out", record.where, len(texts) - len(steps))
    if not steps:
        tally.add(CATEGORY, "solutions without steps left out", record.where)
        return
    new_id = f"{record.name('task')}-{by_position(index)}"
    question_id = numbering.question_id(CATEGORY, question, new_id)
    last, outcome = steps[-1]
    _, found, answer = last.rpartition(_ANSWER)
    yield (
        record.where,
        {
            "category": CATEGORY,
            "question_id": question_id,
            "solution_id": numbering.solution_id(question_id),
            "question": question,
            "answer": None,
            "steps": [text for text, _ in steps],
            "parsed_answer": (answer.strip() or None) if found else None,
            "outcome": outcome,
            "step_labels": [label for _, label in steps],
        },
    )


def _labelled(record: Record) -> tuple[list[str], list[int]]:
    """The pieces of the input that end with a tag, and the label in place of each tag."""
    text, labelled = record.text("input"), record.text("label")
    pieces: list[str] = []
    labels: list[int] = []
    start = place = 0
    for tag in _TAG.finditer(text):
        piece = text[start : tag.start()]
        mark = _mark(labelled, place, text[start : tag.end()])
        if mark is None:
            raise record.error(
                "label",
                expected=f"the text of `input` with + or - in place of tag {len(pieces) + 1}",
                found=shown(labelled[place : place + len(piece) + 10][-40:]),
            )
        pieces.append(piece.strip())
        labels.append(_LABELS[mark])
        start, place = tag.end(), place + tag.end() - start - 1
    if not pieces or text[start:].strip():
        found = shown(text[start:].strip()[-40:]) if pieces else "none"
        raise record.error("input", expected="a tag `ки` at the end of each step", found=found)
    return pieces, labels


def _mark(labelled: str, place: int, tagged: str) -> str | None:
    """The mark that `labelled` has for the tag that `tagged` ends with; None if the texts differ elsewhere.

    Args:
        place: where the text of `tagged` starts in `labelled`.
    """
    before, _, after = tagged.rpartition("ки")
    at = place + len(before)
    mark = labelled[at : at + 1]
    is_alike = labelled[place:at] == before and labelled[at + 1 :].startswith(after)
    return mark if is_alike and mark in _LABELS else None


def _without_numbers(steps: Sequence[str]) -> list[str]:
    """The steps, stripped, without the numbers that are their positions."""
    found = []
    for position, step in enumerate(steps, start=1):
        number = _NUMBER.match(step)
        is_position = number is not None and int(number[1]) == position
        found.append(step[number.end() :].strip() if number and is_position else step.strip())
    return found
