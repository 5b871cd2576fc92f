r"""Parse critiques: the verdict, the step verdicts, and deviations from the requested form.

The requested form ends with `Verification: Is the answer correct (Yes/No)? Yes` (gORM), or has lines
`Step k: The step is \boxed{correct}` and ends with `Is the solution correct? Yes` (gPRM). Language models vary it:
bold type, other capitals, steps numbered from 0 or not at all, a step's verdict on a line of its own. All of these
are parsed, and reported as `Deviation`s.

Filtering, shortening and scoring share this parser, so they agree. Text from models is untrusted: every search
here takes time linear in the text.
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
# At the start of a line, or after the end of a sentence.
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
    """A parsed critique.

    Attributes:
        verdict: 1 (Yes), 0 (No), or None if there is none.
        step_verdicts: 1 or 0 for each judged step, from the first; None if there are none or they form no sequence.
        judges_steps: whether it judges any step at all, however numbered.
        concludes_steps: whether it judges any step after the end of thinking.
        deviations: deviations from the requested form, in the order of `Deviation`.
        thought_end: the index of the end of thinking; -1 if there is none.
        cut: the index at which only the verdict line remains to be said.
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
        number: the number of its step, if it has a heading of its own.
        nearest: the number in the last heading before it, in the same part of the critique.
        end: the index of its end.
        line_end: the index of the end of that heading's line.
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
    """The last verdict line after the end of thinking; group 1 is its `Yes` or `No`, in any case."""
    start = critique.find(END_OF_THINKING)
    if start < 0:
        return None
    return max(_VERDICT_LINES[kind].finditer(critique, start), key=re.Match.start, default=None)


def read_critique(kind: Kind, critique: str) -> Reading:
    """Parse a critique.

    The verdict is the last one after the end of thinking. If a gPRM critique judges its steps after thinking but
    gives no verdict (as Multi-RM's teacher was asked to), the verdict follows from its steps: No if any is incorrect.

    Step verdicts are those after thinking; if these do not form a sequence from the first step on, all of them
    count, and a later verdict on a step replaces an earlier one.
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
    """`critique` up to its verdict, followed by the verdict line in the requested form, and nothing after it.

    For gPRM, text between the last step's verdict and the verdict line is removed as well (as in Multi-RM).
    """
    return f"{critique[: reading.cut].rstrip()}\n{verdict_line(kind, reading.verdict)}"


def verdict_line(kind: Kind, verdict: int | None) -> str:
    """The last line of a critique in the requested form."""
    return f"{VERDICT_MARKS[kind]} {'Yes' if verdict else 'No'}"


def _cut(critique: str, line: re.Match[str]) -> int:
    """Where the verdict line starts, including marks of bold type."""
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

    A step verdict is a box after `The step is`, or the last box on the line of a step's heading.
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
            # Other boxes in a critique are not step verdicts.
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
    """The verdicts of steps 1, 2, 3, … and how their numbering deviates; None if they form no sequence.

    If some verdicts have no number, they count in order if that agrees with the numbers that are given; else
    a number holds until the next one.
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
