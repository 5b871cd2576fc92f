"""Prompts for critiques of solutions, for teachers and generative reward models.

This module does not import what reads critiques: a change there must not make a teacher's critiques stale.
"""

from collections.abc import Iterable

from transformers import PreTrainedTokenizerBase

from multirm.engines.base import Prompt
from multirm.reward_models.base import Solution
from multirm.tables.reward_models import Kind
from multirm.text.encoding import encode_prompt
from multirm.text.prompts import Template, render_prompt


def verification_prompts(
    kind: Kind,
    tokenizer: PreTrainedTokenizerBase,
    template: Template,
    solutions: Iterable[Solution],
) -> list[Prompt]:
    """One prompt per solution, with all of its steps.

    Raises:
        InputError: the tokenizer has no chat template.
    """
    return [
        Prompt(
            (str(kind), *solution.key),
            encode_prompt(
                tokenizer,
                render_prompt(template, solution.category, solution.question, solution.steps),
            ),
        )
        for solution in solutions
    ]
