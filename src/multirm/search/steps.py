"""Completions to steps: where one ends, and what belongs to the next one."""

from collections.abc import Sequence
from dataclasses import replace

from transformers import PreTrainedTokenizerBase

from multirm.engines.base import Completion
from multirm.engines.stops import completion_of, cut_at_stop
from multirm.search.tree import Step


def begin_step(rest: str) -> Step:
    """A step of which nothing has been drawn.

    Args:
        rest: of the step before it.
    """
    return Step("", (), rest, 0, is_last=False, is_cut=False)


def continued(step: Step, completion: Completion, limit: int) -> Step:
    """A step with what was drawn after it.

    White space before a step belongs to it, so a step is empty as long as there is nothing else, and is to be continued
    then unless it is the last one or cut.

    Args:
        step: the step so far, as `begin_step` and this function return it: without a text.
        completion: what was drawn, up to the stop string or the end.
        limit: the largest number of tokens of a step, after which it is cut.
    """
    text = step.rest + completion.text + (completion.stop or "")
    ids = [*step.ids, *completion.ids]
    is_last = completion.stop is None and not completion.truncated
    is_empty = not text.strip()
    is_cut = completion.truncated or (is_empty and not is_last and len(ids) >= limit)
    rest = text + completion.rest if is_empty else completion.rest
    return Step(text.strip(), ids, rest, step.n_drawn + completion.n_drawn, is_last, is_cut)


def is_complete(step: Step) -> bool:
    """Whether a step has a text, or the solution ends here."""
    return bool(step.text) or step.is_last or step.is_cut


def steps_of_whole(
    tokenizer: PreTrainedTokenizerBase, rest: str, completion: Completion, stops: Sequence[str]
) -> list[Step]:
    """The steps of a solution that was drawn in one go: the same as if its tokens had been drawn step by step.

    Args:
        rest: of the step before it.
        completion: what was drawn, without stop strings.
        stops: stop strings that end a step.
    """
    steps, step, ids = list[Step](), begin_step(rest), completion.ids
    while True:
        piece = cut_at_stop(tokenizer, ids, stops)
        ids = ids[len(piece) :]
        drawn = completion_of(tokenizer, piece, stops, {}, completion.truncated and not ids)
        step = continued(step, drawn, limit=len(completion.ids) + 1)
        if step.is_last or step.is_cut:
            return [*steps, step]
        if not ids and completion.truncated:
            return [*steps, replace(step, is_cut=True)]
        if is_complete(step):
            steps.append(step)
            step = begin_step(step.rest)
