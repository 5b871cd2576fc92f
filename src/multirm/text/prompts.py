r"""Prompts for generative verification, and the marks that their replies are read by.

A critique is the text after `REPLY_START`: reasoning, `END_OF_THINKING`, and the verdict line of its
kind. The marks are those of the published checkpoints (Multi-RM, arXiv 2510.00492); `verdicts` reads them.
The sentences of the prompts are this project's own and live in `templates/`.
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
    """The words around a question and a solution in a prompt.

    Attributes:
        text: the prompt with the places `{question}`, `{solution}`, `{category}` and `{Category}`.
        step: how a step is written, with the place `{step}` and perhaps `{number}`, counted from 1.
        between: what stands between steps.
        categories: what categories are called where not by their name with spaces for underscores.
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

    It may begin with a header in TOML between two lines `+++`, which says how steps are written (`step`),
    what stands between them (`between`) and what categories are called (`[categories]`). Without one,
    steps are joined by blank lines, those of gPRM numbered.

    Raises:
        InputError: `path` is missing or not UTF-8, lacks one of the places `{question}` and `{solution}`,
            or has a header that cannot be used.
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
            expected="the places {question} and {solution}",
            found=f"none for {', '.join(sorted(missing))}",
        )
    return Template(text, **{"step": _STEP_FORMS[kind], **header})


def render_prompt(template: Template, category: str, question: str, steps: Sequence[str]) -> str:
    """The user turn that asks for one verification of `steps`.

    Braces in the texts are left as they are: only the template's own places are filled.
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
        found = str(error) if isinstance(error, ValueError) else "values too deep in each other"
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
            raise InputError(where, expected="the place {step}", found=shown(value))
