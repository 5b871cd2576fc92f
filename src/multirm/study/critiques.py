"""A study's sets of critiques, on which generative reward models are trained."""

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
from multirm.study.sampling import STARTED_REPLIES, Sampling
from multirm.study.settings import Name, Settings, Templates, Text
from multirm.tables.critiques import Agreement


class ExternalCritiques(Settings):
    """The places from which critiques of each kind are read, given like `source` of a dataset."""

    gORM: list[Text] = Field([], description="folders and hub names")  # noqa: N815
    gPRM: list[Text] = Field([], description="folders and hub names")  # noqa: N815


class Critiques(Sampling):
    """A set of critiques of training solutions, for both generative kinds.

    Exactly one of `teacher`, a model that writes them; `demonstrated`, to have them written from the labels;
    `published`, places to read them from; and `from`, another set whose teacher's critiques are filtered anew: those of
    this set's dataset, by its labels.
    """

    unable = STARTED_REPLIES

    dataset: Name = Field(description="the dataset whose solutions are criticised")
    templates: Templates = Field(Templates(), description="prompt templates, by kind")
    teacher: Name | None = Field(None, description="one of the study's backbones")
    demonstrated: bool = Field(
        False,
        description="short critiques that say of each step, or the solution, what its label says, of the solutions "
        "with an outcome and step labels; besides `dataset`, no other key applies",
    )
    published: ExternalCritiques | None = Field(
        None,
        description="critiques of others, used as they are; of the keys below, only `agreement` applies",
    )
    from_: Name | None = Field(
        None,
        alias="from",
        description="another set with a teacher, of the same solutions with other labels (`noise`), or of more of them "
        "(`take`); of the keys below, only `max_length` and `agreement` apply, by default those of the other set",
    )
    per_solution: Count = Field(4, description="critiques that the teacher writes of each solution")
    top_p: FractionAboveZero = Field(
        0.95, description="sample from the likeliest tokens with this total probability"
    )
    top_k: CountOrZero = Field(
        20, description="sample from so many of the likeliest tokens; 0 for all"
    )
    max_length: Count = Field(8192, description="maximum tokens of prompt and critique to be kept")
    agreement: Agreement = Field(
        Agreement.STRICT,
        description="of gPRM critiques with the labels: in each step up to the first incorrect one, or "
        "(relaxed) only in whether there is an error, which must be found if the answer is wrong",
    )

    @model_validator(mode="after")
    def _one_of_four(self) -> Self:
        given = self.teacher, self.demonstrated or None, self.published, self.from_
        if sum(each is not None for each in given) != 1:
            raise ValueError(
                "needs exactly one of `teacher`, `demonstrated`, `published` critiques and `from`"
            )
        applying = {"dataset", "from_", "demonstrated"}
        if self.from_:
            self._refuse_others(
                applying | {"max_length", "agreement"},
                "with `from`, only `max_length` and `agreement` apply",
            )
        if self.demonstrated:
            self._refuse_others(applying, "with `demonstrated`, only `dataset` applies")
        return self

    def _refuse_others(self, applying: set[str], expected: str) -> None:
        if without_effect := self.model_fields_set - applying:
            raise ValueError(f"{expected}; delete {', '.join(sorted(without_effect))}")

    def filtered_like(self, other: Self) -> Self:
        """This set with another set's `max_length` and `agreement`, unless it has its own."""
        inherited = {"max_length", "agreement"} - self.model_fields_set
        return self.model_copy(update={name: getattr(other, name) for name in inherited})
