"""A study's datasets: where their solutions come from."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    Discriminator,
    Field,
    Tag,
    model_validator,
)

from multirm.formats.sources import Reader
from multirm.running.numbers import (
    Count,
    Fraction,
)
from multirm.study.labelling import Augmentation, Labelling, Sample
from multirm.study.settings import Categories, Name, Settings, Text
from multirm.tables.questions import Split
from multirm.tables.solutions import Policy


class MiniatureDataset(Settings):
    """Questions about small tables of facts, answered by a simulated policy."""

    reader: Literal["miniature"] = Field(description="generate it")
    policy: Policy = Field(description="the simulated policy that answers")
    split: Split = Field(description="which of the miniature's facts and questions")
    questions: Count = Field(description="questions per category")
    solutions: Count = Field(description="solutions per question")
    label_noise: Fraction = Field(0.0, description="probability that a label is flipped")
    options: bool = Field(True, description="whether questions list ten options")
    categories: Categories | None = Field(None, description="the study's by default")


class ReadDataset(Settings):
    """Solutions read from files or from the hub."""

    reader: Reader = Field(description="which files to read; docs/data.md lists the readers")
    source: list[Text] = Field(
        min_length=1,
        description="files or folders below the study's `data` folder (wildcards allowed), or a hub name",
    )
    questions: Count | None = Field(None, description="number of questions to keep; null for all")
    size: Count = Field(
        20_000, description="approximate solutions per category, to estimate the jobs' time"
    )
    categories: Categories | None = Field(None, description="the study's by default")
    repair_last_labels: bool = Field(
        False,
        description="versaprm_csv only: make last steps' labels agree with answers, as in Multi-RM's copy of the data",
    )

    @model_validator(mode="after")
    def _labels_to_repair(self) -> Self:
        if self.repair_last_labels and self.reader is not Reader.VERSAPRM_CSV:
            raise ValueError(f"repairs last labels only with the reader {Reader.VERSAPRM_CSV}")
        return self


class Noise(Settings):
    """Label noise: flipped labels of a random share of solutions."""

    share: Fraction = Field(1.0, description="probability that a solution is noisy")
    steps: Fraction = Field(
        0.0, description="probability that a noisy solution's step label is flipped"
    )
    outcomes: Fraction = Field(
        0.0, description="probability that a noisy solution's outcome is flipped"
    )

    @model_validator(mode="after")
    def _some_noise(self) -> Self:
        if not self.share or not (self.steps or self.outcomes):
            raise ValueError("flips no label; set `steps` or `outcomes`, and a `share` above 0")
        return self


class Take(Settings):
    """Fewer questions, solutions or steps; a smaller number gives a subset of a larger one."""

    questions: Count | None = Field(None, description="questions per category, drawn at random")
    solutions: Count | None = Field(None, description="solutions per question, drawn at random")
    steps: Count | None = Field(None, description="first steps of each solution")

    @model_validator(mode="after")
    def _less_of_something(self) -> Self:
        if not (self.questions or self.solutions or self.steps):
            raise ValueError("takes everything; set `questions`, `solutions` or `steps`")
        return self


class SampledDataset(Settings):
    """Solutions that one of the study's backbones writes to bare questions."""

    sample: Sample = Field(description="which policy answers which questions, and how")
    categories: Categories | None = Field(None, description="those of the questions by default")


CHANGES = ("noise", "shuffle", "take", "label", "augment")


class DerivedDataset(Settings):
    """Solutions derived from another dataset's by exactly one change."""

    from_: Name = Field(alias="from", description="the dataset that it derives from")
    noise: Noise | None = Field(None, description="flip labels with these probabilities")
    shuffle: Literal["steps"] | None = Field(
        None, description="steps: intermediate ones are replaced by those of other questions"
    )
    take: Take | None = Field(None, description="keep a part of it")
    label: Labelling | None = Field(None, description="other step labels for the same solutions")
    augment: Augmentation | None = Field(
        None, description="variants of the solutions, without the solutions themselves"
    )
    categories: Categories | None = Field(None, description="all of the other's by default")

    @model_validator(mode="after")
    def _one_change(self) -> Self:
        if sum(getattr(self, change) is not None for change in CHANGES) != 1:
            raise ValueError(
                f"needs exactly one of {', '.join(f'`{change}`' for change in CHANGES)}; "
                "chain datasets for more"
            )
        return self


def _kind_of_dataset(dataset: Any) -> str | None:
    if isinstance(dataset, DerivedDataset) or (isinstance(dataset, Mapping) and "from" in dataset):
        return "derived"
    if isinstance(dataset, SampledDataset) or (
        isinstance(dataset, Mapping) and "sample" in dataset
    ):
        return "sampled"
    reader = (
        dataset.get("reader") if isinstance(dataset, Mapping) else getattr(dataset, "reader", None)
    )
    if reader == "miniature":
        return "miniature"
    return "read" if reader in list(Reader) else None


Dataset = Annotated[
    Annotated[MiniatureDataset, Tag("miniature")]
    | Annotated[ReadDataset, Tag("read")]
    | Annotated[SampledDataset, Tag("sampled")]
    | Annotated[DerivedDataset, Tag("derived")],
    Discriminator(_kind_of_dataset),
]
