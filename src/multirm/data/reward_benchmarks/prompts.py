"""What each reader of a reward-model benchmark makes of a row: a prompt with its better and worse responses."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from multirm.errors import shown
from multirm.formats.json_source import Record, as_record
from multirm.tables.responses import Style

USER, ASSISTANT, SYSTEM = "user", "assistant", "system"


@dataclass(frozen=True)
class Response:
    """A response to a prompt.

    Attributes:
        text: as published.
        is_chosen: whether it is one of the better ones.
        style: how it is written, in RM-Bench.
        steps: the same text in steps, where the benchmark has some; the last one is judged.
        outcome: 1 if it is correct, 0 if not; None where the benchmark compares quality.
        reward: what the file says that a reward model gave it.
    """

    text: str
    is_chosen: bool
    style: Style | None = None
    steps: Sequence[str] | None = None
    outcome: int | None = None
    reward: float | None = None


@dataclass(frozen=True)
class Prompt:
    """A prompt and the responses that are compared with each other.

    Attributes:
        where: its place in the file, for errors.
        subset: of the benchmark.
        section: what the benchmark reports its subset in.
        prompt_id: unique in its subset.
        text: what the responses answer: a text, or a conversation as one text.
        responses: at least one that is chosen and one that is not; in pools, all may be right or wrong.
        margin: how much better the chosen ones are, on the benchmark's scale.
        model: whose rewards the file has.
    """

    where: str
    subset: str
    section: str
    prompt_id: str
    text: str
    responses: Sequence[Response]
    margin: float | None = None
    model: str | None = None


def pair(chosen: str, rejected: str) -> list[Response]:
    """A better and a worse response."""
    return [Response(chosen, True), Response(rejected, False)]


def by_label(record: Record, key: str, first: str, second: str) -> list[Response]:
    """Two responses, of which a label, 1 or 2, names the better one.

    Args:
        key: of the label.
        first, second: the keys of the responses.
    """
    label = record.integer(key)
    if label not in (1, 2):
        raise record.error(key, expected="1 or 2", found=str(label))
    texts = response_text(record, first), response_text(record, second)
    return pair(*(texts if label == 1 else reversed(texts)))


def response_text(record: Record, key: str) -> str:
    """A response as published; it may be empty."""
    return record.optional_text(key) or ""


def response_texts(record: Record, key: str) -> list[str]:
    """A list of at least one response."""
    texts = record.texts(key)
    if not texts:
        raise record.error(key, expected="at least one response", found="an empty list")
    return texts


def conversation(where: str, messages: Sequence[Any]) -> str:
    """The text of messages: of a lone user's message its content, else each turn after the name of its role.

    Args:
        messages: objects with `role` and `content`.
    """
    turns = []
    for number, value in enumerate(messages):
        message = as_record(f"{where}[{number}]", value)
        role = message.text("role")
        if role not in (USER, ASSISTANT, SYSTEM):
            raise message.error("role", expected="user, assistant or system", found=shown(role))
        turns.append((role, message.optional_text("content") or ""))
    if [role for role, _ in turns] == [USER]:
        return turns[0][1]
    return "\n\n".join(f"{role.capitalize()}: {content}" for role, content in turns)


def prompt_text(record: Record, key: str) -> str:
    """A prompt that is a text or a list of messages."""
    value = record.get(key)
    text = (
        conversation(f"{record.where}, {key}", value)
        if isinstance(value, list)
        else record.text(key)
    )
    if not text.strip():
        raise record.error(key, expected="a prompt with text", found="an empty one")
    return text
