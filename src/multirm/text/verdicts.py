r"""What a critique says: its verdict, its step verdicts, and how far its words are from those it was asked for.

The asked-for form ends `Verification: Is the answer correct (Yes/No)? Yes` (gORM), or has lines
`Step k: The step is \boxed{correct}` and ends `Is the solution correct? Yes` (gPRM). Language models vary it:
bold type, other capitals, steps that are numbered from 0 or not at all, the verdict of a step on a line of
its own. All of that is read, and `Deviation` says which.

Filtering, shortening and scoring read critiques by this module and so agree. Text from models is hostile:
every search here takes time linear in the text.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from multirm.tables.critiques import Deviation
from multirm.tables.reward_models import Kind
from multirm.text.prompts import END_OF_THINKING, VERDICT_MARKS

# `Yes or No` and `Yes/No` repeat the question.
_VERDICT = (
    r"[\s*_$`\"':(\[]*(?:\\(?:boxed|text|textbf)\{[\s*]*)*(Yes|No)\b"
    r"(?!\s*(?:/|or\b)\s*(?:Yes|No)\b)[*_$`\"'})\].]*"
)
_VERDICT_LINES = {
    Kind.GORM: re.compile(
        r"Verification[*_]*:[*_\s]*Is the answer correct \(Yes/No\)\?" + _VERDICT, re.IGNORECASE
    ),
    Kind.GPRM: re.compile(r"Is the solution correct\?" + _VERDICT, re.IGNORECASE),
}
_BOX = re.compile(
    r"\\boxed\{\s*(?:\\text(?:bf|it|rm)?\{\s*)?(correct|incorrect)[\s.]*\}{1,2}(?:\\[)\]])?[$*_.]*",
    re.IGNORECASE,
)
# At the beginning of a line, or behind the end of a sentence.
_HEADING = re.compile(
    r"^[ \t#>*_`-]*(?:\d{1,3}[.)][ \t*_`]*)?Step[ \t]+#?(\d{1,4})\b"
    r"|(?<=[.;!?}$*)])[ \t]+[*_]*Step[ \t]+(\d{1,4})[*_]*:",
    re.IGNORECASE | re.MULTILINE,
)
_SENTENCE = re.compile(r"\b(?:the|this) step (?:\d{1,4} )?is[\s:*_$\\(\[]*\Z", re.IGNORECASE)
_SENTENCE_LENGTH = 60
_ASKED_STEP = re.compile(r"(?:\A|\n)Step \d{1,4}: The step is \Z")


@dataclass(frozen=True)
class Reading:
    """What a critique says.

    Attributes:
        verdict: 1 (Yes), 0 (No), or None where it reached none.
        step_verdicts: 1 or 0 for each judged step, from the first; None where none or no sequence can be read.
        judges_steps: whether it judges any step at all, however numbered.
        concludes_steps: whether it judges any after the end of thinking.
        deviations: what is not as the prompt asks, in the order of `Deviation`.
        thought_end: the place of the end of thinking; -1 where there is none.
        cut: the place where everything has been said but the verdict line.
    """

    verdict: int | None
    step_verdicts: list[int] | None
    judges_steps: bool
    concludes_steps: bool
    deviations: tuple[Deviation, ...]
    thought_end: int
    cut: int


@dataclass(frozen=True)
class _StepVerdict:
    r"""One `\boxed{correct}` or `\boxed{incorrect}`.

    Attributes:
        number: its step's, where it has a heading of its own.
        nearest: that of the last heading before it, in the same part of the critique.
        end: where it ends in the text.
        line_end: where the line of that heading ends.
        in_sentence: whether it follows `The step is`.
    """

    number: int | None
    nearest: int | None
    verdict: int
    end: int
    line_end: int
    in_sentence: bool
    is_as_asked: bool


def find_verdict(kind: Kind, critique: str) -> re.Match[str] | None:
    """The last verdict line after an end of thinking; group 1 is its `Yes` or `No`, in whatever case."""
    start = critique.find(END_OF_THINKING)
    if start < 0:
        return None
    return max(_VERDICT_LINES[kind].finditer(critique, start), key=re.Match.start, default=None)


def read_critique(kind: Kind, critique: str) -> Reading:
    """What a critique says.

    The verdict is the last one after an end of thinking. A gPRM critique that has judged its steps after
    thinking and gives none, as the published teacher is asked to write it, has the verdict that follows
    from its steps: No where one is incorrect.

    Step verdicts are those after thinking; where these are no sequence from the first step on, all of
    them, a later one in the place of an earlier one of the same step.
    """
    line = find_verdict(kind, critique)
    thought_end = critique.rfind(END_OF_THINKING, 0, line.start() if line else len(critique))
    verdict = None if line is None else int(line[1].casefold() == "yes")
    cut = len(critique) if line is None else _cut(critique, line)
    found = _deviations_of_verdict(kind, critique, line)
    if kind is Kind.GORM or thought_end < 0:
        judged = kind is Kind.GPRM and bool(_judged(critique, 0, len(critique)))
        return Reading(verdict, None, judged, False, _in_order(found), thought_end, cut)
    thought = _judged(critique, 0, thought_end)
    concluded = _judged(critique, thought_end, cut)
    used = concluded
    steps, how = _sequence(used)
    if steps is None:
        used = [*thought, *concluded]
        steps, how = _sequence(used)
    if steps is not None:
        found |= how
        if len(steps) < len(thought) + len(concluded):
            found.add(Deviation.STEPS_TWICE)
        if not all(step.is_as_asked for step in used):
            found.add(Deviation.STEP_SPELLING)
    if concluded and line is None and steps is not None:
        verdict = int(all(steps))
        found.add(Deviation.VERDICT_IMPLIED)
    if concluded and verdict is not None:
        cut = concluded[-1].end
    judges, concludes = bool(thought or concluded), bool(concluded)
    return Reading(verdict, steps, judges, concludes, _in_order(found), thought_end, cut)


def conclude(kind: Kind, critique: str, reading: Reading) -> str:
    """`critique` up to its verdict, which follows as it was asked for; nothing else is said after it.

    Of gPRM, what stands between the verdict of the last step and the question goes as well (as published).
    """
    return f"{critique[: reading.cut].rstrip()}\n{verdict_line(kind, reading.verdict)}"


def verdict_line(kind: Kind, verdict: int | None) -> str:
    """The line that a critique is asked to end with."""
    return f"{VERDICT_MARKS[kind]} {'Yes' if verdict else 'No'}"


def _cut(critique: str, line: re.Match[str]) -> int:
    """Where the verdict line begins, its bold type included."""
    return len(critique[: line.start()].rstrip("*_"))


def _deviations_of_verdict(kind: Kind, critique: str, line: re.Match[str] | None) -> set[Deviation]:
    found: set[Deviation] = set()
    if line is None:
        return found
    if line[0] not in (verdict_line(kind, 0), verdict_line(kind, 1)):
        found.add(Deviation.VERDICT_SPELLING)
    if _VERDICT_LINES[kind].search(critique, 0, line.start()):
        found.add(Deviation.VERDICT_TWICE)
    if critique[line.end() :].strip():
        found.add(Deviation.TEXT_AFTER)
    return found


def _in_order(found: set[Deviation]) -> tuple[Deviation, ...]:
    return tuple(deviation for deviation in Deviation if deviation in found)


def _judged(critique: str, start: int, end: int) -> list[_StepVerdict]:
    """The step verdicts in a part of a critique.

    One is a box after `The step is`, or the last box in the line of a step's heading.
    """
    found: list[_StepVerdict] = []
    own = nearest = None
    line_end, scanned, last = -1, start, start
    for box in _BOX.finditer(critique, start, end):
        for heading in _HEADING.finditer(critique, scanned, box.start()):
            own = nearest = int(heading[1] or heading[2])
            line_end = critique.find("\n", heading.end())
            line_end = len(critique) if line_end < 0 else line_end
        scanned = box.end()
        before = critique[max(last, box.start() - _SENTENCE_LENGTH) : box.start()]
        in_sentence = _SENTENCE.search(before) is not None
        if not in_sentence and box.start() >= line_end:
            # What else a critique puts into a box is no step's verdict.
            continue
        if found and own is None and found[-1].line_end == line_end > box.start():
            if found[-1].in_sentence and not in_sentence:
                continue
            own = found.pop().number
        verdict = int(box[1].casefold() == "correct")
        words = critique[max(0, box.start() - _SENTENCE_LENGTH) : box.start()]
        is_as_asked = _ASKED_STEP.search(words) is not None
        is_as_asked &= box[0] in (r"\boxed{correct}", r"\boxed{incorrect}")
        step = _StepVerdict(own, nearest, verdict, box.end(), line_end, in_sentence, is_as_asked)
        found.append(step)
        own, last = None, box.end()
    return found


def _sequence(judged: Sequence[_StepVerdict]) -> tuple[list[int] | None, set[Deviation]]:
    """The verdicts of steps 1, 2, 3, … and what is unusual about their numbers; None where they are none.

    Where verdicts have no numbers, or not all of them, they count in order if that agrees with the
    numbers there are; else a number holds until the next one.
    """
    if not judged:
        return None, set()
    numbers = [step.number for step in judged]
    for first in (1, 0):
        agree = all(number in (None, place) for place, number in enumerate(numbers, start=first))
        if None in numbers and agree:
            return [step.verdict for step in judged], {Deviation.UNNUMBERED}
    # The last verdict of a step counts.
    verdicts = {step.nearest: step.verdict for step in judged}
    for first in (1, 0):
        expected = range(first, first + len(verdicts))
        if set(verdicts) == set(expected):
            how = {Deviation.FROM_ZERO} if first == 0 else set()
            return [verdicts[number] for number in expected], how
    return None, set()
