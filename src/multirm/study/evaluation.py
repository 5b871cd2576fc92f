"""What a study evaluates and how, and what its figures show."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from multirm.running.numbers import (
    Count,
    Runs,
)
from multirm.study.settings import Categories, Category, EachOnce, Name, Settings
from multirm.tables.accuracy import Aggregation, Estimator
from multirm.text.answer_rules import AnswerRule


def _several(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


Aggregations = Annotated[
    list[Aggregation],
    Field(min_length=1),
    EachOnce,
    BeforeValidator(_several, json_schema_input_type=Aggregation | list[Aggregation]),
]


Protocol = Literal[Estimator.PAPER, Estimator.VERSAPRM, Estimator.OPENPRM]
"""A published protocol: an estimator other than ours."""


class Evaluation(Settings):
    """The datasets that every reward model scores, and how answers are selected from their pools."""

    datasets: Annotated[list[Name], EachOnce] = Field(
        [], description="none in a study without reward models, which compares step labels"
    )
    also_trained_on: Annotated[list[Name], EachOnce] = Field(
        [], description="those of them with questions that a model or backbone may be trained on"
    )
    n: Annotated[list[Count], EachOnce] = Field(
        [1, 2, 4, 8, 16], min_length=1, description="sizes of the pools"
    )
    runs: Runs = Field(
        100, description="seeded random subsets per question and size, if any are drawn"
    )
    aggregation: dict[Name, Aggregations] = Field(
        {}, description="one or several per reward model; its kind's by default"
    )
    step_labels: Annotated[list[Name], EachOnce] = Field(
        [],
        description="datasets whose step labels are known to be right; other labels of the same solutions are "
        "compared with them",
    )
    answers: AnswerRule = Field(
        AnswerRule.MEANING,
        description="when two answers are equal: if they mean the same, or only if their text is equal; graded: "
        "outcome labels say what is correct, instead of reference answers",
    )
    category_groups: dict[Category, Categories] = Field(
        {}, description="categories to average over, as well as over all, by the group's name"
    )
    protocols: Annotated[list[Protocol], EachOnce] = Field(
        [Estimator.PAPER],
        description="published protocols to evaluate by, besides ours: Multi-RM's (paper), VersaPRM's (versaprm), "
        "OpenPRM's (openprm)",
    )


class Figures(Settings):
    """What figures show."""

    ceiling: bool = Field(True, description="draw Pass@N, the best that any selection could do")
