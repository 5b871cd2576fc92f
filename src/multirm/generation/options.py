"""The options of all commands that generate text."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cyclopts import Parameter

from multirm.engines.base import Prompt, Request, Sampling
from multirm.engines.name import EngineName
from multirm.running.numbers import (
    Count,
    CountOrZero,
    Fraction,
    FractionAboveZero,
    PositiveOrZero,
    Seed,
)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class GenerationOptions:
    """The engine, and how it samples.

    Attributes:
        engine: the engine that runs the model.
        server: address of the server for the engine openai.
        max_tokens: maximum number of tokens of a text; longer ones are cut off and marked.
        temperature: sampling temperature; 0 takes the likeliest token.
        top_p: sample only from the likeliest tokens with this total probability.
        top_k: sample only from this many likeliest tokens; 0 for all.
        min_p: exclude tokens with less than this fraction of the likeliest token's probability.
        seed: seed of the study.
    """

    engine: EngineName
    server: str | None = None
    max_tokens: Count = 8192
    temperature: PositiveOrZero = 0.6
    top_p: FractionAboveZero = 1.0
    top_k: CountOrZero = 0
    min_p: Fraction = 0.0
    seed: Seed = 42

    @property
    def parameters(self) -> dict[str, Any]:
        """The options for a table's provenance: all but the server's address, which does not matter."""
        return {name: value for name, value in asdict(self).items() if name != "server"}

    def request(
        self,
        prompts: Sequence[Prompt],
        n: int,
        first: int = 0,
        watch: tuple[int, ...] = (),
        stop: tuple[str, ...] = (),
    ) -> Request:
        """A request for samples `first` to `first + n - 1` of each prompt with these options."""
        sampling = Sampling(
            n, self.max_tokens, self.temperature, self.top_p, self.top_k, self.min_p, first
        )
        return Request(prompts, sampling, self.seed, watch, stop)
