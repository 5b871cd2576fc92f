"""Completions are written down as they come, and not asked for twice."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from multirm.engines.base import (
    Completed,
    Completion,
    Key,
    Prompt,
    Request,
    Sampling,
    TokenCounts,
)
from multirm.generation.loop import generate_rows
from multirm.running.journal import Journal, open_journal
from tests.origins import made_of

PROMPTS = [Prompt(key, [1]) for key in [("gORM", "a", 0), ("gORM", "a", 1), ("gORM/a", 1)]]


class Dying:
    """Completes its prompts from the last to the first, one at a time, and fails before the `lives`-th."""

    reproducible = True

    def __init__(self, lives: int) -> None:
        self.lives = lives
        self.completed: list[Key] = []

    def generate(self, request: Request) -> Iterator[list[Completed]]:
        yield []
        for prompt in reversed(request.left):
            if len(self.completed) == self.lives:
                raise RuntimeError
            self.completed.append(prompt.key)
            text = f"{prompt.key} {request.sampling.first}"
            completion = Completion([2, 3], text, {}, truncated=False)
            completions = [completion] * request.sampling.n
            yield [Completed(prompt, completions, TokenCounts(1, 0, 2))]


def rows(prompt: Prompt, completions: Sequence[Completion]) -> list[dict[str, Any]]:
    return [{"text": completion.text, "number": k} for k, completion in enumerate(completions)]


def texts(engine: Dying, journal: Journal, sampling: Sampling) -> list[list[str]]:
    request = Request(PROMPTS, sampling, 0)
    found = generate_rows(engine, request, journal, rows, done="verified", items="solutions")
    assert [[row["number"] for row in rows] for rows in found] == [[*range(sampling.n)]] * 3
    return [[row["text"] for row in rows] for rows in found]


def test_what_was_done_before_a_failure_is_not_done_again(tmp_path: Path) -> None:
    one, other = Dying(2), Dying(9)
    with pytest.raises(RuntimeError), open_journal(tmp_path / "t", made_of()) as journal:
        texts(one, journal, Sampling(2, 5))
    with open_journal(tmp_path / "t", made_of()) as journal:
        assert texts(other, journal, Sampling(2, 5)) == [[f"{p.key} 0"] * 2 for p in PROMPTS]
    assert one.completed + other.completed == [prompt.key for prompt in reversed(PROMPTS)]


def test_later_samples_are_others(tmp_path: Path) -> None:
    engine = Dying(9)
    with open_journal(tmp_path / "t", made_of()) as journal:
        texts(engine, journal, Sampling(2, 5))
        assert texts(engine, journal, Sampling(1, 5, first=2)) == [[f"{p.key} 2"] for p in PROMPTS]
    assert len(engine.completed) == 6
