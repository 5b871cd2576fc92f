"""What a model's chat template puts around the turns of a chat, found out once and safely.

A template is untrusted code. It is run on a few probe texts in a process with limits on time and memory
(`chat_rendering`); the output shows what it puts before and after each turn, and how it trims it. Prompts are put
between these texts here. So the text of a question never reaches the template, and cannot change who the model
believes is speaking.

`chat_frame` is for critiques: one user turn, and a reply that opens the thinking itself. `conversation_frame` is for
everything else that a model replies to: any number of turns, exactly as the template renders them. `chat_turns` is for
ended conversations, in which rewards are read.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from operator import methodcaller
from typing import TYPE_CHECKING, Any, Self

from multirm.errors import InputError
from multirm.text import chat_rendering
from multirm.text.prompts import END_OF_THINKING, REPLY_START

if TYPE_CHECKING:
    # Typing only: stages without tokenization run without transformers.
    from transformers import PreTrainedTokenizerBase

_OPENING = REPLY_START.split("\n")[0]

# A character that no template trims or looks for.
_MARK = "\uffff"
_WORDS = f'Is 2 < 3 & "{_MARK}" {{{{x}}}} {{% y %}} it\'s?\n\n\n Step 1: \\boxed{{é数}}.\tYes'
_SPACED = f" \n\t{_WORDS}\n \t"
_PROBES = (_MARK, _SPACED)

_TRIMS: tuple[Callable[[str], str], ...] = (str, str.strip, str.lstrip, str.rstrip)

# Variables by which templates turn thinking on.
_THINKING = {"enable_thinking": True, "thinking": True}
_CLOSED_THINKING = re.compile(
    rf"(?:{re.escape(_OPENING)}\s*)?{re.escape(END_OF_THINKING)}\s*\Z", re.DOTALL
)

# In the template of a conversation, the user turn chooses one of the conversations in the template's variables. The
# line end is removed by Jinja, so that the rest starts at the start of a line, as it did.
_CHOICE = (
    "{% set messages = conversations[messages[0].content] %}"
    "{% set add_generation_prompt = awaits_reply %}\n"
)
_ROLES = ("user", "assistant")
_TURN_TRIMS: tuple[Callable[[str], str], ...] = (
    *_TRIMS,
    *(methodcaller(name, "\n") for name in ("strip", "lstrip", "rstrip")),
)

# Far beyond the limit on CPU time: the machine may be busy.
_PATIENCE = 30 * chat_rendering.SECONDS


@dataclass(frozen=True)
class Frame:
    """What a chat template puts around a user turn.

    Attributes:
        before: the text before it.
        after: the text after it, up to the start of the reply; it does not open the thinking.
        trim: how the template trims whitespace around the user turn.
        date: the date that the template was given, as YYYY-MM-DD; None if it did not ask for one.
    """

    before: str
    after: str
    trim: Callable[[str], str]
    date: str | None


def chat_frame(tokenizer: PreTrainedTokenizerBase) -> Frame:
    """What a tokenizer's chat template puts around a user turn.

    If a template opens the thinking, that is removed, so that it is not opened twice. If it closes the thinking
    at once, because thinking is off, it is rendered with thinking on, or else the closing is removed.

    Raises:
        InputError: there is no template, or it fails, exceeds the limits, or changes the user turn.
    """
    return _frame(_Template.of(tokenizer))


@dataclass(frozen=True)
class Turns:
    """What a chat template puts around the turns of a conversation that a user begins.

    Attributes:
        before: the text before the first user turn, with the system turn.
        to_assistant: the text from the end of a user turn to the start of the assistant's.
        to_user: the text from the end of an assistant turn to the start of the next user turn.
        after: the text after the last assistant turn.
    """

    before: str
    to_assistant: str
    to_user: str
    after: str


def chat_turns(
    tokenizer: PreTrainedTokenizerBase, system: str | None = None, pairs: int = 1
) -> Turns:
    """What a tokenizer's chat template puts around `pairs` pairs of turns, one of the user and one of the assistant.

    Args:
        system: the system turn; without one, the template may have its own.
        pairs: 1, or more for conversations of any length; then all turns must be put together alike.

    Raises:
        InputError: there is no template, it fails, exceeds the limits, changes turns, or treats them differently.
    """
    return _turns(_Template.of(tokenizer), system, pairs)


def date_told(tokenizer: PreTrainedTokenizerBase) -> dict[str, str]:
    """The date that a tokenizer's chat template was given, for a footer; empty if it asks for none."""
    date = chat_frame(tokenizer).date
    return {"date": date} if date else {}


@dataclass(frozen=True)
class ConversationFrame:
    """What a chat template puts around the turns of a conversation.

    Attributes:
        between: the texts before the first turn, between turns, and after the last one, up to the start of the reply.
        trims: for each turn, how the template trims whitespace around it.
        date: the date that the template was given, as YYYY-MM-DD; None if it did not ask for one.
    """

    between: tuple[str, ...]
    trims: tuple[Callable[[str], str], ...]
    date: str | None


def conversation_frame(tokenizer: PreTrainedTokenizerBase, n_turns: int) -> ConversationFrame:
    """What a tokenizer's chat template puts around alternating user and assistant turns, before a reply.

    Args:
        n_turns: the number of turns, which is odd: the last one is the user's.

    Raises:
        InputError: there is no template, or it fails, exceeds the limits, or changes the turns.
    """
    if n_turns % 2 == 0:
        raise ValueError(f"expected an odd number of turns, found {n_turns}")
    return _conversation_frame(_Template.of(tokenizer), n_turns)


def conversation_date(tokenizer: PreTrainedTokenizerBase) -> dict[str, str]:
    """The date that a tokenizer's chat template is given in conversations, for a footer; empty if it asks for none."""
    date = conversation_frame(tokenizer, 1).date
    return {"date": date} if date else {}


def chat_template(tokenizer: PreTrainedTokenizerBase) -> str:
    """A tokenizer's chat template; the default one if it has several.

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
    # A byte order mark left by an editor would be the first thing that the model reads.
    return template.removeprefix("\ufeff")


@dataclass(frozen=True)
class _Template:
    """A chat template, hashable.

    Attributes:
        name: of its model, for messages.
        text: the template.
        variables: JSON: names of special tokens, or lists of them, by role.
    """

    name: str
    text: str
    variables: str

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase) -> Self:
        variables = json.dumps(tokenizer.special_tokens_map, default=str)
        return cls(tokenizer.name_or_path or "tokenizer", chat_template(tokenizer), variables)


@lru_cache(maxsize=8)
def _frame(template: _Template) -> Frame:
    for extras in ({}, _THINKING):
        rendered = _render(template, template.text, extras)
        before, after, trim = _around(template.name, *rendered["texts"])
        if END_OF_THINKING not in after:
            break
    after = _CLOSED_THINKING.sub("", after)
    if END_OF_THINKING in after:
        raise _refusal(template.name, f"one that puts {END_OF_THINKING} before the reply")
    if after.rstrip().endswith(_OPENING):
        after = after.rstrip().removesuffix(_OPENING)
    return Frame(before, after, trim, _date(rendered))


@lru_cache(maxsize=32)
def _conversation_frame(template: _Template, n_turns: int) -> ConversationFrame:
    marks = _marks(n_turns)
    spaced = [f"\n \t{_WORDS}{mark}\t \n" for mark in marks]
    rendered = _render_conversations(template, (marks, spaced), awaits_reply=True)
    of_marks, of_spaced = rendered["texts"]
    between = _between(template.name, of_marks, marks)
    for of_roles in product(_TURN_TRIMS, repeat=2):
        trims = tuple(of_roles[k % 2] for k in range(n_turns))
        frame = ConversationFrame(between, trims, _date(rendered))
        if of_spaced == "".join(fill_conversation(frame, spaced)):
            return frame
    raise _refusal(template.name, f"one that changes a turn of {n_turns}")


def fill_conversation(frame: ConversationFrame, turns: Sequence[str]) -> list[str]:
    """The texts of a conversation in order: the template's own and, between them, the turns as it trims them."""
    trimmed = [trim(turn) for trim, turn in zip(frame.trims, turns, strict=True)]
    inner = zip(frame.between, trimmed, strict=False)
    return [*(text for pair in inner for text in pair), frame.between[-1]]


@lru_cache(maxsize=16)
def _turns(template: _Template, system: str | None, pairs: int) -> Turns:
    marks = _marks(2 * pairs)
    rendered = _render_conversations(template, (marks, marks), system, awaits_reply=False)
    before, *inner, after = _between(template.name, rendered["texts"][0], marks)
    to_assistant, to_user = inner[0], inner[1] if pairs > 1 else ""
    if inner != ([to_assistant, to_user] * pairs)[: 2 * pairs - 1]:
        raise _refusal(template.name, "one that treats the turns of a conversation differently")
    return Turns(before, to_assistant, to_user, after)


def _marks(n_turns: int) -> list[str]:
    """Turns that are easily found in a rendered conversation."""
    return [f"{_MARK}{k}{_MARK}" for k in range(n_turns)]


def _between(name: str, text: str, marks: Sequence[str]) -> tuple[str, ...]:
    """What is before, between and after marks, each of which must be there once, in their order."""
    between = []
    rest = text
    for mark in marks:
        before, found, rest = rest.partition(mark)
        between.append(before)
        if not found:
            break
    between.append(rest)
    if len(between) <= len(marks) or any(_MARK in each for each in between):
        raise _refusal(name, f"one that drops, repeats or moves a turn of {len(marks)}")
    return tuple(between)


def _date(rendered: Mapping[str, Any]) -> str | None:
    return chat_rendering.DATE.isoformat() if rendered["is_dated"] else None


def _render_conversations(
    template: _Template,
    both: tuple[Sequence[str], Sequence[str]],
    system: str | None = None,
    *,
    awaits_reply: bool,
) -> dict[str, Any]:
    """Render two conversations of alternating turns.

    Args:
        awaits_reply: whether the assistant's turn is opened at their ends.
    """
    first = [] if system is None else [{"role": "system", "content": system}]
    conversations = {
        chosen_by: first
        + [{"role": _ROLES[k % 2], "content": text} for k, text in enumerate(texts)]
        for chosen_by, texts in zip(_PROBES, both, strict=True)
    }
    known = {"conversations": conversations, "awaits_reply": awaits_reply}
    return _render(template, _CHOICE + template.text, known)


def _render(template: _Template, text: str, extras: Mapping[str, Any]) -> dict[str, Any]:
    """Run `chat_rendering.render` on the probe texts, in a process of its own.

    Args:
        text: the template, or one that begins with a choice.
        extras: variables besides the template's own.
    """
    name = template.name
    variables = {**json.loads(template.variables), **extras}
    request = {"template": text, "contents": _PROBES, "variables": variables}
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
        raise _refusal(name, f"one that has not finished after {_PATIENCE} seconds") from error
    if run.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
        raise _refusal(name, f"one that needs over {chat_rendering.SECONDS} seconds of CPU time")
    try:
        answer: dict[str, Any] = json.loads(run.stdout)
    except ValueError as error:
        said = run.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        found = f"one whose process exits with status {run.returncode} {said}"
        raise _refusal(name, found) from error
    if "error" in answer:
        raise _refusal(name, answer["error"])
    return answer


def _around(name: str, of_mark: str, of_spaced: str) -> tuple[str, str, Callable[[str], str]]:
    """The text before and after a user turn, and the trimming, from the rendered probes."""
    before, mark, after = of_mark.partition(_MARK)
    for trim in _TRIMS:
        if mark and of_spaced == before + trim(_SPACED) + after:
            return before, after, trim
    raise _refusal(name, "one that changes or drops them" if mark else "one that does not")


def _refusal(name: str, found: str) -> InputError:
    return InputError(
        name,
        expected="a chat template that leaves the user turn unchanged",
        found=found,
        remedy="choose another backbone, or fix its chat template",
    )
