"""How a study's critiques are sampled, by a teacher or by a reward model."""

from typing import Self

from pydantic import (
    Field,
    model_validator,
)

from multirm.engines.name import EngineName
from multirm.running.numbers import (
    Count,
    CountOrZero,
    Fraction,
    FractionAboveZero,
    PositiveOrZero,
)
from multirm.study.settings import Address, Settings


class Sampling(Settings):
    """Sampling options of critiques."""

    engine: EngineName = EngineName.TRANSFORMERS
    server: Address | None = Field(
        None, description="with the engine openai: an address such as http://127.0.0.1:8000/v1"
    )
    max_tokens: Count = 8192
    temperature: PositiveOrZero = 0.6
    top_p: FractionAboveZero = Field(
        1.0, description="keep the most likely tokens up to this total probability"
    )
    top_k: CountOrZero = Field(0, description="keep this many of the most likely tokens; 0 for all")
    min_p: Fraction = Field(
        0.0, description="drop tokens less likely than this fraction of the most likely one"
    )

    @model_validator(mode="after")
    def _server_where_one_is_asked(self) -> Self:
        if (self.engine is EngineName.OPENAI) != (self.server is not None):
            raise ValueError("`server` is needed for the engine openai, and only there")
        return self
