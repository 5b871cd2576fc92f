"""The loop of all jobs that generate text: send prompts to an engine, make rows of completions, journal them."""

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from multirm.engines.base import Completed, Completion, Engine, Prompt, Request
from multirm.running.journal import Journal
from multirm.running.progress import Progress

Rows = list[dict[str, Any]]

logger = logging.getLogger(__name__)


def generate_rows(
    engine: Engine,
    request: Request,
    journal: Journal,
    read: Callable[[Prompt, Sequence[Completion]], Rows],
    *,
    done: str,
    items: str,
) -> list[Rows]:
    """Generate completions of prompts and turn them into rows, which are journaled as they come.

    What is in the journal is not generated again. It may hold several groups of samples of a prompt, told
    apart by the number of their first sample.

    Args:
        request: what to generate; its `done` is taken from the journal.
        read: makes rows of a prompt's completions. Their values must be JSON.
        done: for progress reports: what happens to a prompt, such as "verified".
        items: for progress reports: what a prompt is about, such as "solutions".

    Returns:
        the rows of each prompt, in the order of the prompts.
    """

    def name(prompt: Prompt) -> str:
        return json.dumps([*prompt.key, request.sampling.first])

    finished = {prompt.key for prompt in request.prompts if name(prompt) in journal.items}
    with Progress(done, items, len(request.prompts) - len(finished)) as progress:
        for some in engine.generate(replace(request, done=finished)):
            journal.add({name(each.prompt): read(each.prompt, each.completions) for each in some})
            progress.add(len(some), sum(map(_n_tokens, some)))
    return [journal.items[name(prompt)] for prompt in request.prompts]


def _n_tokens(completed: Completed) -> int:
    return sum(len(one.ids) for one in completed.completions)
