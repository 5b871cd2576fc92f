"""Solutions as prompts for a generative verifier, and a verifier's completions of them.

Generating critiques, learning from them and scoring by them go through here, so that all three show a
solution in the same words.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from multirm.engines.base import Completion, Engine, Prompt, Sampling
from multirm.running.journal import Journal
from multirm.running.progress import Progress
from multirm.tables.critique_rows import solution_key
from multirm.tables.reward_models import Kind
from multirm.text.encoding import encode_prompt
from multirm.text.labels import first_incorrect
from multirm.text.prompts import Template, render_prompt

if TYPE_CHECKING:
    # Typing only: the stages that read and write no text do without transformers.
    from transformers import PreTrainedTokenizerBase

Columns = Callable[[Prompt, Sequence[Completion]], list[dict[str, Any]]]


def verification_prompts(
    kind: Kind,
    tokenizer: PreTrainedTokenizerBase,
    template: Template,
    solutions: Iterable[Mapping[str, Any]],
) -> list[Prompt]:
    """One prompt per row of a solutions table, each showing the whole solution.

    Raises:
        InputError: the tokenizer has no chat template.
    """
    return [
        Prompt(
            (str(kind), *solution_key(row).values()),
            encode_prompt(tokenizer, solution_prompt(template, row, row["steps"])),
        )
        for row in solutions
    ]


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


def solution_prompt(template: Template, solution: Mapping[str, Any], steps: Sequence[str]) -> str:
    """The user turn that shows some steps of a row of a solutions table."""
    return render_prompt(template, solution["category"], solution["question"], steps)


def complete(
    engine: Engine,
    prompts: Sequence[Prompt],
    sampling: Sampling,
    watch: Sequence[int],
    seed: int,
    journal: Journal,
    columns: Columns,
) -> list[list[dict[str, Any]]]:
    """What `columns` says of each prompt's completions, in the order of `prompts`.

    It is written to the journal as it comes, and what is there already is not generated again.
    """

    def name(prompt: Prompt) -> str:
        return json.dumps([*prompt.key, sampling.first])

    done = {prompt.key for prompt in prompts if name(prompt) in journal.items}
    with Progress("verified", "solutions", len(prompts) - len(done)) as progress:
        for completed in engine.generate(prompts, sampling, watch, seed, done):
            journal.add({name(prompt): columns(prompt, samples) for prompt, samples in completed})
            n_tokens = sum(len(sample.ids) for _, samples in completed for sample in samples)
            progress.add(len(completed), n_tokens)
    return [journal.items[name(prompt)] for prompt in prompts]
