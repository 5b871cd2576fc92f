"""The study as frozen typed objects: datasets, backbones, reward models and evaluations that make up `all`."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    ModelWrapValidatorHandler,
    StringConstraints,
    Tag,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from multirm.engines.address import is_address
from multirm.engines.name import EngineName
from multirm.errors import did_you_mean
from multirm.formats.sources import Reader
from multirm.models.dtype import Dtype
from multirm.models.parallelism import Parallelism
from multirm.running.numbers import (
    Count,
    CountOrZero,
    Fraction,
    FractionAboveZero,
    FractionBelowOne,
    Positive,
    PositiveOrZero,
    Runs,
    Seed,
    Vocabulary,
    Width,
)
from multirm.tables.accuracy import OVERALL, Aggregation
from multirm.tables.critiques import Agreement
from multirm.tables.questions import Split
from multirm.tables.reward_models import Kind
from multirm.tables.solutions import Policy
from multirm.text.answer_rules import AnswerRule


def _not_reserved(category: str) -> str:
    if category.casefold() == OVERALL.casefold():
        raise ValueError(f"{category} is the average over categories; choose another name")
    return category


def _an_address(server: str) -> str:
    if not is_address(server):
        # It is not shown: what is wrong with it may be that there is a password in it.
        raise ValueError("not an address such as http://127.0.0.1:8000/v1, without a password")
    return server


def _each_once(values: list[Any]) -> list[Any]:
    for position, value in enumerate(values):
        if value in values[:position]:
            raise ValueError(f"{value} twice")
    return values


# Files are called by it, with a little more before and after it.
Name = Annotated[
    str,
    StringConstraints(max_length=100, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*$"),
]
Category = Annotated[Name, AfterValidator(_not_reserved)]
EachOnce = AfterValidator(_each_once)
Address = Annotated[str, AfterValidator(_an_address)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Categories = Annotated[list[Category], Field(min_length=1), EachOnce]

UNKNOWN_KEY = "unknown_key"
"""pydantic's type of error for a key that a section does not have."""


class Settings(BaseModel):
    """Frozen, with unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="wrap")
    @classmethod
    def _known_keys(cls, values: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Say of an unknown key what it may have been meant for, here, where the known ones are known."""
        try:
            return handler(values)
        except ValidationError as error:
            lines = [cls._with_hint(line) for line in error.errors(include_url=False)]
            raise ValidationError.from_exception_data(cls.__name__, lines) from None

    @classmethod
    def _with_hint(cls, line: ErrorDetails) -> InitErrorDetails:
        kind: str | PydanticCustomError = line["type"]
        context = line.get("ctx", {})
        if kind in ("extra_forbidden", "invalid_key") and len(line["loc"]) == 1:
            key = str(line["loc"][0])
            hint = did_you_mean(key, cls.model_fields) or "delete it"
            kind, context = UNKNOWN_KEY, {"key": key, "hint": hint}
        if kind == UNKNOWN_KEY:
            kind = PydanticCustomError(UNKNOWN_KEY, "", context)
        return InitErrorDetails(type=kind, loc=line["loc"], input=line["input"], ctx=context)


class MiniatureDataset(Settings):
    """Questions about small tables of facts, answered by a simulated policy."""

    reader: Literal["miniature"]
    policy: Policy
    split: Split
    questions: Count = Field(description="questions per category")
    solutions: Count = Field(description="solutions per question")
    label_noise: Fraction = Field(0.0, description="probability that a label is flipped")
    categories: Categories | None = Field(None, description="where not the study's")


class ReadDataset(Settings):
    """Solutions in somebody's files or on the hub."""

    reader: Reader
    source: list[Text] = Field(
        min_length=1,
        description="files or folders below the study's `data` folder (wildcards allowed), or a hub name",
    )
    questions: Count | None = Field(None, description="how many questions to keep; all where null")
    size: Count = Field(
        20_000, description="about how many solutions a category has, by which jobs are given time"
    )
    categories: Categories | None = Field(None, description="where not the study's")


# In these sections, a key of the box says what other keys it may have.
VARIANTS = {"datasets": ("reader", ("miniature", *Reader)), "models": ("kind", tuple(Kind))}


def _kind_of_dataset(dataset: Any) -> str | None:
    reader = (
        dataset.get("reader") if isinstance(dataset, Mapping) else getattr(dataset, "reader", None)
    )
    if reader == "miniature":
        return "miniature"
    return "read" if reader in list(Reader) else None


Dataset = Annotated[
    Annotated[MiniatureDataset, Tag("miniature")] | Annotated[ReadDataset, Tag("read")],
    Discriminator(_kind_of_dataset),
]


class Pretraining(Settings):
    """A small decoder trained from scratch, for studies that download nothing."""

    datasets: Annotated[list[Name], EachOnce] = Field(min_length=1)
    layers: Count = 4
    width: Width = 128
    vocabulary: Vocabulary = 2048
    max_length: Count = Field(512, description="tokens; longer texts are left out and counted")
    tokens: Count = Field(4_000_000, description="tokens to learn from, over all passes")
    batch_tokens: Count = 8192
    learning_rate: Positive = 3e-3

    @property
    def parameters(self) -> float:
        """About how many there will be: twelve squares of the width in a layer, and the embeddings."""
        return float(12 * self.layers * self.width**2 + self.vocabulary * self.width)


class Backbone(Settings):
    """The language model that reward models start from: exactly one of `model` and `pretrain`."""

    model: Text | None = Field(None, description="a hub name or a local folder")
    parameters: Positive | None = Field(
        None, description="of `model`, by which jobs are given GPUs, memory and time: 8.0e+9, say"
    )
    pretrain: Pretraining | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.model is None) == (self.pretrain is None):
            raise ValueError("needs either `model` or `pretrain`")
        if (self.model is None) != (self.parameters is None):
            raise ValueError("`model` needs its number of `parameters`, and nothing else does")
        return self

    @property
    def size(self) -> float:
        """The number of parameters."""
        return self.pretrain.parameters if self.pretrain else self.parameters or 0.0


class Sampling(Settings):
    """How critiques are drawn."""

    engine: EngineName = EngineName.TRANSFORMERS
    server: Address | None = Field(
        None, description="with the engine openai: an address such as http://127.0.0.1:8000/v1"
    )
    max_tokens: Count = 8192
    temperature: PositiveOrZero = 0.6
    top_p: FractionAboveZero = Field(1.0, description="the likeliest that come to it are left in")
    top_k: CountOrZero = Field(0, description="so many likeliest tokens are left in; 0 for all")
    min_p: Fraction = Field(
        0.0, description="tokens below this share of the likeliest one's probability are left out"
    )

    @model_validator(mode="after")
    def _server_where_one_is_asked(self) -> Self:
        if (self.engine is EngineName.OPENAI) != (self.server is not None):
            raise ValueError("the engine openai needs a `server`, and no other does")
        return self


class PublishedCritiques(Settings):
    """Where critiques of each kind are read from, as `source` of a dataset says it."""

    gORM: list[Text] = Field([], description="folders and hub names")  # noqa: N815
    gPRM: list[Text] = Field([], description="folders and hub names")  # noqa: N815


class Critiques(Sampling):
    """Critiques of training solutions, which generative reward models learn from.

    Exactly one of `teacher`, who writes them, and `published`.
    """

    dataset: Name
    teacher: Name | None = Field(None, description="one of the study's backbones")
    published: PublishedCritiques | None = Field(
        None,
        description="somebody's, taken as they are; nothing below but `agreement` concerns them",
    )
    per_solution: Count = 4
    top_p: FractionAboveZero = 0.95
    top_k: CountOrZero = 20
    max_length: Count = Field(8192, description="tokens of prompt and critique that are kept")
    agreement: Agreement = Field(
        Agreement.STRICT,
        description="of gPRM's critiques with labels: on every step up to the first incorrect one, or "
        "(relaxed) only on whether there is one, which there must be where the answer is wrong",
    )

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.teacher is None) == (self.published is None):
            raise ValueError("needs either a `teacher` or `published` critiques")
        return self


class Training(Settings):
    """LoRA training; the defaults are Multi-RM's (arXiv 2510.00492)."""

    epochs: Positive = 1
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
    """A gORM or gPRM, trained on the study's critiques of its kind."""

    kind: Literal[Kind.GORM, Kind.GPRM]
    backbone: Name
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


class Templates(Settings):
    """Prompt template files for generative models, where not the package's own."""

    gORM: Text | None = None  # noqa: N815
    gPRM: Text | None = None  # noqa: N815


class Evaluation(Settings):
    """Which pools are scored by every reward model, and how answers are selected from them."""

    datasets: Annotated[list[Name], EachOnce] = Field(min_length=1)
    also_trained_on: Annotated[list[Name], EachOnce] = Field(
        [], description="those of them whose questions a model or backbone may have learned from"
    )
    n: Annotated[list[Count], EachOnce] = Field(
        [1, 2, 4, 8, 16], min_length=1, description="sizes of the pools"
    )
    runs: Runs = Field(
        100, description="seeded random subsets per question and size, where any are drawn"
    )
    aggregation: dict[Name, Aggregation] = Field(
        {}, description="per reward model, where not its kind's default"
    )
    answers: AnswerRule = Field(
        AnswerRule.MEANING,
        description="when two are the same: if they mean the same, or if they are the same text",
    )


class Figures(Settings):
    ceiling: bool = Field(True, description="draw Pass@N, the best that any selection could do")


class Study(Settings):
    """Everything that `snakemake all` makes."""

    study: Name
    seed: Seed = 42
    training_seeds: Annotated[list[Seed], EachOnce] | None = Field(
        None,
        min_length=1,
        description="every reward model is trained once with each; with the study's where null",
    )
    gpu_memory: Positive = Field(
        80, description="GB on each GPU of the site, by which jobs are given GPUs"
    )
    data: Text = Field(".", description="the folder that dataset sources are relative to")
    categories: Categories = Field(description="in the order of the figures' panels")
    datasets: dict[Name, Dataset]
    backbones: dict[Name, Backbone]
    templates: Templates = Templates()
    critiques: Critiques | None = None
    models: dict[Name, RewardModel]
    evaluation: Evaluation
    figures: Figures = Figures()
