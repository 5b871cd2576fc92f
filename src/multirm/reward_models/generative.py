"""Generative reward models: the probability of the verdict Yes in each sampled critique of a solution.

Get rewards of a question and its steps, or the critiques behind them:

    options = GenerationOptions(engine=EngineName.TRANSFORMERS, max_tokens=64)
    model = load_generative(Kind.GORM, "results/models/gORM-mini/adapter", options, samples=2)
    solutions = [Solution("What is 2 + 3?", ("2 + 3 = 5.", "The answer is 5."))]
    [found] = model.score(solutions)
    found.rewards
    [critiques] = model.criticise(solutions)
    critiques[0].critique
"""

import logging
import math
import re
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from transformers import PreTrainedTokenizerBase

from multirm.engines.base import Completion, Engine, Prompt, Request
from multirm.engines.limits import configuration, settings_folder
from multirm.engines.stops import decode
from multirm.errors import escaped
from multirm.generation.options import GenerationOptions
from multirm.models.dtype import Dtype
from multirm.models.flops import DecoderFlops
from multirm.models.load import load_tokenizer
from multirm.reward_models.base import RewardModel, Rewards, Solution
from multirm.reward_models.prompts import verification_prompts
from multirm.tables.reward_models import Kind
from multirm.tables.rewards import NoReward, Scale, Unit
from multirm.text.encoding import verdict_candidates
from multirm.text.prompts import Template, load_template, own_template
from multirm.text.verdicts import find_verdict

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ScoredCritique:
    """A critique with its reward.

    Attributes:
        critique: the text.
        reward: probability of the verdict Yes, from 0 to 1; None without a verdict.
        reason: why there is no reward; None if there is one.
        n_tokens_generated: number of the text's tokens, without the one that ends it.
        truncated: whether the text was cut off.
    """

    critique: str
    reward: float | None
    reason: NoReward | None
    n_tokens_generated: int
    truncated: bool


def load_generative(
    kind: Kind,
    model: str | Path,
    options: GenerationOptions,
    samples: int = 10,
    template: Path | None = None,
    dtype: Dtype = Dtype.AUTO,
) -> "GenerativeModel":
    """Load a gORM or gPRM.

    Args:
        kind: gORM or gPRM.
        model: folder of an adapter or of a whole model, or a hub name.
        options: the engine and its sampling options.
        samples: critiques per solution.
        template: prompt template; by default, the package's own.
        dtype: precision of the model: auto is bfloat16 on a GPU and float32 on a CPU.

    Raises:
        InputError: what `CritiqueFormat`, `load_template` and `engines.load.load_engine` refuse.
    """
    words = load_template(template or own_template(kind), kind)
    asked = CritiqueFormat(kind, load_tokenizer(str(model)), words)
    engine = options.load_engine(str(model), dtype)
    return GenerativeModel(engine, asked, options, samples, flops_of(str(model)))


def flops_of(model: str) -> DecoderFlops | None:
    """What the operations of a model depend on; None if they are unknown.

    Args:
        model: folder of an adapter or of a whole model, or a hub name.
    """
    try:
        return DecoderFlops.of(configuration(settings_folder(model)))
    except (AttributeError, ImportError, KeyError, RuntimeError, TypeError, ValueError) as error:
        # Whatever transformers cannot build; other engines may run it, and costs are no reason to stop.
        logger.warning("%s: operations are unknown: %s", model, escaped(str(error)))
        return None


class Critiques(Protocol):
    """How solutions become prompts, and completions become scored critiques.

    Attributes:
        watch: the tokens to watch: rewards are computed from their probabilities.
    """

    watch: tuple[int, int]

    def prompts(self, solutions: Iterable[Solution]) -> list[Prompt]:
        """The prompts of solutions, in their order."""
        ...

    def read(self, completion: Completion) -> ScoredCritique:
        """Score a completion that was generated with `watch`."""
        ...


class CritiqueFormat:
    """How solutions become prompts for a generative reward model, and completions become scored critiques.

    There is one prompt per solution.

    Args:
        kind: gORM or gPRM.
        tokenizer: the model's tokenizer.
        template: the prompt template.

    Raises:
        InputError: ` Yes` or ` No` is not a single token.
    """

    def __init__(self, kind: Kind, tokenizer: PreTrainedTokenizerBase, template: Template) -> None:
        self._kind, self._tokenizer, self._template = kind, tokenizer, template
        self.watch = verdict_candidates(tokenizer)
        """The tokens to watch: rewards are computed from their probabilities."""

    def prompts(self, solutions: Iterable[Solution]) -> list[Prompt]:
        """See `verification_prompts`."""
        return verification_prompts(self._kind, self._tokenizer, self._template, solutions)

    def read(self, completion: Completion) -> ScoredCritique:
        """Score a completion that was generated with `watch`."""
        place = verdict_place(self._kind, self._tokenizer, completion)
        return scored_critique(completion, place)


class GenerativeModel(RewardModel):
    """A gORM or gPRM with the engine that runs it.

    If the engine is reproducible, a solution's critiques depend only on the model, the options, the solution and
    its key, not on the other solutions.

    Args:
        engine: the engine that runs the model.
        asked: prompts and scores of critiques.
        options: sampling options.
        samples: critiques per solution.
        flops: as `flops_of` gives it.
    """

    unit, scale = Unit.CRITIQUE, Scale.PROBABILITY

    def __init__(
        self,
        engine: Engine,
        asked: Critiques,
        options: GenerationOptions,
        samples: int,
        flops: DecoderFlops | None,
    ) -> None:
        self.engine, self.asked, self.samples, self.flops = engine, asked, samples, flops
        self._options = options

    def request(self, prompts: Sequence[Prompt], n: int, first: int = 0) -> Request:
        """A request for critiques `first` to `first + n - 1` of each prompt's solution."""
        return self._options.request(prompts, n, first, self.asked.watch)

    def criticise_in_batches(
        self, solutions: Sequence[Solution], done: Container[int] = ()
    ) -> Iterator[dict[int, list[ScoredCritique]]]:
        """Sample critiques of solutions; as `score_in_batches`, but for critiques instead of rewards.

        Raises:
            InputError: two solutions have the same key, or the engine refuses the request.
        """
        return self._criticised(self.asked.prompts(solutions), done)

    def _criticised(
        self, prompts: Sequence[Prompt], done: Container[int]
    ) -> Iterator[dict[int, list[ScoredCritique]]]:
        positions = {prompt.key: position for position, prompt in enumerate(prompts)}
        finished = {key for key, position in positions.items() if position in done}
        request = replace(self.request(prompts, self.samples), done=finished)
        for some in self.engine.generate(request):
            if some:
                yield {
                    positions[each.prompt.key]: [*map(self.asked.read, each.completions)]
                    for each in some
                }

    def criticise(self, solutions: Sequence[Solution]) -> list[list[ScoredCritique]]:
        """The critiques of each solution, in the order of the solutions."""
        found: dict[int, list[ScoredCritique]] = {}
        for some in self.criticise_in_batches(solutions):
            found |= some
        return [found[position] for position in range(len(solutions))]

    def score_in_batches(
        self, solutions: Sequence[Solution], done: Container[int] = ()
    ) -> Iterator[dict[int, Rewards]]:
        """Score solutions; see `RewardModel.score_in_batches`.

        Yields:
            rewards by the positions of their solutions: P(Yes) of each critique, None without a verdict.
        """
        prompts = self.asked.prompts(solutions)
        for some in self._criticised(prompts, done):
            yield {
                position: self.combined([critiques], [len(prompts[position].ids)])
                for position, critiques in some.items()
            }

    def combined(
        self, critiques: Sequence[Sequence[ScoredCritique]], n_prompts: Sequence[int]
    ) -> Rewards:
        """The rewards of a solution from the critiques of each of its prompts, which have `n_prompts` tokens."""
        [only], [n_prompt] = critiques, n_prompts
        return rewards_of(only, n_prompt, self.flops)


def rewards_of(
    critiques: Sequence[ScoredCritique], n_prompt: int, flops: DecoderFlops | None
) -> Rewards:
    """The rewards of a solution, from its critiques.

    Args:
        n_prompt: number of the prompt's tokens.
        flops: as `flops_of` gives it.
    """
    fits = any(critique.reason != NoReward.CONTEXT for critique in critiques)
    n_read = n_prompt if fits else 0
    lengths = [critique.n_tokens_generated for critique in critiques]
    total = None
    if flops is not None:
        total = flops.reading(n_read) + sum(flops.generating(n, n_read) for n in lengths)
    return Rewards(
        tuple(critique.reward for critique in critiques),
        n_read,
        sum(lengths),
        total,
        any(critique.truncated for critique in critiques),
    )


def scored_critique(completion: Completion, place: int | None) -> ScoredCritique:
    """A completion with its reward.

    Args:
        place: the index of its verdict among `completion.ids`; None if there is none.
    """
    return ScoredCritique(
        completion.text,
        None if place is None else yes_probability(completion.watched[place]),
        None if place is not None else why_none(completion),
        len(completion.ids),
        completion.truncated,
    )


def why_none(completion: Completion) -> NoReward:
    """Why a completion has no verdict."""
    if not completion.truncated:
        return NoReward.FORMAT
    return NoReward.LENGTH if completion.ids else NoReward.CONTEXT


def verdict_place(
    kind: Kind, tokenizer: PreTrainedTokenizerBase, completion: Completion
) -> int | None:
    """The index of the verdict among `completion.ids`, or None.

    The verdict is the token ` Yes` or ` No` of the last verdict line after the end of thinking. If that line spells
    it with other tokens (`yes`, `**Yes**`), there is no probability to read, and earlier lines do not count.
    """
    return place_of(find_verdict(kind, completion.text), tokenizer, completion)


def place_of(
    verdict: re.Match[str] | None, tokenizer: PreTrainedTokenizerBase, completion: Completion
) -> int | None:
    """The index among `completion.ids` of the token ` Yes` or ` No` in group 1 of a match, or None."""
    if verdict is None:
        return None
    n_before = verdict.start(1) - 1
    for place in sorted(completion.watched, reverse=True):
        if len(decode(tokenizer, completion.ids[:place])) == n_before:
            return place
    return None


def yes_probability(watched: tuple[float, ...]) -> float:
    """P(Yes) / (P(Yes) + P(No)) from the log-probabilities of ` No` and ` Yes`, in that order."""
    no, yes = watched
    likelier = max(no, yes)
    return math.exp(yes - likelier) / (math.exp(no - likelier) + math.exp(yes - likelier))
