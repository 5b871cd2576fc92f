"""The options of all commands that generate text."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cyclopts import Parameter

from multirm.engines.base import Engine, Prompt, Request, Sampling
from multirm.engines.load import load_engine
from multirm.engines.name import EngineName
from multirm.models.dtype import Dtype
from multirm.running.arguments import OutputFolder
from multirm.running.numbers import (
    Count,
    CountOrZero,
    Fraction,
    FractionAboveZero,
    PositiveOrZero,
    Seed,
)

_PLACES = ("server", "batch_folder")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class GenerationOptions:
    """The engine, and how it samples.

    Attributes:
        engine: the engine that runs the model.
        server: address of the server for the engine openai.
        batch_folder: folder for the files of a batch service, for the engines openai_batch and bedrock_batch.
        service_model: the name of the model at that service.
        max_tokens: maximum number of tokens of a text; longer ones are cut off and marked.
        temperature: sampling temperature; 0 takes the likeliest token.
        top_p: sample only from the likeliest tokens with this total probability.
        top_k: sample only from this many likeliest tokens; 0 for all.
        min_p: exclude tokens with less than this fraction of the likeliest token's probability.
        seed: seed of the study.
    """

    engine: EngineName
    server: str | None = None
    batch_folder: OutputFolder | None = None
    service_model: str | None = None
    max_tokens: Count = 8192
    temperature: PositiveOrZero = 0.6
    top_p: FractionAboveZero = 1.0
    top_k: CountOrZero = 0
    min_p: Fraction = 0.0
    seed: Seed = 42

    @property
    def parameters(self) -> dict[str, Any]:
        """The options for a table's provenance: all but places, which do not matter."""
        known = {name: value for name, value in asdict(self).items() if name not in _PLACES}
        if self.service_model is None:
            del known["service_model"]
        return known

    def load_engine(self, model: str, dtype: Dtype = Dtype.AUTO) -> Engine:
        """The engine with a model; see `engines.load.load_engine`."""
        return load_engine(
            self.engine, model, self.server, dtype, self.batch_folder, self.service_model
        )

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
