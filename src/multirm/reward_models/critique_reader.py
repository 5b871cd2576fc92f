"""Read solutions that grow step by step with a generative reward model.

The prompt for critiques has all steps so far. An engine that can keeps what it computed of it, so that the prompt with
one more step is computed only from where the two differ.
"""

from collections.abc import Sequence
from dataclasses import replace

from multirm.engines.base import Completed, Prompt
from multirm.models.token_tree import ReadTexts
from multirm.reward_models.base import Solution
from multirm.reward_models.generative import GenerativeModel, rewards_of
from multirm.reward_models.step_readers import (
    StepReader,
    StepRewards,
    key_of_text,
    rewards_of_steps,
    without_cost,
)
from multirm.tables.rewards import Unit

_Key = tuple[str | int, ...]


class CritiqueReader(StepReader):
    """Samples critiques of the first steps of solutions, once of each text; see `StepReader`.

    Critiques depend on the text alone, not on the solution's key.

    Args:
        model: a gORM, a gPRM, or a model that judges one step at a time.
    """

    def __init__(self, model: GenerativeModel) -> None:
        self._model = model
        self._known = ReadTexts()
        # What was read of the last step of each text, by the text's key.
        self._read: dict[_Key, StepRewards] = {}
        # Texts whose critiques an earlier run has paid for.
        self._paid = set[_Key]()
        self.unit, self.scale = model.unit, model.scale

    def read(self, solutions: Sequence[Solution]) -> list[StepRewards]:
        """See `StepReader`. Prompt tokens count as computed if the engine does not know."""
        texts = [self._texts(solution) for solution in solutions]
        new = {text.key: text for own in texts for text in own if text.key not in self._read}
        self._criticise(list(new.values()))
        return [
            self._together([text.key for text in own], len(solution.steps))
            for own, solution in zip(texts, solutions, strict=True)
        ]

    def know(self, solutions: Sequence[Solution]) -> None:
        """See `StepReader`; neither are the critiques new that are written again."""
        for text in (text for solution in solutions for text in self._texts(solution)):
            self._paid.add(text.key)
            self._known.add(self._prompt(text).ids)

    def _prompt(self, text: Solution) -> Prompt:
        """The prompt for the last step; a model that judges one step at a time has a prompt for each of them."""
        *_, last = self._model.asked.prompts([text])
        return last

    def _texts(self, solution: Solution) -> list[Solution]:
        """The first steps of a solution that have critiques of their own, with keys of their texts."""
        n_steps = len(solution.steps)
        counts = range(1 if self.unit is Unit.STEP else max(1, n_steps), n_steps + 1)
        begun = [replace(solution, steps=solution.steps[:count]) for count in counts]
        return [replace(each, key=key_of_text(each)) for each in begun]

    def _criticise(self, texts: Sequence[Solution]) -> None:
        """Sample critiques of the last step of each text."""
        keys: dict[_Key, _Key] = {}
        prompts: list[Prompt] = []
        for text in texts:
            last = self._prompt(text)
            keys[last.key] = text.key
            prompts.append(last)
        if not prompts:
            return
        request = replace(self._model.request(prompts, self._model.samples), is_continued=True)
        found = {
            keys[each.prompt.key]: each
            for some in self._model.engine.generate(request)
            for each in some
        }
        for text in texts:
            own = self._of_critiques(found[text.key])
            self._read[text.key] = own._replace(n_new=0) if text.key in self._paid else own

    def _of_critiques(self, completed: Completed) -> StepRewards:
        critiques = [self._model.asked.read(one) for one in completed.completions]
        ids, flops = completed.prompt.ids, self._model.flops
        own = rewards_of(critiques, len(ids), flops)
        computed, cached = completed.tokens.computed, completed.tokens.cached or 0
        if computed is None:
            computed = own.n_tokens_read
        spent = None
        if flops is not None and own.n_tokens_read:
            spent = flops.reading(computed, max(0, len(ids) - computed))
            spent += sum(flops.generating(one.n_tokens_generated, len(ids)) for one in critiques)
        n_new = self._known.add(ids) if own.n_tokens_read else 0
        return StepRewards(
            rewards_of_steps(own.rewards, Unit.CRITIQUE, 1),
            n_new + own.n_tokens_generated,
            computed,
            cached,
            own.n_tokens_generated,
            spent if own.n_tokens_read else own.flops,
            own.truncated,
        )

    def _together(self, keys: Sequence[_Key], n_steps: int) -> StepRewards:
        """The rewards of a solution; what its texts cost, the first solution that has them pays."""
        read = [self._read[key] for key in keys]
        for key in keys:
            self._read[key] = without_cost(self._read[key])
        last = [reward for each in read for reward in each.rewards]
        return StepRewards(
            (*[None] * (n_steps - len(last)), *last),
            sum(each.n_new for each in read),
            sum(each.n_computed for each in read),
            sum(each.n_cached for each in read),
            sum(each.n_generated for each in read),
            None
            if any(each.flops is None for each in read)
            else sum(each.flops or 0.0 for each in read),
            any(each.truncated for each in read),
        )
