"""What a study evaluates and how, and what its figures show."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from multirm.running.numbers import (
    Count,
    Runs,
)
from multirm.study.settings import EachOnce, Name, Settings
from multirm.tables.accuracy import Aggregation
from multirm.text.answer_rules import AnswerRule


def _several(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


Aggregations = Annotated[
    list[Aggregation],
    Field(min_length=1),
    EachOnce,
    BeforeValidator(_several, json_schema_input_type=Aggregation | list[Aggregation]),
]


class Evaluation(Settings):
    """The datasets that every reward model scores, and how answers are selected from their pools."""

    datasets: Annotated[list[Name], EachOnce] = Field(min_length=1)
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
        description="when two answers are equal: if they mean the same, or only if their text is equal",
    )


class Figures(Settings):
    ceiling: bool = Field(True, description="draw Pass@N, the best that any selection could do")
