"""A study's reward models: how each is trained and scores, or where its external rewards are."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    Discriminator,
    Field,
    Tag,
    model_validator,
)

from multirm.engines.name import EngineName
from multirm.models.dtype import Dtype
from multirm.models.parallelism import Parallelism
from multirm.running.numbers import (
    Count,
    Fraction,
    FractionBelowOne,
    Positive,
    PositiveOrZero,
)
from multirm.study.sampling import Sampling
from multirm.study.settings import Categories, Name, Settings, Text
from multirm.tables.reward_models import Kind


class Training(Settings):
    """LoRA training; the defaults are Multi-RM's (arXiv 2510.00492)."""

    epochs: Positive = 1.0
    learning_rate: Positive = 1e-4
    weight_decay: PositiveOrZero = 0.01
    warmup: Fraction = 0.1
    batch_size: Count = Field(16, description="sequences per optimizer step, over all processes")
    device_batch_size: Count | None = Field(
        None,
        description="sequences per forward pass of a device; by default as many of its share of a batch as "
        "fit into 16 GB of a GPU or 3 GB of main memory",
    )
    dropout: FractionBelowOne = 0.1
    processes: Count = Field(1, description="of one training run, on one GPU each if there are any")
    parallelism: Parallelism = Field(
        Parallelism.DDP, description="what is split over processes: the batch, or the model as well"
    )


class DiscriminativeTraining(Training):
    rank: Count = 16
    alpha: Count = 32
    max_length: Count = Field(650, description="tokens; longer sequences are left out and counted")


class GenerativeTraining(Training):
    rank: Count = 32
    alpha: Count = 16
    max_length: Count = Field(8192, description="tokens; longer sequences are left out and counted")


class Scoring(Settings):
    shards: Count = Field(1, description="jobs over which the solutions of a category are split")
    dtype: Dtype = Field(
        Dtype.AUTO,
        description="precision of the model: auto is bfloat16 on a GPU, float32 on a CPU",
    )


class DiscriminativeScoring(Scoring):
    batch_tokens: Count | None = Field(
        None,
        description="approximate tokens per batch; by default as many as suit the device",
    )


class GenerativeScoring(Sampling, Scoring):
    samples: Count = Field(10, description="critiques per solution (M)")
    adaptive: FractionBelowOne | None = Field(
        None,
        description="sample fewer critiques of solutions that can no longer be the best of their pool, with this "
        "probability of being wrong about the best (0 for never); null for all M",
    )

    @model_validator(mode="after")
    def _a_server_has_its_own_precision(self) -> Self:
        if self.engine is EngineName.OPENAI and self.dtype is not Dtype.AUTO:
            raise ValueError(
                f"dtype: {self.dtype} cannot be set with the engine openai: its server chooses"
            )
        return self


class TrainedModel(Settings):
    categories: Categories | None = Field(
        None, description="the categories of its training data to train on; all by default"
    )


class DiscriminativeModel(TrainedModel):
    """A dORM or dPRM, trained on the labels of a dataset."""

    kind: Literal[Kind.DORM, Kind.DPRM]
    backbone: Name
    dataset: Name
    training: DiscriminativeTraining = DiscriminativeTraining()
    scoring: DiscriminativeScoring = DiscriminativeScoring()


class GenerativeModel(TrainedModel):
    """A gORM or gPRM, trained on the critiques of its kind in one of the study's sets."""

    kind: Literal[Kind.GORM, Kind.GPRM]
    backbone: Name
    critiques: Name = Field(description="one of the study's sets of critiques")
    template: Text | None = Field(
        None, description="a prompt template file; by default, that of its set of critiques"
    )
    training: GenerativeTraining = GenerativeTraining()
    scoring: GenerativeScoring = GenerativeScoring()


class ExternalModel(Settings):
    """A reward model with external rewards: nothing is trained or scored."""

    kind: Kind
    rewards: dict[Name, Annotated[list[Text], Field(min_length=1)]] = Field(
        description="for each dataset, files, folders and hub names, given like `source` of a dataset"
    )


def _kind_of_model(model: Any) -> str | None:
    if isinstance(model, Settings):
        return type(model).__name__
    if not isinstance(model, Mapping) or model.get("kind") not in list(Kind):
        return None
    if "rewards" in model:
        return ExternalModel.__name__
    variant = GenerativeModel if Kind(model["kind"]).is_generative else DiscriminativeModel
    return variant.__name__


RewardModel = Annotated[
    Annotated[DiscriminativeModel, Tag(DiscriminativeModel.__name__)]
    | Annotated[GenerativeModel, Tag(GenerativeModel.__name__)]
    | Annotated[ExternalModel, Tag(ExternalModel.__name__)],
    Discriminator(_kind_of_model),
]
