"""How a study's critiques are sampled, by a teacher or by a reward model."""

from collections.abc import Mapping
from typing import ClassVar, Self

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
from multirm.study.settings import Address, Settings, Text


class Sampling(Settings):
    """Sampling options of critiques."""

    unable: ClassVar[Mapping[EngineName, str]] = {}
    """Engines that cannot write these texts, and why."""

    engine: EngineName = Field(EngineName.TRANSFORMERS, description="what generates the tokens")
    server: Address | None = Field(
        None, description="with the engine openai: an address such as http://127.0.0.1:8000/v1"
    )
    batch_folder: Text | None = Field(
        None,
        description="with the engines openai_batch and bedrock_batch: a folder for job and result files, which "
        "several jobs may share",
    )
    service_model: Text | None = Field(
        None, description="with these engines: the name of the model at the service"
    )
    max_tokens: Count = Field(8192, description="the most tokens to generate for each prompt")
    temperature: PositiveOrZero = Field(0.6, description="of sampling; 0 takes the likeliest token")
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

    @model_validator(mode="after")
    def _batch_service_where_one_is_asked(self) -> Self:
        given = {self.batch_folder is not None, self.service_model is not None}
        if given != {self.engine.is_batch}:
            raise ValueError(
                "`batch_folder` and `service_model` are needed for the engines openai_batch and bedrock_batch, and "
                "only there"
            )
        return self

    @model_validator(mode="after")
    def _an_engine_that_is_able(self) -> Self:
        if self.engine in self.unable:
            raise ValueError(f"the engine {self.engine} {self.unable[self.engine]}")
        return self


STARTED_REPLIES = {
    EngineName.OPENAI_BATCH: "takes chats, which cannot start the reply; use bedrock_batch or another engine"
}
"""Why some engines cannot continue a reply."""
