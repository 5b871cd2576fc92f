"""How a study samples solutions, labels their steps, and writes variants of them.

The defaults are VersaPRM's (arXiv 2502.06737), except for Monte-Carlo labels, which it does not use.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from multirm.running.numbers import Count, Fraction, PositiveOrZero
from multirm.study.sampling import STARTED_REPLIES, Sampling
from multirm.study.settings import Categories, EachOnce, Name, Settings, Text
from multirm.tables.continuations import Search, fewest_continuations


class AfterExamples(Sampling):
    """What a policy writes after worked examples."""

    policy: Name = Field(description="one of the study's backbones")
    exemplars: Name | None = Field(
        None, description="a dataset whose correct solutions are shown as worked examples"
    )
    shots: Count = Field(5, description="worked examples per prompt, of the question's category")

    @model_validator(mode="after")
    def _examples_to_show(self) -> Self:
        if "shots" in self.model_fields_set and self.exemplars is None:
            raise ValueError("`shots` needs `exemplars`, a dataset that has them")
        return self


class Sample(AfterExamples):
    """Solutions that a policy writes to bare questions, after worked examples."""

    questions: Name = Field(description="one of the study's `questions`")
    per_question: Count = Field(16, description="solutions per question")
    temperature: PositiveOrZero = Field(0.8, description="of sampling; 0 takes the likeliest token")
    max_tokens: Count = Field(2048, description="the most tokens to generate for each prompt")


class Judge(Sampling):
    """A language model that names the first bad step."""

    model: Name = Field(description="one of the study's backbones")
    votes: Count = Field(1, description="replies per solution")
    attempts: Count = Field(3, description="of each vote, until a reply can be read")
    reference: bool = Field(True, description="whether the judge sees the reference answer")
    template: Text | None = Field(None, description="a prompt template file")
    temperature: PositiveOrZero = Field(0.0, description="of sampling; 0 takes the likeliest token")
    max_tokens: Count = Field(2048, description="the most tokens to generate for each prompt")


class MonteCarlo(AfterExamples):
    """A policy that continues solutions from each of their steps."""

    unable = STARTED_REPLIES

    per_prefix: Count = Field(16, description="continuations after each step")
    search: Search = Field(
        Search.ALL, description="which steps are continued: all, or those that halving needs"
    )
    significance: Fraction = Field(
        0.05,
        description="probability that a step after which the answer can only be guessed counts as good",
    )
    temperature: PositiveOrZero = Field(0.7, description="of sampling; 0 takes the likeliest token")
    max_tokens: Count = Field(2048, description="the most tokens to generate for each prompt")

    @model_validator(mode="after")
    def _enough_to_tell(self) -> Self:
        fewest = fewest_continuations(self.significance)
        if fewest is None:
            raise ValueError("at `significance` 0 no step would be good or bad; raise it")
        if self.per_prefix < fewest:
            raise ValueError(
                f"{self.per_prefix} continuations cannot tell good steps from bad ones at significance "
                f"{self.significance}; set `per_prefix` to {fewest} or more"
            )
        return self


class Trust(Settings):
    """A reward model that was trained on labels, and whose rewards must not contradict them."""

    model: Name = Field(description="one of the study's dPRMs, trained on the dataset")
    tolerance: Fraction = Field(0.4, description="largest difference between reward and label")


class Labelling(Settings):
    """Where step labels come from: exactly one of the first five keys."""

    judge: Judge | None = Field(
        None, description="a language model that names the first incorrect step"
    )
    monte_carlo: MonteCarlo | None = Field(
        None, description="a policy that continues after each step"
    )
    agree: Annotated[list[Name], EachOnce] | None = Field(
        None, min_length=2, description="datasets with `label`, from the same one as this"
    )
    trust: Trust | None = Field(
        None, description="drop labels that a reward model's rewards contradict"
    )
    known: Literal["miniature"] | None = Field(None, description="the facts of the miniature")
    min_agreement: Fraction = Field(
        0.0, description="share of votes that must agree with a label for it to count"
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if len(self.sources) != 1:
            raise ValueError(
                "needs exactly one of `judge`, `monte_carlo`, `agree`, `trust` and `known`"
            )
        if self.monte_carlo and self.min_agreement:
            raise ValueError(
                "continuations do not vote, so `min_agreement` means nothing here; set `significance`"
            )
        return self

    @property
    def sources(self) -> list[str]:
        """The keys that are set, of those that name a source."""
        return [
            name
            for name in ("judge", "monte_carlo", "agree", "trust", "known")
            if getattr(self, name) is not None
        ]


class Augmentation(Sampling):
    """Variants of solutions in which a language model rewrites one step."""

    model: Name = Field(description="one of the study's backbones")
    kind: Literal["counterfactual", "rewrite"] = Field(
        description="a wrong step, or one that means the same"
    )
    per_solution: Count = Field(2, description="requests per solution")
    math: Categories | None = Field(
        None,
        description="counterfactual only: categories that are also asked for wrong calculations and equations",
    )
    temperature: PositiveOrZero = Field(0.4, description="of sampling; 0 takes the likeliest token")
    max_tokens: Count = Field(2048, description="the most tokens to generate for each prompt")

    @model_validator(mode="after")
    def _errors_to_ask_for(self) -> Self:
        if self.math and self.kind != "counterfactual":
            raise ValueError("asks for no errors; leave out `math`")
        return self
