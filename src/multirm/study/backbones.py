"""A study's backbones: the language models that reward models start from."""

from typing import Annotated, Self

from pydantic import (
    Field,
    model_validator,
)

from multirm.running.numbers import (
    Count,
    Positive,
    Vocabulary,
    Width,
)
from multirm.study.settings import EachOnce, Name, Settings, Templates, Text
from multirm.tables.conversations import ChatTask


class Pretraining(Settings):
    """A small decoder trained from scratch, for studies that download no model."""

    datasets: Annotated[list[Name], EachOnce] = Field(
        min_length=1, description="datasets whose solutions it learns from"
    )
    critiques: bool = Field(True, description="whether it learns to write critiques")
    tasks: Annotated[list[ChatTask], EachOnce] = Field(
        [], description="what it learns from the datasets with answers, besides judging solutions"
    )
    templates: Templates = Field(
        Templates(), description="prompt templates of the conversations that it learns"
    )
    layers: Count = Field(4, description="hidden layers of the decoder")
    width: Width = Field(128, description="its hidden size")
    vocabulary: Vocabulary = Field(
        2048, description="tokens of its tokenizer, which is trained as well"
    )
    max_length: Count = Field(512, description="tokens; longer texts are left out and counted")
    tokens: Count = Field(4_000_000, description="tokens to train on, over all epochs")
    batch_tokens: Count = Field(8192, description="tokens per batch")
    learning_rate: Positive = Field(
        3e-3, description="the peak learning rate, which decays to zero"
    )

    @property
    def parameters(self) -> float:
        """The approximate number of parameters: 12 · width² per layer, and the embeddings."""
        return float(12 * self.layers * self.width**2 + self.vocabulary * self.width)


class Backbone(Settings):
    """The language model that reward models are trained from: exactly one of `model` and `pretrain`."""

    model: Text | None = Field(None, description="a hub name or a local folder")
    parameters: Positive | None = Field(
        None,
        description="of `model`, to estimate its jobs' GPUs, memory and time; for example 8.0e+9",
    )
    pretrain: Pretraining | None = Field(
        None, description="train a small decoder from scratch instead of taking `model`"
    )

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.model is None) == (self.pretrain is None):
            raise ValueError("needs either `model` or `pretrain`")
        if (self.model is None) != (self.parameters is None):
            raise ValueError("`parameters` is needed for a `model`, and only there")
        return self

    @property
    def size(self) -> float:
        """The number of parameters."""
        return self.pretrain.parameters if self.pretrain else self.parameters or 0.0
