"""Generative reward models that judge one step at a time (R-PRM, arXiv 2503.21295).

Each step has a prompt of its own, with the question and the steps before it. The reward of a step is the mean of P(Yes)
over the sampled analyses that end with a verdict.
"""

import re
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Sequence
from pathlib import Path

from transformers import PreTrainedTokenizerBase

from multirm.engines.base import Completion, Prompt
from multirm.reward_models.base import Rewards, Solution
from multirm.reward_models.formats import STEP_PLACEHOLDERS, read_words
from multirm.reward_models.generative import (
    GenerativeModel,
    ScoredCritique,
    place_of,
    rewards_of,
    scored_critique,
)
from multirm.tables.rewards import Unit
from multirm.text.encoding import encode_conversation, verdict_candidates

_VERDICT = re.compile(r"Verification:\s*Is the step correct \(Yes/No\)\? (Yes|No)\b")
_PLACEHOLDER = re.compile("|".join(map(re.escape, STEP_PLACEHOLDERS)))


class StepCritiqueFormat:
    """How the steps of solutions become prompts, and completions become scored analyses.

    Args:
        tokenizer: the model's tokenizer.
        template: a file with the words of the prompt and the placeholders `{question}`, `{previous}` and `{step}`.

    Raises:
        InputError: ` Yes` or ` No` is not a single token, or the file lacks a placeholder.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, template: Path) -> None:
        self._tokenizer = tokenizer
        self.watch = verdict_candidates(tokenizer)
        self._words = read_words(template, STEP_PLACEHOLDERS).strip()

    def prompts(self, solutions: Iterable[Solution]) -> list[Prompt]:
        """The prompts of all steps of all solutions, in their order.

        Raises:
            InputError: the tokenizer has no chat template.
        """
        return [
            Prompt(
                ("r_prm", *solution.key, number),
                encode_conversation(self._tokenizer, [self._prompt(solution, number)]),
            )
            for solution in solutions
            for number in range(len(solution.steps))
        ]

    def _prompt(self, solution: Solution, number: int) -> str:
        before = [
            f"Step {place}: {step.strip()}"
            for place, step in enumerate(solution.steps[:number], start=1)
        ]
        texts = {
            "{question}": solution.question.strip(),
            "{previous}": "\n".join(before) or "None",
            "{step}": f"Step {number + 1}: {solution.steps[number].strip()}",
        }
        return _PLACEHOLDER.sub(lambda found: texts[found[0]], self._words)

    def read(self, completion: Completion) -> ScoredCritique:
        """Score a completion that was generated with `watch`."""
        verdict = max(_VERDICT.finditer(completion.text), key=re.Match.start, default=None)
        return scored_critique(completion, place_of(verdict, self._tokenizer, completion))


class StepwiseModel(GenerativeModel):
    """A model that judges one step at a time, with the engine that runs it."""

    unit = Unit.STEP

    def score_in_batches(
        self, solutions: Sequence[Solution], done: Container[int] = ()
    ) -> Iterator[dict[int, Rewards]]:
        """Score solutions; see `RewardModel.score_in_batches`.

        Yields:
            rewards by the positions of their solutions, once all steps of a solution are judged: one per step.
        """
        owners = [place for place, each in enumerate(solutions) for _ in each.steps]
        prompts = self.asked.prompts(solutions)
        lengths = [len(prompt.ids) for prompt in prompts]
        finished = {place for place, owner in enumerate(owners) if owner in done}
        without = (place for place, each in enumerate(solutions) if not each.steps)
        if empty := [place for place in without if place not in done]:
            yield {place: self.combined([], []) for place in empty}
        found: dict[int, dict[int, list[ScoredCritique]]] = defaultdict(dict)
        for some in self._criticised(prompts, finished):
            for place, analyses in some.items():
                found[owners[place]][place] = analyses
            ready = [owner for owner in found if len(found[owner]) == len(solutions[owner].steps)]
            complete = {owner: sorted(found.pop(owner).items()) for owner in ready}
            if complete:
                yield {
                    owner: self.combined(
                        [analyses for _, analyses in steps], [lengths[place] for place, _ in steps]
                    )
                    for owner, steps in complete.items()
                }

    def combined(
        self, critiques: Sequence[Sequence[ScoredCritique]], n_prompts: Sequence[int]
    ) -> Rewards:
        """The rewards of a solution from the analyses of each of its steps: the mean of those with a verdict."""
        of_steps = zip(critiques, n_prompts, strict=True)
        steps = [rewards_of(each, n, self.flops) for each, n in of_steps]
        total = None if self.flops is None else sum(step.flops or 0.0 for step in steps)
        return Rewards(
            tuple(_mean(step.rewards) for step in steps),
            sum(step.n_tokens_read for step in steps),
            sum(step.n_tokens_generated for step in steps),
            total,
            any(step.truncated for step in steps),
        )


def _mean(rewards: Sequence[float | None]) -> float | None:
    present = [reward for reward in rewards if reward is not None]
    return sum(present) / len(present) if present else None
