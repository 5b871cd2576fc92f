"""`Pools`: solutions and rewards, from data frames, files, tables or the hub, ready to be evaluated or scored."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeAlias, TypedDict, Unpack

import pyarrow as pa
import pyarrow.compute as pc

from multirm.api.arguments import member, of_each, pairs, text
from multirm.api.frames import Frame, to_arrow
from multirm.api.messages import in_python
from multirm.data.import_own import write_pools
from multirm.errors import InputError, did_you_mean, escaped, one_of, shown
from multirm.evaluation.views import Source
from multirm.formats import layouts
from multirm.formats.own.columns import ColumnMap, Spoken, StepRule
from multirm.formats.own.files import concatenated, dataset_name, read_file
from multirm.formats.own.keys import is_file_name
from multirm.formats.own.rewards import RewardTable
from multirm.formats.own.tables import read_own
from multirm.running.provenance import origin_of
from multirm.tables import parquet
from multirm.tables.rewards import REWARDS, Scale, Unit
from multirm.tables.schema import Schema
from multirm.tables.solutions import SOLUTIONS
from multirm.text.answer_rules import AnswerRule

if TYPE_CHECKING:
    import pandas as pd

AnyPath: TypeAlias = str | Path
Places: TypeAlias = AnyPath | Sequence[AnyPath]
"""One or more tables, folders of tables, folders in Multi-RM's layout, or hub names."""

_OWN = "own"


class Said(TypedDict, total=False):
    """What can be said about the columns of a frame or file; `Pools.from_frame` says what each means."""

    columns: Mapping[str, str] | None
    rewards: Mapping[str, str | Frame] | None
    correct: str | None
    split: str
    unit: str | Mapping[str, str] | None
    scale: str | Mapping[str, str] | None
    dataset: str | None
    category: str | None


class Pools:
    """The solutions to one dataset's questions, and reward models' rewards of them.

    Made by `Pools.from_frame`, `Pools.from_file` or `Pools.read`, and by `multirm.score`; never changed.

    Attributes:
        models: the names of the reward models, in order.
        notes: what was assumed about a frame or file, left out or counted, a sentence each.
    """

    def __init__(
        self,
        solutions: Sequence[Source],
        rewards: Mapping[str, Sequence[Source]],
        *,
        answers: AnswerRule = AnswerRule.MEANING,
        unit: Mapping[str, Unit] | None = None,
        scale: Mapping[str, Scale] | None = None,
        samples: Sequence[str] = (),
        reward_models: Path | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        self.sources: tuple[Source, ...] = tuple(solutions)
        self.reward_sources: dict[str, tuple[Source, ...]] = {
            model: tuple(each) for model, each in rewards.items()
        }
        self.answers, self.unit, self.scale = answers, dict(unit or {}), dict(scale or {})
        self.samples, self.reward_models = list(samples), reward_models
        self.notes = tuple(notes)

    @classmethod
    @in_python()
    def from_frame(
        cls,
        frame: Frame,
        *,
        columns: Mapping[str, str] | None = None,
        rewards: Mapping[str, str | Frame] | None = None,
        correct: str | None = None,
        split: str = StepRule.WHOLE,
        unit: str | Mapping[str, str] | None = None,
        scale: str | Mapping[str, str] | None = None,
        dataset: str | None = None,
        category: str | None = None,
    ) -> Self:
        """Read a data frame with any columns: a row per solution, or per question with a list of solutions in each.

        Columns with usual names are found by themselves. The order of rows does not matter, except that solutions
        without an id are numbered in it.

        Args:
            frame: a data frame of pandas or polars, an Arrow table, a `datasets.Dataset`, a list of dicts or a dict of
                lists.
            columns: the column that holds a field, such as `{"steps": "response"}`. The fields are question_id,
                solution_id, question, answer (the reference), steps (a text or a list of steps), parsed_answer,
                category and dataset.
            rewards: for each reward model, the column of its rewards: a number, or a list of numbers, for each
                solution; or another frame with the columns question_id, solution_id and one of rewards.
            correct: the column of your own grading, which then says what is correct: true or false, 1 or 0.
            split: where texts are divided into steps: whole (nowhere), blank_lines, lines or step_markers.
            unit: what one number of a list of rewards is about: step or critique, or one of these per model.
            scale: probability if rewards are probabilities from 0 to 1; otherwise score, numbers without bounds.
            dataset, category: their names, if no column has them; by default, own and all.

        Raises:
            InputError: says everything that is wrong with the frame, each problem with its remedy.
        """
        said = Said(
            columns=columns,
            rewards=rewards,
            correct=correct,
            split=split,
            unit=unit,
            scale=scale,
            dataset=dataset,
            category=category,
        )
        return cls._own(to_arrow(frame), "frame", _OWN, said)

    @classmethod
    @in_python()
    def from_file(cls, file: Places, **said: Unpack[Said]) -> Self:
        """Read files with any columns, as `multirm import` does.

        Args:
            file: a file named .csv, .tsv, .jsonl, .json, .parquet or .arrow, a folder of `datasets.save_to_disk`, or
                several of them, which are read one after the other.
            said: columns, rewards, correct, split, unit, scale, dataset and category, as for `from_frame`. By default,
                the dataset is named like the file.

        Raises:
            InputError: says everything that is wrong with the files.
        """
        for name in said:
            if name not in Said.__annotations__:
                known = list(Said.__annotations__)
                raise InputError(
                    "from_file",
                    expected=one_of(known),
                    found=shown(name),
                    remedy=did_you_mean(name, known),
                )
        files = _places("file", file)
        table = concatenated(map(read_file, files))
        return cls._own(table, ", ".join(files), dataset_name(files), said)

    @classmethod
    def _own(cls, table: pa.Table, where: str, dataset: str, said: Said) -> Self:
        rewards = pairs("rewards", said.get("rewards"), "{'mine': 'score'}, a model and its column")
        beside = {
            model: RewardTable(to_arrow(each, f"rewards of {model}"), f"rewards of {model}")
            for model, each in rewards.items()
            if not isinstance(each, str)
        }
        found = read_own(
            table,
            _mapping(said, rewards),
            where,
            dataset=dataset,
            beside=beside,
            spoken=Spoken.PYTHON,
        )
        of_models = {model: found.rewards[model] for model in rewards}
        return cls(
            [in_order(found.solutions, SOLUTIONS.key)],
            {model: [in_order(each, SOLUTIONS.key)] for model, each in of_models.items()},
            answers=AnswerRule.GRADED if found.graded else AnswerRule.MEANING,
            notes=found.notes,
        )

    @classmethod
    @in_python()
    def read(
        cls,
        solutions: Places,
        rewards: Mapping[str, Places] | None = None,
        *,
        unit: str | Mapping[str, str] | None = None,
        scale: str | Mapping[str, str] | None = None,
        samples: Places = (),
        reward_models: AnyPath | None = None,
    ) -> Self:
        """Name tables, folders in Multi-RM's layout, or datasets on the hub. They are read when they are evaluated.

        Args:
            solutions: one dataset's solutions.
            rewards: for each reward model, where its rewards are.
            unit, scale: as for `from_frame`, if the tables do not say it.
            samples: tables of the samples that the solutions are from; samples without an answer then count as wrong.
            reward_models: table that says which reward models are training runs of one model; without it, `dPRM` and
                `dPRM@43` are.

        Raises:
            InputError: there are no solutions, or a model has an unknown unit or scale.
        """
        named = pairs("rewards", rewards, "{'dPRM': 'rewards/dPRM'}, a model and a place")
        given = {model: _places(f"rewards of {model}", each) for model, each in named.items()}
        places = _places("solutions", solutions)
        if not places:
            raise InputError("solutions", expected="at least one place", found="none")
        return cls(
            places,
            given,
            unit=of_each("unit", unit, Unit, given),
            scale=of_each("scale", scale, Scale, given),
            samples=_places("samples", samples),
            reward_models=None if reward_models is None else Path(reward_models),
        )

    @property
    def models(self) -> list[str]:
        """The names of the reward models, in order."""
        return list(self.reward_sources)

    @cached_property
    @in_python()
    def solutions(self) -> "pd.DataFrame":
        """The solutions, a row each.

        Columns: dataset, category, question_id, solution_id, question, answer, steps (a list of texts), parsed_answer,
        outcome (1 or 0) and step_labels.
        """
        return self.solutions_table().to_pandas()

    @cached_property
    @in_python()
    def rewards(self) -> "pd.DataFrame":
        """The rewards: a row for each solution and model, with a list of rewards, its unit and scale, and costs."""
        tables = [self.rewards_table(model) for model in self.models]
        if not tables:
            return REWARDS.columns.empty_table().to_pandas()
        return pa.concat_tables(tables, promote_options="permissive").to_pandas()

    def solutions_table(self) -> pa.Table:
        """The solutions as an Arrow table with the columns of a solutions table.

        Raises:
            InputError: a place has none, or they are invalid.
        """
        return pa.concat_tables(
            layouts.read_solutions(source) if isinstance(source, str) else source
            for source in self.sources
        )

    def rewards_table(self, model: str) -> pa.Table:
        """A model's rewards as an Arrow table with the columns of a rewards table.

        Raises:
            InputError: a place has none, or they are invalid.
        """
        parts = [
            layouts.read_rewards(source, model) if isinstance(source, str) else source
            for source in self.reward_sources[model]
        ]
        table = pa.concat_tables(parts, promote_options="permissive")
        for name, value in (("unit", self.unit.get(model)), ("scale", self.scale.get(model))):
            if value is not None:
                filled = pc.fill_null(table[name], str(value))
                table = table.set_column(table.column_names.index(name), name, filled)
        return table

    def files(self) -> list[Path] | None:
        """Their files, if all of them are tables that say everything that is known of them; else None."""
        if self.unit or self.scale:
            return None
        found = _own_files(self.sources, SOLUTIONS)
        if not found:
            return None
        for model, sources in self.reward_sources.items():
            files = _own_files(sources, REWARDS)
            # A model may be called otherwise here.
            named = (pc.unique(parquet.read(file, REWARDS)["model"]) for file in files)
            if not files or any(each.to_pylist() != [model] for each in named):
                return None
            found += files
        return found

    def with_rewards(self, model: str, table: pa.Table) -> "Pools":
        """These pools with the rewards of one more model, or with others of a model that they have.

        Args:
            table: with the columns of a rewards table.
        """
        return Pools(
            self.sources,
            {**self.reward_sources, model: [in_order(table, SOLUTIONS.key)]},
            answers=self.answers,
            unit={name: each for name, each in self.unit.items() if name != model},
            scale={name: each for name, each in self.scale.items() if name != model},
            samples=self.samples,
            reward_models=self.reward_models,
            notes=self.notes,
        )

    @in_python()
    def write(self, folder: AnyPath) -> None:
        """Write them as tables: `data/DATASET/CATEGORY.parquet` and `rewards/MODEL/DATASET/CATEGORY.parquet`.

        Raises:
            InputError: a place cannot be read, there are other tables already, or nothing can be written there.
        """
        solutions = self.solutions_table()
        rewards = {model: self.rewards_table(model) for model in self.models}
        names = [*self.models, *pc.unique(solutions["dataset"]).to_pylist()]
        for name in [*names, *pc.unique(solutions["category"]).to_pylist()]:
            if not is_file_name(name):
                raise InputError(folder, expected="names that files can have", found=shown(name))
        graded = {"graded": self.answers is AnswerRule.GRADED}
        write_pools(Path(folder), solutions, rewards, origin_of(__name__, graded, []))

    def __repr__(self) -> str:
        models = f"rewards of {', '.join(self.models)}" if self.models else "no rewards"
        if all(isinstance(source, str) for source in self.sources):
            return escaped(f"Pools of {', '.join(map(str, self.sources))}; {models}")
        table = self.solutions_table()
        pairs = zip(table["category"].to_pylist(), table["question_id"].to_pylist(), strict=True)
        n_questions = len(set(pairs))
        dataset = table["dataset"][0].as_py()
        counts = f"{n_questions} questions, {table.num_rows} solutions"
        return escaped(f"Pools of {dataset}: {counts}; {models}")


def in_order(table: pa.Table, key: Sequence[str]) -> pa.Table:
    """The rows of a table sorted by their key, so that the order of a frame has no influence."""
    return table.sort_by([(name, "ascending") for name in key])


def _own_files(sources: Sequence[Source], schema: Schema) -> list[Path]:
    """The tables at all of some places; none if one of them has no tables of ours."""
    found: list[Path] = []
    for source in sources:
        files = layouts.table_files(source, schema) if isinstance(source, str) else []
        if not files or None in map(layouts.kind_of, files):
            return []
        found += files
    return found


def _mapping(said: Said, models: Mapping[str, str | Frame]) -> ColumnMap:
    names = {
        name: None if value is None else text(name, value)
        for name, value in (
            ("correct", said.get("correct")),
            ("dataset", said.get("dataset")),
            ("category", said.get("category")),
        )
    }
    return ColumnMap(
        columns=pairs(
            "columns", said.get("columns"), "{'steps': 'response'}, a field and its column"
        ),
        rewards={model: each for model, each in models.items() if isinstance(each, str)},
        split=member("split", said.get("split", StepRule.WHOLE), StepRule),
        unit=of_each("unit", said.get("unit"), Unit, models),
        scale=of_each("scale", said.get("scale"), Scale, models),
        **names,
    )


def _places(argument: str, given: Places) -> list[str]:
    """Places as texts.

    Raises:
        InputError: one of them is neither a text nor a path.
    """
    places = [given] if isinstance(given, str | Path) else given
    if not isinstance(places, Sequence) or not all(isinstance(e, str | Path) for e in places):
        raise InputError(
            argument,
            expected="a path or several",
            found=type(given).__name__,
            remedy="Pools.from_frame takes data frames",
        )
    return list(map(str, places))
