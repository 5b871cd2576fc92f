"""The loop of every job that generates: prompts go to an engine, rows come back, and what is finished is kept."""

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
    """What `read` makes of each prompt's completions, in the order of the prompts.

    It is written to the journal as it comes, and what is there already is not generated again. Of one
    prompt the journal may have several lots of samples, which begin with different numbers.

    Args:
        request: what is generated; what is done of it, the journal says.
        read: makes rows, of what JSON can hold, of a prompt's completions.
        done: what is done to a prompt, as progress says it: "verified".
        items: what the prompts are of, likewise: "solutions".
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
