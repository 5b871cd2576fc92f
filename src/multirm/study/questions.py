"""A study's bare questions, which its policies answer."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from multirm.formats.sources import Reader
from multirm.running.numbers import Count
from multirm.study.settings import Categories, Settings, Text
from multirm.tables.questions import Split


class MiniatureQuestions(Settings):
    """Questions about small tables of facts."""

    reader: Literal["miniature"] = Field(description="generate them")
    split: Split = Field(description="which of the miniature's facts and questions")
    questions: Count = Field(description="questions per category")
    options: bool = Field(True, description="whether questions list ten options")
    categories: Categories | None = Field(None, description="the study's by default")


class ReadQuestions(Settings):
    """Questions read from files or from the hub."""

    reader: Reader = Field(description="which files to read; docs/data.md lists the readers")
    source: list[Text] = Field(
        min_length=1,
        description="files or folders below the study's `data` folder (wildcards allowed), or a hub name",
    )
    questions: Count | None = Field(
        None, description="questions per category to keep, drawn at random; null for all"
    )
    size: Count = Field(
        500, description="approximate questions per category, to estimate the jobs' time"
    )
    categories: Categories | None = Field(None, description="the study's by default")


def _kind_of_questions(questions: Any) -> str | None:
    given = questions if isinstance(questions, Mapping) else {"reader": questions.reader}
    reader = given.get("reader")
    if reader == "miniature":
        return "miniature"
    return "read" if reader in list(Reader) else None


Questions = Annotated[
    Annotated[MiniatureQuestions, Tag("miniature")] | Annotated[ReadQuestions, Tag("read")],
    Discriminator(_kind_of_questions),
]
