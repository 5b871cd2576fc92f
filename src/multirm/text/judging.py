r"""Ask a chat model for the first bad step of a solution, and read its reply.

As in VersaPRM (arXiv 2502.06737), steps are numbered from 0, each between tags of its own, and the reply names the
first bad step, or -1, in `\boxed{}`. The sentences of the prompt are our own. VersaPRM looks for the box in the last
ten characters of a reply, by which it loses more of the replies that find no bad step, or a late one; here the last
box counts, wherever it is, unless it only repeats the request: small models often repeat their prompt.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from multirm.text.solving import Asked
from multirm.text.task_templates import fill_template, load_task_template, own_task_template

NO_BAD_STEP = -1

_BOX = re.compile(r"\\boxed\s*\{((?:[^{}]|\{[^{}]*\})*)\}")
# What a template asks for in one line: a box for the number of a step, and one for no bad step.
_REQUEST = re.compile(rf"{_BOX.pattern}.*{_BOX.pattern}")
# Other signs than a hyphen, and words and signs that models put around the number. A hyphen after "step" may join the
# two or be a sign, so such a reply cannot be read.
_NUMBER = re.compile(
    r"(?:\$|\\\()?\s*(?:\\(?:text|mathrm|mathbf)\s*\{)?\s*"
    r"(?:<?step[\s_:]*\}?\s*(?P<named>\d{1,6})|(?P<sign>[-−–]?)\s*(?P<bare>\d{1,6}))"
    r"\s*>?\s*\}?\s*(?:\$|\\\))?",
    re.IGNORECASE,
)


def judge_template_file(reference: bool, template: Path | None = None) -> Path:
    """The file of a judge's template: a given one, or the package's own, with or without the reference answer."""
    return template or own_task_template("judge" if reference else "judge_without_reference")


def load_judge_template(path: Path, reference: bool) -> str:
    """Read a template with the placeholders `{question}` and `{solution}`, and `{reference}` if the answer is shown.

    Raises:
        InputError: as `load_task_template`.
    """
    needed = ("question", "reference", "solution") if reference else ("question", "solution")
    return load_task_template(path, *needed)


def judge_turn(template: str, row: Mapping[str, Any]) -> str:
    """The user turn that asks for the first bad step.

    Args:
        row: a row of a solutions table. Its reference answer is only in the turn if the template has a place for it.
    """
    texts = {
        "question": Asked.of(row).text,
        "reference": row["answer"] or "",
        "solution": numbered_from_zero(row["steps"]),
    }
    return fill_template(template, texts)


def numbered_from_zero(steps: Sequence[str]) -> str:
    """The text of some steps, each between tags with its number, from 0."""
    return "\n".join(
        f"<step_{number}>\n{step.strip()}\n</step_{number}>" for number, step in enumerate(steps)
    )


def well_formed_judgement(first_bad: int | None, n_steps: int) -> str:
    """A reply that goes through the steps up to the first bad one, and names it, or none."""
    n_good = n_steps if first_bad is None else first_bad
    lines = [f"Step {number} is good." for number in range(n_good)]
    lines += [] if first_bad is None else [f"Step {first_bad} is bad."]
    box = f"\\boxed{{{NO_BAD_STEP if first_bad is None else first_bad}}}"
    return "\n".join([*lines, box])


def parse_judgement(reply: str, template: str) -> int | None:
    """The number in the last box of a reply, negative for no bad step; None if there is no box with a number.

    Args:
        template: the template of the prompt. Boxes of a reply that repeats a request with several boxes, such as
            `\\boxed{}, or with \\boxed{-1}`, do not count.
    """
    for request in _REQUEST.finditer(template):
        reply = reply.replace(request[0], "")
    boxes = _BOX.findall(reply)
    # Long runs of spaces would take long to match.
    found = _NUMBER.fullmatch(" ".join(boxes[-1].split())) if boxes else None
    if not found:
        return None
    number = int(found["named"] or found["bare"])
    return -number if found["sign"] else number
