"""How text is generated, as the commands that generate it are told."""

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
    """What generates, what is left in of the tokens that may come next, and when to stop.

    Attributes:
        engine: what runs the model.
        server: address of the server that the engine openai asks.
        max_tokens: a text is cut off after so many tokens, and marked.
        temperature: of the sampling; 0 takes the likeliest token.
        top_p: the likeliest tokens that come to this probability are left in.
        top_k: so many likeliest tokens are left in; 0 leaves all.
        min_p: tokens with less than this share of the likeliest token's probability are left out.
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
        """What a table's provenance says of them: not where the server was, which may be elsewhere next time."""
        return {name: value for name, value in asdict(self).items() if name != "server"}

    def request(
        self,
        prompts: Sequence[Prompt],
        n: int,
        first: int = 0,
        watch: tuple[int, ...] = (),
        stop: tuple[str, ...] = (),
    ) -> Request:
        """Ask for samples `first` to `first + n - 1` of each prompt, drawn so."""
        sampling = Sampling(
            n, self.max_tokens, self.temperature, self.top_p, self.top_k, self.min_p, first
        )
        return Request(prompts, sampling, self.seed, watch, stop)
