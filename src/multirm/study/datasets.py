"""A study's datasets: where their solutions come from."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    Discriminator,
    Field,
    Tag,
)

from multirm.formats.sources import Reader
from multirm.running.numbers import (
    Count,
    Fraction,
)
from multirm.study.settings import Categories, Settings, Text
from multirm.tables.questions import Split
from multirm.tables.solutions import Policy


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
