"""What a model's chat template says around a user's words, found out once and safely.

A template is a stranger's program. It is given words of ours, a few times, in a process that is stopped
when it takes too long or too much (`chat_rendering`), and shows by them what it says before and after what a
user says, and whether it trims it. Prompts are put between the two here: what stands in a question, whoever
wrote it, never reaches the program, and cannot change what the model is told of who is speaking.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from multirm.errors import InputError
from multirm.text import chat_rendering
from multirm.text.prompts import END_OF_THINKING, REPLY_START

if TYPE_CHECKING:
    # Typing only: the stages that read and write no text do without transformers.
    from transformers import PreTrainedTokenizerBase

_OPENING = REPLY_START.split("\n")[0]

# A letter that no template trims or looks for.
_MARK = "\uffff"
_WORDS = f'Is 2 < 3 & "{_MARK}" {{{{x}}}} {{% y %}} it\'s?\n\n\n Step 1: \\boxed{{é数}}.\tYes'
_SPACED = f" \n\t{_WORDS}\n \t"

_TRIMS: tuple[Callable[[str], str], ...] = (str, str.strip, str.lstrip, str.rstrip)

# By these names templates are asked to let a model think.
_THINKING = {"enable_thinking": True, "thinking": True}
_CLOSED_THINKING = re.compile(
    rf"(?:{re.escape(_OPENING)}\s*)?{re.escape(END_OF_THINKING)}\s*\Z", re.DOTALL
)

# Beyond what it may compute: a machine may be busy.
_PATIENCE = 30 * chat_rendering.SECONDS


@dataclass(frozen=True)
class Frame:
    """What stands around a user's words in a prompt.

    Attributes:
        before: what is said before them.
        after: what is said after them, up to where the reply begins; it does not open the thinking.
        trim: what the template does to the space around them.
        date: what it has been told is today, as YYYY-MM-DD; None where it did not ask.
    """

    before: str
    after: str
    trim: Callable[[str], str]
    date: str | None


def chat_frame(tokenizer: PreTrainedTokenizerBase) -> Frame:
    """The frame that a tokenizer's chat template puts around a user's words.

    Templates that open the thinking are not made to open it twice. Those that close it at once, because
    nobody asked for it, are asked for it, or lose their last words.

    Raises:
        InputError: there is no template, or one that fails, takes too much, or does not show a user's words
            as they are.
    """
    # As JSON: names of tokens, or lists of them, by what they are for.
    variables = json.dumps(tokenizer.special_tokens_map, default=str)
    return _frame(tokenizer.name_or_path or "tokenizer", chat_template(tokenizer), variables)


def date_told(tokenizer: PreTrainedTokenizerBase) -> dict[str, str]:
    """For a footer, the date that a tokenizer's chat template was told; nothing where it asks for none."""
    date = chat_frame(tokenizer).date
    return {"date": date} if date else {}


def chat_template(tokenizer: PreTrainedTokenizerBase) -> str:
    """A tokenizer's chat template, the one for talk where it has several.

    Raises:
        InputError: it has none.
    """
    template = tokenizer.chat_template
    if isinstance(template, Mapping):
        template = template.get("default")
    if not isinstance(template, str) or not template:
        raise InputError(
            tokenizer.name_or_path or "tokenizer",
            expected="a chat template",
            found="none",
            remedy="generative reward models need a backbone that was trained to chat",
        )
    # An editor's byte order mark would be the first thing that the model reads.
    return template.removeprefix("\ufeff")


@lru_cache(maxsize=8)
def _frame(name: str, template: str, variables: str) -> Frame:
    for extras in ({}, _THINKING):
        rendered = _render(name, template, {**json.loads(variables), **extras})
        before, after, trim = _around(name, *rendered["texts"])
        if END_OF_THINKING not in after:
            break
    after = _CLOSED_THINKING.sub("", after)
    if END_OF_THINKING in after:
        raise _refusal(name, f"one that says {END_OF_THINKING} before a reply begins")
    if after.rstrip().endswith(_OPENING):
        after = after.rstrip().removesuffix(_OPENING)
    date = chat_rendering.DATE.isoformat() if rendered["is_dated"] else None
    return Frame(before, after, trim, date)


def _render(name: str, template: str, variables: Mapping[str, Any]) -> dict[str, Any]:
    """What `chat_rendering.render` makes of the probes."""
    request = {"template": template, "contents": [_MARK, _SPACED], "variables": variables}
    command = [sys.executable, "-P", str(chat_rendering.__file__)]
    try:
        run = subprocess.run(
            command,
            input=json.dumps(request).encode(),
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise _refusal(name, f"one that is not done after {_PATIENCE} seconds") from error
    if run.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
        raise _refusal(name, f"one that computes for over {chat_rendering.SECONDS} seconds")
    try:
        answer: dict[str, Any] = json.loads(run.stdout)
    except ValueError as error:
        said = run.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        found = f"one that ends its process, status {run.returncode} {said}"
        raise _refusal(name, found) from error
    if "error" in answer:
        raise _refusal(name, answer["error"])
    return answer


def _around(name: str, of_mark: str, of_spaced: str) -> tuple[str, str, Callable[[str], str]]:
    """What a template says before and after, and how it trims, of what it made of the probes."""
    before, mark, after = of_mark.partition(_MARK)
    for trim in _TRIMS:
        if mark and of_spaced == before + trim(_SPACED) + after:
            return before, after, trim
    raise _refusal(name, "one that changes or drops them" if mark else "one that does not")


def _refusal(name: str, found: str) -> InputError:
    return InputError(
        name,
        expected="a chat template that shows a user's words as they are",
        found=found,
        remedy="choose another backbone, or mend its chat template",
    )
