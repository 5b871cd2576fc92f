"""Ask a chat model to write a step of a solution anew, as a wrong one or in other words, and read its reply.

The error types, and what a reply says about a wrong step, are VersaPRM's (arXiv 2502.06737); all sentences are our
own. There, steps are numbered from 1; here, as for judges, from 0. Replies are read by the headings of their sections,
however these are decorated, and whether a section begins on the line of its heading or on the next one.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from multirm.tables.augmentations import AugmentationKind, AugmentationReason, ErrorType
from multirm.text.judging import numbered_from_zero
from multirm.text.labels import first_incorrect
from multirm.text.prompts import END_OF_THINKING
from multirm.text.solving import Asked
from multirm.text.task_templates import fill_template, load_task_template, own_task_template

Row = Mapping[str, Any]

GENERAL_TYPES = (
    ErrorType.CONFLICTING_STEPS,
    ErrorType.NON_SEQUITUR,
    ErrorType.FACTUAL,
    ErrorType.FALSE_ASSUMPTION,
    ErrorType.CONTEXTUAL,
)
MATHEMATICAL_TYPES = (*GENERAL_TYPES, ErrorType.CALCULATION, ErrorType.WRONG_EQUATION)
"""The types of errors that are asked for in mathematical categories."""

DEFINITIONS = {
    ErrorType.CONFLICTING_STEPS: "The new step contradicts what an earlier step has established.",
    ErrorType.NON_SEQUITUR: "The new step draws a conclusion that does not follow from the steps before it.",
    ErrorType.FACTUAL: "The new step states something about the world that is not true.",
    ErrorType.FALSE_ASSUMPTION: "The new step takes something for granted that is not given, or not true.",
    ErrorType.CONTEXTUAL: "The new step misreads the question, or overlooks something that the question says.",
    ErrorType.CALCULATION: "The new step works out a number wrongly.",
    ErrorType.WRONG_EQUATION: "The new step uses a formula, an equation or a unit that does not fit.",
}

# What models call the types, as VersaPRM maps it, and spellings.
_NAMES = {
    ErrorType.CONFLICTING_STEPS: "conflicting steps?|contradict(?:ion|ory|ing)(?: steps?)?",
    ErrorType.NON_SEQUITUR: "non ?sequitur|red herring",
    ErrorType.FACTUAL: "factual|false (?:definition|classification|analogy)|conceptual|methodological",
    ErrorType.FALSE_ASSUMPTION: "(?:false )?assumption|over ?generali[sz]ation",
    ErrorType.CONTEXTUAL: "contextual",
    ErrorType.CALCULATION: (
        "calculation|numerical|algebraic|arithmetic(?:al)?|rounding|computation(?:al)?|sign error|counting"
    ),
    ErrorType.WRONG_EQUATION: "(?:incorrect|wrong) (?:equation|formula|units?)|unit(?: conversion)?|conversion|formula",
}
_TYPES = {name: re.compile(rf"\b(?:{words})\b") for name, words in _NAMES.items()}

_NUMBER, _TYPE, _STEP, _EXPLANATION, _OTHER = "number", "type", "step", "explanation", "other"
_HEADINGS = {
    _NUMBER: "step[ _](?:number|num|index)",
    _TYPE: "error[ _]type",
    _STEP: "(?:wrong|incorrect)[ _]step",
    _EXPLANATION: "(?:error[ _])?explanation",
    _OTHER: "step[ _]summary|incorrect[ _]step[ _]gen(?:eration)?",
}
_DECORATION = r"[#>*_`\[\]\-• \t\r]"
_HEADING = re.compile(
    rf"^(?:{_DECORATION}|\d[.)])*(?:{'|'.join(f'(?P<{name}>{words})' for name, words in _HEADINGS.items())})"
    rf"{_DECORATION}*(?::(?:[*_`]+(?=\s|$))?|$)",
    re.IGNORECASE | re.MULTILINE,
)
# One whole number, with words and signs that models put around it; not the first one of several.
_INDEX = re.compile(
    r"[\W_]*?(?:(?:step|number|index|no)\b[\W_]*?|step_|\\boxed\{|\\text\{)*(?<![A-Za-z])(?P<sign>[-−–]?)(?P<number>\d{1,6})"
    r"(?!\d|[.,]\d|\s*(?:-|–|,|/|&|\+|or\b|and\b|to\b)\s*(?:step\s*)?\d)",
    re.IGNORECASE,
)
_NUMERALS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\d)|\d+(?:\.\d+)?")
_MOST_LAYERS = 8
_LABEL = re.compile(r"(?:rewritten|new|wrong|incorrect)?[ _]?step[ _]*\d*\s*:\s*", re.IGNORECASE)


@dataclass(frozen=True)
class NewStep:
    """What a reply says.

    Attributes:
        step: the number of the step to replace; None if there is none, or several.
        error_type: None if there is none, or several.
        text: of the new step, None if there is none.
        reason: why the reply cannot be read, as far as the reply alone tells.
    """

    step: int | None = None
    error_type: ErrorType | None = None
    text: str | None = None
    explanation: str | None = None
    reason: AugmentationReason | None = None


def augment_template_file(kind: AugmentationKind) -> Path:
    """The package's own template for a kind."""
    return own_task_template(str(kind))


def load_augment_template(kind: AugmentationKind) -> str:
    """The package's own template for a kind, as text."""
    needed = ["question", "solution"]
    if kind is AugmentationKind.COUNTERFACTUAL:
        needed += ["type", "definition"]
    return load_task_template(augment_template_file(kind), *needed)


def counterfactual_turn(template: str, row: Row, error_type: ErrorType) -> str:
    """The user turn that asks for a wrong step.

    Args:
        row: of a solutions table.
    """
    texts = {
        "question": Asked.of(row).text,
        "solution": numbered_from_zero(row["steps"]),
        "type": in_words(error_type),
        "definition": DEFINITIONS[error_type],
    }
    return fill_template(template, texts)


def rewrite_turn(template: str, row: Row, step: int) -> str:
    """The user turn that asks for a step in other words, after the steps before it."""
    steps = numbered_from_zero(row["steps"][: step + 1])
    return fill_template(template, {"question": Asked.of(row).text, "solution": steps})


def in_words(error_type: ErrorType) -> str:
    """An error type as a prompt names it."""
    return error_type.replace("_", " ")


def rewritable_steps(row: Row) -> range:
    """The steps of a solution that may be rewritten: labelled ones, up to the first incorrect one, except the last.

    The last step gives the answer. Labels after the first incorrect step say nothing about the step itself.
    """
    labels = row["step_labels"]
    if labels is None:
        return range(0)
    error = first_incorrect(labels)
    return range(min(len(labels) - 1, len(labels) if error is None else error + 1))


def well_formed_counterfactual(
    step: int, error_type: ErrorType, text: str, explanation: str
) -> str:
    """A reply with all sections."""
    return (
        f"Step number: {step}\nError type: {in_words(error_type)}\n"
        f"Wrong step: {text}\nExplanation: {explanation}"
    )


def parse_counterfactual(reply: str) -> NewStep:
    """Read a reply with sections; what is before the first one, such as thinking, is left out.

    An explanation may be missing. Then a new step is a single line, or has braces, quotation marks or the like around
    it; otherwise it is unclear where it ends.
    """
    text = reply.rpartition(END_OF_THINKING)[2]
    if not text.strip():
        return NewStep(reason=AugmentationReason.EMPTY)
    sections = _sections(text)
    if sections is None:
        return NewStep(reason=AugmentationReason.REPEATED_SECTION)
    step = _parse_index(sections.get(_NUMBER, ""))
    error_type = _parse_type(sections.get(_TYPE, ""))
    section = sections.get(_STEP, "").strip()
    written = _undecorated(section) or None
    reason = None
    if step is None:
        reason = AugmentationReason.NO_NUMBER
    elif error_type is None:
        reason = AugmentationReason.UNKNOWN_TYPE
    elif written is None:
        reason = AugmentationReason.NO_STEP
    elif _EXPLANATION not in sections and written == section and "\n" in section:
        reason = AugmentationReason.NO_END
    explanation = sections.get(_EXPLANATION, "").strip() or None
    return NewStep(step, error_type, written, explanation, reason)


def parse_rewrite(reply: str) -> NewStep:
    """Read a reply that is a step alone."""
    text = _undecorated(reply.rpartition(END_OF_THINKING)[2])
    return NewStep(text=text) if text else NewStep(reason=AugmentationReason.EMPTY)


def without_label(text: str, original: str) -> str:
    """A new step without a label such as `Step 2:` before it, unless the old one has one, too."""
    found = _LABEL.match(text)
    if found and not _LABEL.match(original.strip()):
        return text[found.end() :].strip()
    return text


def normalised(text: str) -> str:
    """A text of which only case and white space do not matter."""
    return " ".join(text.split()).casefold()


def numbers_in(text: str) -> frozenset[float]:
    """The numbers that a text has in digits; a comma may separate thousands."""
    return frozenset(float(each.replace(",", "")) for each in _NUMERALS.findall(text))


def _sections(text: str) -> dict[str, str] | None:
    """The text of each section; None if one that matters is there twice."""
    found: dict[str, str] = {}
    headings = list(_HEADING.finditer(text))
    for place, heading in enumerate(headings):
        name = str(heading.lastgroup)
        end = headings[place + 1].start() if place + 1 < len(headings) else len(text)
        if name in found:
            if name in (_NUMBER, _TYPE, _STEP):
                return None
            continue
        found[name] = text[heading.end() : end]
    return found


def _parse_index(text: str) -> int | None:
    found = _INDEX.match(text)
    if not found:
        return None
    number = int(found["number"])
    return -number if found["sign"] else number


def _parse_type(text: str) -> ErrorType | None:
    """The type that the first line names, or begins with."""
    lines = [line for line in text.lower().splitlines() if line.strip(" *_`#[]{}")]
    line = re.sub(r"[^a-z]+", " ", lines[0]).strip() if lines else ""
    first = [name for name, words in _TYPES.items() if words.match(line)]
    named = [name for name, words in _TYPES.items() if words.search(line)]
    if len(named) > 1 and len(first) == 1 and re.search(r"[:(—–]| - ", lines[0]):
        # The name, and then what it means.
        return first[0]
    return named[0] if len(named) == 1 else None


def _undecorated(text: str) -> str:
    """The text of a step without fences, tags, braces or quotation marks around it.

    A reply may open thousands of braces, and each layer takes time linear in the text: so only the outer ones go.
    """
    text = text.strip()
    for _ in range(_MOST_LAYERS):
        text = _inside(text)
    return text


def _inside(text: str) -> str:
    if fenced := re.fullmatch(r"```\w*\n(.*?)\n?```", text, re.DOTALL):
        return fenced[1].strip()
    if text.startswith("{") and (end := _closing(text)) is not None:
        return text[1:end].strip()
    for mark, closing in (("**", "**"), ('"', '"'), ("“", "”")):
        inner = text[len(mark) : -len(closing)]
        is_whole = text.startswith(mark) and text.endswith(closing)
        if is_whole and inner.strip() and mark not in inner and closing not in inner:
            return inner.strip()
    opened, closed = re.match(r"<step_\d+>", text), re.search(r"</step_\d+>$", text)
    if opened or closed:
        return text[opened.end() if opened else 0 : closed.start() if closed else None].strip()
    return text


def _closing(text: str) -> int | None:
    """Where the brace closes with which a text begins, if it ends the line: braces of formulas are kept."""
    depth = 0
    for place, char in enumerate(text):
        depth += (char == "{") - (char == "}")
        if depth == 0:
            ends_line = not text[place + 1 :].partition("\n")[0].strip()
            return place if ends_line else None
    return None
