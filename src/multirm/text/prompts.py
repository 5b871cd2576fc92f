r"""Prompts for generative reward models, and the marks by which their replies are parsed.

A critique is the text after `REPLY_START`: reasoning, `END_OF_THINKING`, and the verdict line of its
kind. The marks are those of Multi-RM's checkpoints (arXiv 2510.00492); `verdicts` parses them.
The prompts themselves are this project's own, in `templates/`.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from multirm.errors import InputError, did_you_mean, shown
from multirm.tables.reward_models import Kind
from multirm.text.labels import first_incorrect

REPLY_START = "<think>\nLet's verify step by step:"
END_OF_THINKING = "</think>"
VERDICT_MARKS = {
    Kind.GORM: "Verification: Is the answer correct (Yes/No)?",
    Kind.GPRM: "Is the solution correct?",
}
_STEP_FORMS = {Kind.GORM: "{step}", Kind.GPRM: "Step {number}: {step}"}
_BETWEEN_STEPS = "\n\n"
_PLACES = ("question", "solution", "category", "Category")
_PLACEHOLDER = re.compile(r"\{(" + "|".join(_PLACES) + r")\}")
_STEP_PLACEHOLDER = re.compile(r"\{(number|step)\}")
_HEADER_FENCE = "+++"


@dataclass(frozen=True)
class Template:
    """A prompt with placeholders.

    Attributes:
        text: the prompt, with the placeholders `{question}`, `{solution}`, `{category}` and `{Category}`.
        step: the form of a step, with the placeholder `{step}` and optionally `{number}`, which counts from 1.
        between: the separator between steps.
        categories: display names of categories; by default, a category's name with spaces for underscores.
    """

    text: str
    step: str = "{step}"
    between: str = _BETWEEN_STEPS
    categories: Mapping[str, str] = field(default_factory=dict)


def own_template(kind: Kind) -> Path:
    """The package's own prompt template of a generative kind."""
    return Path(str(resources.files("multirm"))) / "text" / "templates" / f"{kind}.txt"


def load_template(path: Path, kind: Kind) -> Template:
    """The prompt template in a file.

    It may start with a TOML header between two lines `+++`, which sets the form of steps (`step`), the
    separator between them (`between`) and the display names of categories (`[categories]`). Without a header,
    steps are joined by blank lines, and those of gPRM are numbered.

    Raises:
        InputError: `path` is missing or not UTF-8, lacks the placeholder `{question}` or `{solution}`, or has an
            invalid header.
    """
    if not path.is_file():
        raise InputError(path, expected="a prompt template", found="no such file")
    try:
        content = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        found = f"the byte 0x{error.object[error.start]:02x}"
        raise InputError(path, expected="a prompt template in UTF-8", found=found) from error
    except OSError as error:
        raise InputError(path, expected="a file that can be read", found=str(error)) from error
    header, text = _apart(path, content)
    missing = {"question", "solution"} - set(_PLACEHOLDER.findall(text))
    if missing:
        raise InputError(
            path,
            expected="the placeholders {question} and {solution}",
            found=f"none for {', '.join(sorted(missing))}",
        )
    return Template(text, **{"step": _STEP_FORMS[kind], **header})


def render_prompt(template: Template, category: str, question: str, steps: Sequence[str]) -> str:
    """The user turn that asks for a critique of `steps`.

    Only the template's own placeholders are filled; braces in the texts are left alone.
    """
    written = [
        _filled(_STEP_PLACEHOLDER, template.step, {"number": str(number), "step": step})
        for number, step in enumerate(steps, start=1)
    ]
    name = template.categories.get(category, category.replace("_", " "))
    texts = {
        "question": question,
        "solution": template.between.join(written),
        "category": name,
        "Category": name[:1].upper() + name[1:],
    }
    return _filled(_PLACEHOLDER, template.text, texts)


def solution_prompt(template: Template, solution: Mapping[str, Any], steps: Sequence[str]) -> str:
    """The user turn that shows some steps of a row of a solutions table."""
    return render_prompt(template, solution["category"], solution["question"], steps)


def learned_prompt(
    kind: Kind, template: Template, solution: Mapping[str, Any], critique: Mapping[str, Any]
) -> str:
    """The user turn before a critique that is learned from.

    gPRM sees the solution only up to the step that its critique finds incorrect: the critique ends there
    too. One without step verdicts is taken to be as labelled.
    """
    steps = solution["steps"]
    judged = critique["step_verdicts"] or solution["step_labels"]
    if kind is Kind.GPRM and judged is not None:
        first = first_incorrect(judged)
        steps = steps if first is None else steps[: first + 1]
    return solution_prompt(template, solution, steps)


def _filled(places: re.Pattern[str], template: str, texts: Mapping[str, str]) -> str:
    return places.sub(lambda place: texts[place[1]], template)


def _apart(path: Path, content: str) -> tuple[dict[str, Any], str]:
    """The header of a template, checked, and the text after it."""
    first, _, rest = content.partition("\n")
    if first.rstrip() != _HEADER_FENCE:
        return {}, content
    head, fence, text = f"\n{rest}".partition(f"\n{_HEADER_FENCE}\n")
    if not fence:
        expected = f"a second line {_HEADER_FENCE} after the header"
        raise InputError(path, expected=expected, found="none")
    try:
        header = tomllib.loads(f"{head}\n")
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        found = str(error) if isinstance(error, ValueError) else "too deeply nested values"
        raise InputError(
            path, expected="a header in TOML between two lines +++", found=found
        ) from error
    _check_header(path, header)
    return header, text


def _check_header(path: Path, header: Mapping[str, Any]) -> None:
    for key, value in header.items():
        where = f"{path}, key {key}"
        if key == "categories":
            named = isinstance(value, dict) and all(isinstance(v, str) for v in value.values())
            if not named:
                expected = "a text for each category"
                raise InputError(where, expected=expected, found=shown(value))
        elif key not in ("step", "between"):
            hint = did_you_mean(key, ("step", "between", "categories"))
            expected = "the keys step, between and categories only"
            raise InputError(where, expected=expected, found=key, remedy=hint)
        elif not isinstance(value, str):
            raise InputError(where, expected="a text", found=shown(value))
        elif key == "step" and "{step}" not in value:
            raise InputError(where, expected="the placeholder {step}", found=shown(value))
