"""The study: one file that says which datasets, backbones, reward models and evaluations make up `all`.

`load_study` checks everything that can be checked before any rule runs, and fills in the defaults of
the published systems, so that every value a rule uses stands in the result.
"""

import json
import logging
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from multirm.engines.address import ADDRESS
from multirm.errors import InputError, shown
from multirm.files import whole
from multirm.prompts import load_template
from multirm.spelling import did_you_mean, one_of
from multirm.vocabulary import (
    OVERALL,
    Aggregation,
    EngineName,
    Kind,
    Policy,
    Reader,
    Split,
)

logger = logging.getLogger(__name__)


def _not_reserved(category: str) -> str:
    if category.casefold() == OVERALL.casefold():
        raise ValueError(f"{category} is the average over categories; choose another name")
    return category


def _an_address(server: str) -> str:
    if not re.fullmatch(ADDRESS, server):
        # It is not shown: what is wrong with it may be that there is a password in it.
        raise ValueError("not an address such as http://127.0.0.1:8000/v1, without a password")
    return server


def _each_once(values: list[Any]) -> list[Any]:
    for position, value in enumerate(values):
        if value in values[:position]:
            raise ValueError(f"{value} twice")
    return values


Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*$")]
Category = Annotated[Name, AfterValidator(_not_reserved)]
EachOnce = AfterValidator(_each_once)
Address = Annotated[str, AfterValidator(_an_address)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Categories = Annotated[list[Category], Field(min_length=1), EachOnce]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]


class Settings(BaseModel):
    """Frozen, with unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, values: Any) -> Any:
        """Refuse an unknown key here, where the keys that it may have been meant for are known."""
        for key in values if isinstance(values, Mapping) else ():
            if key not in cls.model_fields:
                hint = did_you_mean(key, cls.model_fields) or "delete it"
                raise PydanticCustomError("unknown_key", "", {"key": str(key), "hint": hint})
        return values


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
    categories: Categories | None = Field(None, description="where not the study's")


# In these sections, a key of the box says what other keys it may have.
_VARIANTS = {"datasets": ("reader", ("miniature", *Reader)), "models": ("kind", tuple(Kind))}


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
    width: Count = 128
    vocabulary: Count = 2048
    max_length: Count = Field(512, description="tokens; longer texts are left out and counted")
    tokens: Count = Field(4_000_000, description="tokens to learn from, over all passes")
    batch_tokens: Count = 8192
    learning_rate: Annotated[float, Field(gt=0)] = 3e-3


class Backbone(Settings):
    """The language model that reward models start from: exactly one of the two."""

    model: Text | None = Field(None, description="a hub name or a local folder")
    pretrain: Pretraining | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.model is None) == (self.pretrain is None):
            raise ValueError("needs either `model` or `pretrain`")
        return self


class Sampling(Settings):
    """How critiques are drawn."""

    engine: EngineName = EngineName.TRANSFORMERS
    server: Address | None = Field(
        None, description="with the engine openai: an address such as http://127.0.0.1:8000/v1"
    )
    max_tokens: Count = 8192
    temperature: Annotated[float, Field(ge=0)] = 0.6
    top_p: Fraction = 1.0

    @model_validator(mode="after")
    def _server_where_one_is_asked(self) -> Self:
        if (self.engine is EngineName.OPENAI) != (self.server is not None):
            raise ValueError("the engine openai needs a `server`, and no other does")
        return self


class Critiques(Sampling):
    """Critiques of training solutions by a teacher, which generative reward models learn from."""

    dataset: Name
    teacher: Name = Field(description="one of the study's backbones")
    per_solution: Count = 4
    top_p: Fraction = 0.95
    top_k: Annotated[int, Field(ge=0)] = 20
    min_p: Fraction = 0.0
    max_length: Count = Field(8192, description="tokens of prompt and critique that are kept")


class Training(Settings):
    """LoRA training; the defaults are Multi-RM's (arXiv 2510.00492)."""

    epochs: Annotated[float, Field(gt=0)] = 1
    learning_rate: Annotated[float, Field(gt=0)] = 1e-4
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    warmup: Fraction = 0.1
    batch_size: Count = Field(16, description="sequences per optimizer step, over all processes")
    device_batch_size: Count | None = Field(
        None, description="sequences that a device reads at once, where not its share of a batch"
    )
    dropout: Fraction = 0.1


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


class DiscriminativeScoring(Scoring):
    batch_tokens: Count | None = Field(
        None,
        description="about how many tokens are read at once, where not as many as suit the device",
    )


class GenerativeScoring(Sampling, Scoring):
    samples: Count = Field(10, description="critiques per solution (M)")
    adaptive: Annotated[float, Field(ge=0, lt=1)] | None = Field(
        None,
        description="fewer critiques of solutions that can no longer be the best of their pool, with the "
        "probability to be wrong about the best (0 for never); all M where null",
    )


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


RewardModel = Annotated[DiscriminativeModel | GenerativeModel, Field(discriminator="kind")]


class Templates(Settings):
    """Prompt template files for generative models, where not the package's own."""

    gORM: Text | None = None  # noqa: N815
    gPRM: Text | None = None  # noqa: N815


class Evaluation(Settings):
    """Which pools are scored by every reward model, and how answers are selected from them."""

    datasets: Annotated[list[Name], EachOnce] = Field(min_length=1)
    n: Annotated[list[Count], EachOnce] = Field(
        [1, 2, 4, 8, 16], min_length=1, description="sizes of the pools"
    )
    runs: int = Field(
        100, ge=2, description="seeded random subsets per question and size, where any are drawn"
    )
    aggregation: dict[Name, Aggregation] = Field(
        {}, description="per reward model, where not its kind's default"
    )


class Figures(Settings):
    ceiling: bool = Field(True, description="draw Pass@N, the best that any selection could do")


class Study(Settings):
    """Everything that `snakemake all` makes."""

    study: Name
    seed: Annotated[int, Field(ge=0)] = 42
    data: Text = Field(".", description="the folder that dataset sources are relative to")
    categories: Categories = Field(description="in the order of the figures' panels")
    datasets: dict[Name, Dataset]
    backbones: dict[Name, Backbone]
    templates: Templates = Templates()
    critiques: Critiques | None = None
    models: dict[Name, RewardModel]
    evaluation: Evaluation
    figures: Figures = Figures()

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        for place, name, known in self._references():
            if name not in known:
                hint = did_you_mean(name, known)
                raise ValueError(
                    f"{place}: {name} is none of {', '.join(known) or 'none'}"
                    + (f"; {hint}" if hint else "")
                )
        generative = [name for name, model in self.models.items() if Kind(model.kind).is_generative]
        if generative and self.critiques is None:
            raise ValueError(f"models.{generative[0]}: a generative model needs `critiques`")
        return self

    @model_validator(mode="after")
    def _adaptive_by_the_mean(self) -> Self:
        for name, aggregation in self.evaluation.aggregation.items():
            model = self.models.get(name)
            adaptive = isinstance(model, GenerativeModel) and model.scoring.adaptive is not None
            if adaptive and aggregation is not Aggregation.MEAN:
                raise ValueError(
                    f"models.{name}.scoring.adaptive: needs {Aggregation.MEAN} "
                    f"as evaluation.aggregation.{name}, which is {aggregation}"
                )
        return self

    def _references(self) -> Iterator[tuple[str, str, list[str]]]:
        """Every name used in one place and defined in another, with the names it may be."""
        datasets, backbones = list(self.datasets), list(self.backbones)
        for name, backbone in self.backbones.items():
            for dataset in backbone.pretrain.datasets if backbone.pretrain else []:
                yield f"backbones.{name}.pretrain.datasets", dataset, datasets
        for name, model in self.models.items():
            yield f"models.{name}.backbone", model.backbone, backbones
            if isinstance(model, DiscriminativeModel):
                yield f"models.{name}.dataset", model.dataset, datasets
        if self.critiques:
            yield "critiques.dataset", self.critiques.dataset, datasets
            yield "critiques.teacher", self.critiques.teacher, backbones
        for dataset in self.evaluation.datasets:
            yield "evaluation.datasets", dataset, datasets
        for name in self.evaluation.aggregation:
            yield "evaluation.aggregation", name, list(self.models)


def load_study(config: Mapping[str, Any], files: list[Path]) -> dict[str, Any]:
    """The study with its defaults filled in, as plain values.

    Args:
        config: what was read from `files`, with settings from the command line laid over it.
        files: where the study was read from, for messages and to refuse keys written twice.

    Raises:
        InputError: a key is unknown, written twice, of the wrong type or out of range, a name is used
            that the study does not define, or a prompt template cannot be used.
    """
    where = ", ".join(map(str, files)) or "config"
    for file in files:
        read_yaml(file)
    try:
        study = Study.model_validate(config)
    except ValidationError as error:
        raise _as_input_error(where, error) from None
    for kind, template in study.templates:
        if template:
            load_template(Kind(kind), Path(template))
    values = study.model_dump(mode="json")
    for dataset in values["datasets"].values():
        dataset["categories"] = dataset["categories"] or values["categories"]
    values["evaluation"]["aggregation"] = {
        name: values["evaluation"]["aggregation"].get(name, Kind(model.kind).default_aggregation)
        for name, model in study.models.items()
    }
    return values


def read_yaml(path: Path) -> Any:
    """The content of a YAML file in which no mapping has a key twice.

    Raises:
        InputError: no such file, not YAML, or a key written twice.
    """
    if not path.is_file():
        raise InputError(path, expected="a study in YAML", found="no such file")
    try:
        return yaml.load(path.read_text("utf-8"), Loader=_UniqueKeyLoader)
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}, line {mark.line + 1}" if mark else path
        raise InputError(
            place, expected="YAML", found=getattr(error, "problem", None) or str(error)
        ) from error


def check_study(study: Path) -> None:
    """Check a study before anything is made from it.

    Args:
        study: the YAML file, as it is given to Snakemake with --configfile.

    Raises:
        InputError: what `read_yaml` or `load_study` refuses.
    """
    load_study(read_yaml(study), [study])
    logger.info("%s is a valid study", study)


def write_schema(output: Path = Path("workflow/schemas/study.schema.json")) -> None:
    """Write the JSON schema of a study, which editors check config files against.

    Args:
        output: the JSON file to write.
    """
    text = json.dumps(Study.model_json_schema(), indent=2) + "\n"
    with whole(output) as part:
        part.write_text(text, "utf-8")


class _UniqueKeyLoader(yaml.SafeLoader):
    """A safe loader that refuses a mapping with the same key twice instead of keeping the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for position, key in enumerate(keys):
            if key in keys[:position]:
                raise yaml.MarkedYAMLError(
                    problem=f"{key!r} twice", problem_mark=node.value[position][0].start_mark
                )
        return super().construct_mapping(node, deep=deep)


def _as_input_error(where: str, error: ValidationError) -> InputError:
    """The first problem that pydantic found, in one line."""
    details = error.errors(include_url=False)[0]
    kind, value, context = details["type"], details["input"], details.get("ctx", {})
    path = [str(part) for part in details["loc"]]
    if kind.startswith("union_tag") and isinstance(value, Mapping):
        key, choices = _VARIANTS[path[0]]
        path.append(key)
        kind = "enum" if key in value else "missing"
        value = value.get(key)
    else:
        choices = tuple(re.findall(r"'([^']*)'", context.get("expected", "")))
        if path and path[0] in _VARIANTS:
            # pydantic puts the variant into the path, after the box's name.
            del path[2:3]
    place = ".".join(path)
    more = error.error_count() - 1
    remedy = f"{more} more after this" if more else ""
    found = f"{place}: {shown(value)}".removeprefix(": ")
    if kind == "unknown_key":
        place, remedy = ".".join([*path, context["key"]]), context["hint"]
        return InputError(where, expected="known keys only", found=place, remedy=remedy)
    if kind == "missing":
        return InputError(where, expected=f"a value for {place}", found="none", remedy=remedy)
    if kind in ("enum", "literal_error"):
        remedy = did_you_mean(value, choices) or remedy
        return InputError(where, expected=one_of(choices), found=found, remedy=remedy)
    if kind == "string_pattern_mismatch":
        expected = "a name of letters, digits, '_' and '-', with '.' and '-' never first, '.' never last or doubled"
        return InputError(where, expected=expected, found=found, remedy=remedy)
    if kind == "value_error":
        message = details["msg"].removeprefix("Value error, ")
        found = f"{place}: {message}".removeprefix(": ")
        return InputError(where, expected="a consistent study", found=found, remedy=remedy)
    if kind in ("dict_type", "model_type", "model_attributes_type") or kind.startswith("union_tag"):
        return InputError(where, expected="keys with values", found=found, remedy=remedy)
    expected = re.sub(r"^\w+ should (be|have) | after validation, not \d+$", "", details["msg"])
    return InputError(where, expected=expected, found=found, remedy=remedy)
