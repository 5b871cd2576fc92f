"""A study's reward models: how each is trained and scores, or where it or its rewards come from."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    Discriminator,
    Field,
    Tag,
    model_validator,
)

from multirm.engines.name import EngineName
from multirm.errors import InputError
from multirm.models.dtype import Dtype
from multirm.models.parallelism import Parallelism
from multirm.models.training_method import Method, Targets
from multirm.reward_models.formats import Format, RatioHead, read_format, writes_verdicts
from multirm.running.numbers import (
    Count,
    Fraction,
    FractionBelowOne,
    Positive,
    PositiveOrZero,
)
from multirm.study.sampling import Sampling
from multirm.study.settings import Categories, Name, OneOrMore, Settings, Text
from multirm.tables.reward_models import FormatName, Kind
from multirm.tables.rewards import Unit


class Training(Settings):
    """Training; the defaults are Multi-RM's (arXiv 2510.00492)."""

    epochs: Positive = Field(1.0, description="passes over the training data")
    learning_rate: Positive = Field(1e-4, description="the peak learning rate")
    weight_decay: PositiveOrZero = Field(0.01, description="of AdamW")
    warmup: Fraction = Field(
        0.1, description="the fraction of steps in which the learning rate rises"
    )
    batch_size: Count = Field(16, description="sequences per optimizer step, over all processes")
    device_batch_size: Count | None = Field(
        None,
        description="sequences per forward pass of a device; by default as many of its share of a batch as "
        "fit into `activation_memory`",
    )
    activation_memory: Positive | None = Field(
        None,
        description="GB for the activations of a forward and backward pass; by default 16 of a GPU's memory, or "
        "3 of main memory, but at most half of the job's, divided among its processes",
    )
    dtype: Dtype = Field(
        Dtype.AUTO,
        description="precision of passes: auto is bfloat16 on a GPU and float32 on a CPU; weights that are trained "
        "are float32 in any case",
    )
    dropout: FractionBelowOne = Field(0.1, description="of the adapter's inputs")
    processes: Count = Field(1, description="of one training run, on one GPU each if there are any")
    parallelism: Parallelism = Field(
        Parallelism.DDP, description="what is split over processes: the batch, or the model as well"
    )


class Validation(Settings):
    """Evaluations during training, on a share of the training questions or on other datasets."""

    share: FractionBelowOne = Field(
        0.0, description="of the questions of its training data, held out for validation"
    )
    dataset: OneOrMore | None = Field(
        None, description="its solutions to questions that are not trained on"
    )
    every: Count | None = Field(
        None, description="steps between two evaluations; by default a tenth of the run"
    )
    patience: Count | None = Field(
        None,
        description="stop after this many evaluations without a lower loss than the lowest, and keep the weights "
        "with the lowest one; by default neither",
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if bool(self.share) == bool(self.dataset):
            raise ValueError("needs either a `share` above 0 or a `dataset`")
        return self


def _require_an_adapter(method: Method, given: set[str]) -> None:
    """Refuse settings of an adapter where there is none."""
    unused = sorted({"rank", "alpha", "dropout"} & given)
    if method is Method.FULL and unused:
        raise ValueError(f"{unused[0]}: belongs to an adapter; leave it out with method full")


class DiscriminativeTraining(Training):
    """How a dORM or dPRM is trained."""

    method: Method = Field(
        Method.LORA, description="whether to train an adapter or all weights (full)"
    )
    rank: Count = Field(16, description="rank of the adapter (LoRA)")
    alpha: Count = Field(32, description="scaling of the adapter, divided by its rank")
    max_length: Count = Field(650, description="tokens; longer sequences are left out and counted")
    targets: Targets = Field(
        Targets.LABELS, description="what a dPRM learns of a step: its label, or its value (0 to 1)"
    )
    validation: Validation | None = Field(
        None, description="evaluate during training, on solutions held out; null for none"
    )

    @model_validator(mode="after")
    def _no_adapter(self) -> Self:
        _require_an_adapter(self.method, self.model_fields_set)
        return self


class GenerativeTraining(Training):
    """How a gORM or gPRM is trained."""

    rank: Count = Field(32, description="rank of the adapter (LoRA)")
    alpha: Count = Field(16, description="scaling of the adapter, divided by its rank")
    max_length: Count = Field(8192, description="tokens; longer sequences are left out and counted")


class PairwiseTraining(Training):
    """Training on pairs; the defaults are OpenPRM's where its paper states them."""

    method: Method = Field(
        Method.FULL,
        description="whether to train all weights, or an adapter, which is merged into the backbone, and the head",
    )
    learning_rate: Positive = Field(
        1e-6, description="OpenPRM's, to start from a reward model; 5e-6 from an instruction model"
    )
    batch_size: Count = Field(64, description="pairs per optimizer step, over all processes")
    rank: Count = Field(16, description="rank of the adapter (LoRA)")
    alpha: Count = Field(32, description="scaling of the adapter, divided by its rank")
    dropout: FractionBelowOne = Field(0.0, description="of the adapter's inputs")
    max_length: Count = Field(
        2048, description="tokens; pairs with a longer side are left out and counted"
    )
    process_weight: PositiveOrZero = Field(
        1.0, description="weight of a pair of steps in the loss, beside 1 of a pair of solutions"
    )
    use_margins: bool = Field(
        False, description="whether rewards should differ by the difference of the values"
    )
    centring: PositiveOrZero = Field(
        0.0, description="factor of the squared sum of both rewards in the loss"
    )

    @model_validator(mode="after")
    def _no_adapter(self) -> Self:
        _require_an_adapter(self.method, self.model_fields_set)
        return self

    @model_validator(mode="after")
    def _no_sharded_adapter(self) -> Self:
        if self.method is Method.LORA and self.parallelism is Parallelism.FSDP:
            raise ValueError("parallelism: an adapter is merged into its backbone; use ddp")
        return self


class Scoring(Settings):
    shards: Count = Field(1, description="jobs over which the solutions of a category are split")
    dtype: Dtype = Field(
        Dtype.AUTO,
        description="precision of the model: auto is bfloat16 on a GPU, float32 on a CPU",
    )


class DiscriminativeScoring(Scoring):
    """How a discriminative reward model scores solutions."""

    engine: EngineName = Field(
        EngineName.TRANSFORMERS,
        description="transformers, or vllm, which splits a model over several GPUs",
    )
    batch_tokens: Count | None = Field(
        None,
        description="with the engine transformers: approximate tokens per batch; by default as many as suit the device",
    )

    @model_validator(mode="after")
    def _an_engine_that_reads(self) -> Self:
        if not self.engine.reads:
            raise ValueError(
                f"the engine {self.engine} runs no discriminative models; use transformers or vllm"
            )
        if self.engine is EngineName.VLLM and self.batch_tokens is not None:
            raise ValueError("`batch_tokens` is for the engine transformers")
        return self


class GenerativeScoring(Sampling, Scoring):
    """How a generative reward model scores solutions."""

    unable = dict.fromkeys(
        (EngineName.OPENAI_BATCH, EngineName.BEDROCK_BATCH),
        "returns no probabilities of verdicts; use transformers, vllm or openai",
    )

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

    kind: Literal[Kind.DORM, Kind.DPRM] = Field(description="which kind of reward model it is")
    backbone: Name = Field(description="one of the study's `backbones`")
    from_: Name | None = Field(
        None,
        alias="from",
        description="a discriminative model with the same backbone, from which training starts instead",
    )
    datasets: OneOrMore = Field(alias="dataset", description="one or several, trained on together")
    training: DiscriminativeTraining = Field(
        DiscriminativeTraining(), description="how it is trained"
    )
    scoring: DiscriminativeScoring = Field(
        DiscriminativeScoring(), description="how it scores solutions"
    )

    @model_validator(mode="after")
    def _steps_are_of_process_models(self) -> Self:
        if self.kind is Kind.DORM and self.training.targets is not Targets.LABELS:
            raise ValueError("training.targets: a dORM learns outcomes, not steps")
        return self

    @model_validator(mode="after")
    def _vllm_rounds_adapters(self) -> Self:
        has_adapter, scoring = self.training.method is Method.LORA, self.scoring
        is_exact = scoring.dtype is Dtype.FLOAT32
        if has_adapter and scoring.engine is EngineName.VLLM and not is_exact:
            raise ValueError(
                "scoring.dtype: vLLM rounds what an adapter adds in bfloat16; write float32, or leave out the engine"
            )
        return self


def _require_served(engine: EngineName, asked: Format) -> None:
    """Refuse the engine vLLM for a format that it does not serve."""
    if engine is EngineName.VLLM and not asked.is_of_vllm:
        raise ValueError(f"scoring.engine: vLLM does not serve {asked.name}")


PairwiseFormat = Literal[FormatName.PAIRWISE, FormatName.CLASSIFIER]


class PairwiseModel(TrainedModel):
    """A reward model trained on the pairs of the study's preferences: a sequence classifier with one label."""

    kind: Literal[Kind.PAIRWISE] = Field(description="which kind of reward model it is")
    backbone: Name = Field(description="one of the study's `backbones`")
    from_: Name | None = Field(
        None,
        alias="from",
        description="a dORM, dPRM or pairwise model with the same backbone, from which training starts instead",
    )
    preferences: OneOrMore = Field(description="one or several of the study's, trained on together")
    format: PairwiseFormat = Field(
        FormatName.PAIRWISE,
        description="of the text: plain (pairwise), or the backbone's chat template (classifier)",
    )
    training: PairwiseTraining = Field(PairwiseTraining(), description="how it is trained")
    scoring: DiscriminativeScoring = Field(
        DiscriminativeScoring(), description="how it scores solutions"
    )

    @model_validator(mode="after")
    def _an_engine_for_its_format(self) -> Self:
        _require_served(self.scoring.engine, read_format(self.scored_as))
        return self

    @property
    def scored_as(self) -> FormatName:
        """The format with a score after each step."""
        return _AFTER_EACH_STEP.get(self.format, self.format)


_AFTER_EACH_STEP = {FormatName.CLASSIFIER: FormatName.CLASSIFIER_STEPS}


class GenerativeModel(TrainedModel):
    """A gORM or gPRM, trained on the critiques of its kind in one of the study's sets."""

    kind: Literal[Kind.GORM, Kind.GPRM] = Field(description="which kind of reward model it is")
    backbone: Name = Field(description="one of the study's `backbones`")
    critiques: Name = Field(description="one of the study's sets of critiques")
    template: Text | None = Field(
        None, description="a prompt template file; by default, that of its set of critiques"
    )
    training: GenerativeTraining = Field(GenerativeTraining(), description="how it is trained")
    scoring: GenerativeScoring = Field(GenerativeScoring(), description="how it scores solutions")


class ReadyModel(Settings):
    """A reward model that is not trained here, but scores: exactly one of `model` and `backbone`."""

    model: Text | None = Field(
        None, description="one that was trained elsewhere: a hub name or a local folder"
    )
    parameters: Positive | None = Field(
        None,
        description="of `model`, to estimate its jobs' GPUs, memory and time; for example 8.0e+9",
    )
    backbone: Name | None = Field(
        None,
        description="one of the study's `backbones`, as it is: what reward models are before training",
    )
    template: Text | None = Field(
        None, description="a prompt template file; by default, the package's own or the format's"
    )

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.model is None) == (self.backbone is None):
            raise ValueError("needs either `model` or `backbone`")
        if (self.model is None) != (self.parameters is None):
            raise ValueError("`parameters` is needed for a `model`, and only there")
        return self


class ReadyDiscriminativeModel(ReadyModel):
    """A discriminative or pairwise reward model that is not trained here, in one of the formats in docs/formats.md."""

    kind: Literal[Kind.DORM, Kind.DPRM, Kind.PAIRWISE] = Field(
        description="which kind of reward model it is"
    )
    format: FormatName = Field(
        description="how it encodes solutions and gives rewards; docs/formats.md lists the formats"
    )
    reference: Text | None = Field(
        None, description="a hub name or folder of a reference model; by default, the format's"
    )
    scoring: DiscriminativeScoring = Field(
        DiscriminativeScoring(), description="how it scores solutions"
    )

    @model_validator(mode="after")
    def _suits_its_format(self) -> Self:
        if self.format is FormatName.MULTI_RM:
            if self.kind is Kind.PAIRWISE:
                raise ValueError(
                    f"format: multi_rm is for dORMs and dPRMs; write {' or '.join(_OF_PAIRWISE)}"
                )
            if self.reference or self.template:
                raise ValueError("`reference` and `template` do not suit the format multi_rm")
            return self
        try:
            asked = read_format(self.format)
            if self.template and asked.layout.kind == "text":
                raise ValueError(f"`template` needs a format with a chat; {self.format} is text")
        except InputError as error:
            raise ValueError(f"format: {error}") from None
        if self.reference and not isinstance(asked.head, RatioHead):
            raise ValueError(f"`reference` does not suit the format {self.format}")
        expected = Kind.DORM if asked.unit is Unit.SOLUTION else Kind.DPRM
        if self.format in _OF_PAIRWISE:
            expected = Kind.PAIRWISE
        if self.kind is not expected:
            raise ValueError(
                f"kind: {self.format} gives rewards of each {asked.unit}; write {expected}"
            )
        _require_served(self.scoring.engine, asked)
        return self

    @property
    def compared_with(self) -> str | None:
        """The reference model, if the format has one."""
        if self.format is FormatName.MULTI_RM:
            return None
        head = read_format(self.format).head
        return (self.reference or head.reference) if isinstance(head, RatioHead) else None


_OF_PAIRWISE = (FormatName.PAIRWISE, FormatName.CLASSIFIER_STEPS)
"""Formats with a score after each step, of models trained on pairs."""


class ReadyGenerativeModel(ReadyModel):
    """A language model that judges solutions as it is, without training, or a gORM or gPRM from elsewhere.

    It has a `model`, or a `backbone` and a `format`.
    """

    kind: Literal[Kind.GORM, Kind.GPRM] = Field(description="which kind of reward model it is")
    format: FormatName = Field(
        FormatName.MULTI_RM,
        description="how it encodes solutions and gives rewards; docs/formats.md lists the formats",
    )
    scoring: GenerativeScoring = Field(GenerativeScoring(), description="how it scores solutions")

    @model_validator(mode="after")
    def _suits_its_format(self) -> Self:
        if self.format is FormatName.MULTI_RM:
            return self
        if not writes_verdicts(self.format):
            raise ValueError(f"format: the models of {self.format} write no verdicts")
        if self.kind is not Kind.GPRM:
            raise ValueError(f"kind: the models of {self.format} judge steps; write gPRM")
        if self.format is FormatName.R_PRM and self.scoring.adaptive is not None:
            raise ValueError("scoring.adaptive: the models of r_prm judge one step at a time")
        return self


class ExternalModel(Settings):
    """A reward model with external rewards: nothing is trained or scored."""

    kind: Kind = Field(description="which kind of reward model it is")
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
    is_generative = Kind(model["kind"]).is_generative
    is_pairwise = Kind(model["kind"]) is Kind.PAIRWISE
    # Of models that are trained here, only pairwise ones have a format.
    if "model" in model or ("format" in model and not is_pairwise):
        return (ReadyGenerativeModel if is_generative else ReadyDiscriminativeModel).__name__
    if is_pairwise:
        return PairwiseModel.__name__
    return (GenerativeModel if is_generative else DiscriminativeModel).__name__


RewardModel = Annotated[
    Annotated[DiscriminativeModel, Tag(DiscriminativeModel.__name__)]
    | Annotated[PairwiseModel, Tag(PairwiseModel.__name__)]
    | Annotated[GenerativeModel, Tag(GenerativeModel.__name__)]
    | Annotated[ReadyDiscriminativeModel, Tag(ReadyDiscriminativeModel.__name__)]
    | Annotated[ReadyGenerativeModel, Tag(ReadyGenerativeModel.__name__)]
    | Annotated[ExternalModel, Tag(ExternalModel.__name__)],
    Discriminator(_kind_of_model),
]
