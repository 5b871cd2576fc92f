"""A study's sets of critiques, which generative reward models learn from."""

from typing import Self

from pydantic import (
    Field,
    model_validator,
)

from multirm.running.numbers import (
    Count,
    CountOrZero,
    FractionAboveZero,
)
from multirm.study.sampling import Sampling
from multirm.study.settings import Name, Settings, Templates, Text
from multirm.tables.critiques import Agreement


class PublishedCritiques(Settings):
    """Where critiques of each kind are read from, as `source` of a dataset says it."""

    gORM: list[Text] = Field([], description="folders and hub names")  # noqa: N815
    gPRM: list[Text] = Field([], description="folders and hub names")  # noqa: N815


class Critiques(Sampling):
    """A set of critiques of training solutions, of both generative kinds.

    Exactly one of `teacher`, who writes them, and `published`.
    """

    dataset: Name
    templates: Templates = Templates()
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
