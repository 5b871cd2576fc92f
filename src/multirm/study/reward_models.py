"""A study's reward models: how each is trained and scores, or where its rewards are published."""

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
from multirm.study.settings import Name, Settings, Text
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
        description="sequences that a device reads at once, where not as many of its share of a batch as "
        "16 GB of a GPU or 3 GB of main memory are enough for",
    )
    dropout: FractionBelowOne = 0.1
    processes: Count = Field(1, description="of one training, on a GPU each where there are GPUs")
    parallelism: Parallelism = Field(
        Parallelism.DDP, description="what several processes share: batches, or the model as well"
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
    shards: Count = Field(
        1, description="jobs that the solutions of a category are shared out among"
    )
    dtype: Dtype = Field(
        Dtype.AUTO,
        description="precision of the model: auto is bfloat16 on a GPU, float32 on a CPU",
    )


class DiscriminativeScoring(Scoring):
    batch_tokens: Count | None = Field(
        None,
        description="about how many tokens are read at once, where not as many as suit the device",
    )


class GenerativeScoring(Sampling, Scoring):
    samples: Count = Field(10, description="critiques per solution (M)")
    adaptive: FractionBelowOne | None = Field(
        None,
        description="fewer critiques of solutions that can no longer be the best of their pool, with the "
        "probability to be wrong about the best (0 for never); all M where null",
    )

    @model_validator(mode="after")
    def _a_server_has_its_own_precision(self) -> Self:
        if self.engine is EngineName.OPENAI and self.dtype is not Dtype.AUTO:
            raise ValueError(
                f"dtype: {self.dtype} is for the server of the engine openai to choose"
            )
        return self


class DiscriminativeModel(Settings):
    """A dORM or dPRM, trained on the labels of a dataset."""

    kind: Literal[Kind.DORM, Kind.DPRM]
    backbone: Name
    dataset: Name
    training: DiscriminativeTraining = DiscriminativeTraining()
    scoring: DiscriminativeScoring = DiscriminativeScoring()


class GenerativeModel(Settings):
    """A gORM or gPRM, trained on the critiques of its kind in one of the study's sets."""

    kind: Literal[Kind.GORM, Kind.GPRM]
    backbone: Name
    critiques: Name = Field(description="one of the study's sets of critiques")
    template: Text | None = Field(
        None, description="a prompt template file, where not that of its set of critiques"
    )
    training: GenerativeTraining = GenerativeTraining()
    scoring: GenerativeScoring = GenerativeScoring()


class PublishedModel(Settings):
    """A reward model whose rewards somebody has published: nothing is trained or scored."""

    kind: Kind
    rewards: dict[Name, Annotated[list[Text], Field(min_length=1)]] = Field(
        description="for each dataset, files, folders and hub names, as `source` of a dataset says them"
    )


def _kind_of_model(model: Any) -> str | None:
    if isinstance(model, Settings):
        return type(model).__name__
    if not isinstance(model, Mapping) or model.get("kind") not in list(Kind):
        return None
    if "rewards" in model:
        return PublishedModel.__name__
    variant = GenerativeModel if Kind(model["kind"]).is_generative else DiscriminativeModel
    return variant.__name__


RewardModel = Annotated[
    Annotated[DiscriminativeModel, Tag(DiscriminativeModel.__name__)]
    | Annotated[GenerativeModel, Tag(GenerativeModel.__name__)]
    | Annotated[PublishedModel, Tag(PublishedModel.__name__)],
    Discriminator(_kind_of_model),
]
