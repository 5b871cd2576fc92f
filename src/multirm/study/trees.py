"""A study's preference trees, and the sets of pairs that are made of them, on which pairwise models are trained."""

from typing import Annotated

from pydantic import Field

from multirm.running.numbers import Count, CountOrZero, FractionAboveZero, PositiveOrZero
from multirm.study.settings import EachOnce, Name, Settings
from multirm.tables.accuracy import Aggregation
from multirm.tables.preferences import GapUnit, Prefix, Siblings
from multirm.text.segments import KeepApart, Segments, Similarity


class Reward(Settings):
    """One reward for each solution, by one of the study's reward models."""

    model: Name = Field(description="one of the study's reward models")
    aggregation: Aggregation | None = Field(
        None, description="how a solution's rewards become one; by default, its kind's"
    )


class Trees(Settings):
    """A dataset's solutions, merged where they say the same; the defaults are OpenPRM's."""

    dataset: Name = Field(description="the dataset whose solutions are merged")
    reward: Reward | None = Field(
        None, description="what a solution is worth; by default, 1 if it is correct, else 0"
    )
    segments: Segments = Field(Segments.SENTENCE_LINES, description="where solutions are divided")
    similarity: Similarity = Field(Similarity.RATIO, description="how similar two steps are")
    threshold: FractionAboveZero = Field(
        0.88, description="the similarity from which on two segments are merged"
    )
    keep_apart: Annotated[list[KeepApart], EachOnce] = Field(
        [], description="what merged segments must have in common, however similar they are"
    )


class Preferences(Settings):
    """Pairs of steps whose values differ, and pairs of whole solutions; the defaults are OpenPRM's."""

    trees: Name = Field(description="one of the study's `trees`")
    gap: PositiveOrZero = Field(0.2, description="how much two values must differ at least")
    unit: GapUnit = Field(GapUnit.RAW, description="the unit of `gap`")
    min_leaves: Count = Field(2, description="rewards that each value must be the mean of at least")
    siblings: Siblings = Field(Siblings.EXTREMES, description="which siblings are compared")
    prefix: Prefix = Field(Prefix.OWN, description="which beginning the two sides of a pair share")
    per_question: Count | None = Field(
        None, description="pairs of siblings to keep of a question; null for all"
    )
    n_outcome_pairs: CountOrZero = Field(
        0, description="pairs of whole solutions to draw per question"
    )
