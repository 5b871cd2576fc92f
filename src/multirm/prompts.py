r"""Prompts for generative verification, beside the marks that their replies are parsed by.

A critique is the text after `REPLY_START`: reasoning, `END_OF_THINKING`, and the verdict line of its
kind. The marks are those of the published checkpoints (Multi-RM, arXiv 2510.00492); the sentences of
the prompts are this project's own and live in `templates/`.
"""

import re
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from multirm.errors import InputError
from multirm.vocabulary import Kind

REPLY_START = "<think>\nLet's verify step by step:"
END_OF_THINKING = "</think>"
VERDICT_MARKS = {
    Kind.GORM: "Verification: Is the answer correct (Yes/No)?",
    Kind.GPRM: "Is the solution correct?",
}
_VERDICTS = {
    kind: re.compile(re.escape(mark) + r"\s*(Yes|No)\b") for kind, mark in VERDICT_MARKS.items()
}
_STEP_VERDICT = re.compile(r"^\s*Step (\d+):.*\\boxed\{(correct|incorrect)\}", re.MULTILINE)
_PLACEHOLDER = re.compile(r"\{(question|solution)\}")


def own_template(kind: Kind) -> Path:
    """The package's own prompt template of a generative kind."""
    return Path(str(resources.files("multirm"))) / "templates" / f"{kind}.txt"


def load_template(path: Path) -> str:
    """The prompt template in a file.

    Raises:
        InputError: `path` is missing, not UTF-8, or lacks one of the places `{question}` and `{solution}`.
    """
    if not path.is_file():
        raise InputError(path, expected="a prompt template", found="no such file")
    try:
        template = path.read_text("utf-8")
    except UnicodeDecodeError as error:
        found = f"the byte 0x{error.object[error.start]:02x}"
        raise InputError(path, expected="a prompt template in UTF-8", found=found) from error
    missing = {"question", "solution"} - set(_PLACEHOLDER.findall(template))
    if missing:
        raise InputError(
            path,
            expected="the places {question} and {solution}",
            found=f"none for {', '.join(sorted(missing))}",
        )
    return template


def render_prompt(template: str, kind: Kind, question: str, steps: Sequence[str]) -> str:
    """The user turn that asks for one verification of `steps`.

    gORM sees the steps joined by blank lines, gPRM sees them numbered from 1. Braces in the texts are
    left as they are: only the template's own places are filled.
    """
    if kind is Kind.GPRM:
        solution = "\n\n".join(f"Step {k}: {step}" for k, step in enumerate(steps, start=1))
    else:
        solution = "\n\n".join(steps)
    texts = {"question": question, "solution": solution}
    return _PLACEHOLDER.sub(lambda place: texts[place.group(1)], template)


def find_verdict(kind: Kind, critique: str) -> re.Match[str] | None:
    """The last verdict line after the end of thinking; group 1 is its `Yes` or `No`."""
    thought_end = critique.rfind(END_OF_THINKING)
    if thought_end < 0:
        return None
    found = list(_VERDICTS[kind].finditer(critique, thought_end))
    return found[-1] if found else None


def parse_verdict(kind: Kind, critique: str) -> int | None:
    """The verdict of a critique: 1 (Yes), 0 (No), or None where it reached none."""
    found = find_verdict(kind, critique)
    return None if found is None else int(found.group(1) == "Yes")


def has_step_verdicts(critique: str) -> bool:
    """Whether a gPRM critique judges any step at all, however numbered."""
    return _STEP_VERDICT.search(critique) is not None


def parse_step_verdicts(critique: str) -> list[int] | None:
    """The step verdicts of a gPRM critique, or None where it has none or they are not numbered 1, 2, 3, …

    A step that is judged twice (once while thinking, once in conclusion) keeps its last verdict.
    """
    verdicts: dict[int, int] = {}
    for number, word in _STEP_VERDICT.findall(critique):
        verdicts[int(number)] = int(word == "correct")
    if not verdicts or sorted(verdicts) != list(range(1, len(verdicts) + 1)):
        return None
    return [verdicts[k] for k in sorted(verdicts)]
