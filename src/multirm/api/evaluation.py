"""`evaluate` and `Evaluation`: accuracies of pools, in memory, as data frames, charts, a page and tables."""

import html
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from multirm.api.arguments import member, pairs, path, text, validated
from multirm.api.messages import in_python
from multirm.api.pools import AnyPath, Pools
from multirm.errors import InputError, did_you_mean, escaped, one_of, shown
from multirm.evaluation.accuracy import Evaluated, evaluated
from multirm.evaluation.arguments import check_model_name
from multirm.evaluation.inputs import Inputs
from multirm.evaluation.options import SubsetOptions
from multirm.inspect.summary import summarise
from multirm.running.files import check_folder, whole_together
from multirm.tables import parquet
from multirm.tables.accuracy import ACCURACY, Aggregation, Estimator
from multirm.tables.headline import HEADLINE
from multirm.tables.registry import SCHEMAS
from multirm.tables.reward_models import REWARD_MODELS
from multirm.tables.rewards import Unit
from multirm.text.answer_rules import AnswerRule

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd


_GROUPS = "{'texts': ['law', 'history']}"


@in_python()
def evaluate(
    pools: Pools,
    aggregation: str | Sequence[str] | Mapping[str, str | Sequence[str]] | None = None,
    *,
    n: int | Sequence[int] | None = None,
    estimator: str = Estimator.EXACT,
    category_groups: Mapping[str, Sequence[str]] | None = None,
    answers: str | None = None,
    runs: int = 100,
    seed: int = 42,
) -> "Evaluation":
    """Evaluate reward models on one dataset: best-of-N, weighted vote, majority vote and pass@N.

    The same as the command `multirm evaluate`; nothing is written.

    Args:
        pools: solutions with the rewards of any number of models; without any, only votes are evaluated.
        aggregation: how a list of rewards becomes the solution's: last, min, max, mean, prod and others, for all
            models, or for each: `{"dPRM": ["min", "mean"], "dORM": "last"}`. Models with one reward for each solution
            need none.
        n: sizes of the subsets to select from; by default 1, 2, 4, 8 and 16, up to the largest pool.
        estimator: exact, the expectation over all subsets, with 95 % intervals over questions; or paper, versaprm or
            openprm, as these papers estimate accuracies.
        category_groups: categories to average over, by the name of the group.
        answers: when two answers are equal: if they mean the same (meaning) or are the same text (strict); graded
            takes outcome labels as correctness. By default graded for frames with a grading, else meaning.
        runs: number of random subsets per question and size, where they are drawn; at least 2.
        seed: of everything drawn.

    Returns:
        its tables, charts and page; accuracies are in percent, differences in percentage points.

    Raises:
        InputError: an argument is wrong, or solutions and rewards do not match.
    """
    if not isinstance(pools, Pools):
        raise InputError(
            "pools",
            expected="Pools",
            found=type(pools).__name__,
            remedy="make them by Pools.from_frame, Pools.from_file or Pools.read",
        )
    groups = pairs("category_groups", category_groups, _GROUPS)
    for each in groups.values():
        if isinstance(each, str) or not isinstance(each, Iterable):
            raise InputError(
                "category_groups",
                expected=f"lists, such as {_GROUPS}",
                found=shown(category_groups),
            )
    inputs = Inputs(
        solutions=pools.sources,
        rewards=pools.reward_sources,
        aggregation=_aggregations(pools, aggregation),
        unit=pools.unit,
        scale=pools.scale,
        answers=pools.answers if answers is None else member("answers", answers, AnswerRule),
        reward_models=pools.reward_models,
        samples=pools.samples,
    )
    asked = validated(SubsetOptions, n=_sizes(n), runs=runs, seed=seed)
    found = evaluated(
        inputs,
        asked,
        member("estimator", estimator, Estimator),
        {name: list(each) for name, each in groups.items()},
    )
    return Evaluation(_InMemory(pools, found))


def _sizes(n: int | Sequence[int] | None) -> list[int] | None:
    """One size or several, also as numbers and arrays of numpy."""
    if n is None:
        return None
    several = [n] if isinstance(n, str) or not isinstance(n, Iterable) else n
    # True is no number, although Python can count with it. What is no whole number is refused where types are checked.
    return [
        index(each) if hasattr(each, "__index__") and not isinstance(each, bool) else each
        for each in several
    ]


def _aggregations(
    pools: Pools, said: str | Sequence[str] | Mapping[str, str | Sequence[str]] | None
) -> dict[str, list[Aggregation]]:
    """The aggregations of each model.

    Raises:
        InputError: one is unknown, twice or missing, or there are no rewards of a model.
    """
    given: Mapping[str, str | Sequence[str] | None] = dict.fromkeys(pools.models)
    if said is not None:
        given = said if isinstance(said, Mapping) else dict.fromkeys(pools.models, said)
    for model in given:
        if model not in pools.models:
            raise InputError(
                "aggregation",
                expected=one_of(pools.models) if pools.models else "none, as there are no rewards",
                found=shown(model),
                remedy=did_you_mean(model, pools.models),
            )
    found = {}
    for model in [*given, *(name for name in pools.models if name not in given)]:
        check_model_name("rewards", model)
        words = given.get(model)
        if words is None:
            words = _only_possible(pools, model)
        names = (
            list(words) if isinstance(words, Iterable) and not isinstance(words, str) else [words]
        )
        found[model] = [member(f"aggregation of {model}", name, Aggregation) for name in names]
        if not names or len(set(names)) < len(names):
            where = f"aggregation of {model}"
            raise InputError(where, expected="one or more, each once", found=shown(names))
    return found


def _only_possible(pools: Pools, model: str) -> Aggregation:
    """The aggregation of single rewards, which all aggregations leave as they are."""
    in_memory = [each for each in pools.reward_sources[model] if not isinstance(each, str)]
    units = {unit for table in in_memory for unit in set(table["unit"].to_pylist())}
    if len(in_memory) < len(pools.reward_sources[model]) or units != {str(Unit.SOLUTION)}:
        raise InputError(
            "aggregation",
            expected=f"one for {model}, whose rewards may be lists",
            found="none",
            remedy=f"add aggregation={{{model!r}: 'min'}} (or last, mean, …)",
        )
    return Aggregation.LAST


class _InMemory:
    """The tables of an evaluation that was made here, which are written only once a file of them is needed."""

    def __init__(self, pools: Pools, found: Evaluated) -> None:
        self._pools, self._found = pools, found
        self._rows = {schema.name: (schema, rows) for schema, rows in found.rows}

    @property
    def names(self) -> list[str]:
        models = [REWARD_MODELS.name] if self._pools.reward_models else []
        return [*self._rows, *models]

    def table(self, name: str) -> pa.Table:
        if name not in self._rows:
            return parquet.read(self.path(name), REWARD_MODELS)
        schema, rows = self._rows[name]
        dataset = self._found.opened.dataset
        return parquet.as_table(schema, [{"dataset": dataset, **row} for row in rows])

    def path(self, name: str) -> Path:
        if name == REWARD_MODELS.name and self._pools.reward_models:
            return self._pools.reward_models
        return self._written / f"{name}.parquet"

    def write(self, folder: Path) -> None:
        self._found.write(folder)

    @property
    def folder(self) -> Path:
        return self._written

    @property
    def others(self) -> list[Path]:
        models = [self._pools.reward_models] if self._pools.reward_models else []
        return [*self._tables_of_pools, *map(Path, self._pools.samples), *models]

    @cached_property
    def _written(self) -> Path:
        folder = _temporary_folder(self)
        self._found.write(folder)
        return folder

    @cached_property
    def _tables_of_pools(self) -> list[Path]:
        """Tables of the pools: the files that they were read from, or copies of what the page could not read."""
        files = self._pools.files()
        if files is not None:
            return files
        folder = _temporary_folder(self)
        self._pools.write(folder)
        return [folder]


class OnDisk:
    """The tables of an evaluation that is in a folder.

    Args:
        folder: has the tables, as a study or `multirm evaluate` writes them.
        others: further tables for the page: solutions and rewards.
    """

    def __init__(self, folder: Path, others: Sequence[Path]) -> None:
        self.folder, self.others = folder, list(others)
        found = (path for path in sorted(folder.glob("*.parquet")))
        self._files = {path.stem: path for path in found if path.stem in SCHEMAS}

    @property
    def names(self) -> list[str]:
        return [name for name in SCHEMAS if name in self._files]

    def table(self, name: str) -> pa.Table:
        return parquet.read(self._files[name], SCHEMAS[name])

    def path(self, name: str) -> Path:
        return self._files[name]

    def write(self, folder: Path) -> None:
        paths = [folder / path.name for path in self._files.values()]
        with whole_together(paths) as parts:
            for part, path in zip(parts, self._files.values(), strict=True):
                shutil.copyfile(path, part)


def _temporary_folder(owner: object) -> Path:
    """A folder that is removed once its owner is, or Python ends."""
    folder = Path(tempfile.mkdtemp(prefix="multirm-"))
    weakref.finalize(owner, shutil.rmtree, folder, ignore_errors=True)
    return folder


class Evaluation:
    """Accuracies of reward models on one dataset, with comparisons, costs and counts of what was missing.

    Made by `multirm.evaluate`, or read by `multirm.results`. Printing it says which reward models beat the majority
    vote. The columns of each table are in the reference of tables.

    Attributes:
        accuracy: accuracies in percent of each selection, model, aggregation, N and category, with 95 % intervals.
        comparisons: paired differences of methods in percentage points, with intervals and corrected p-values.
        headline: for each selection and model, whether it beats the majority vote.
        costs: tokens and operations per question, beside accuracies.
        ledger: what was missing, cut off or tied, for each category and model.
    """

    def __init__(self, source: "_InMemory | OnDisk") -> None:
        self._source = source
        self._frames: dict[str, pd.DataFrame] = {}

    @property
    def dataset(self) -> str:
        """The dataset's name."""
        return str(self._source.table(self.tables[0])["dataset"][0].as_py())

    @property
    def tables(self) -> list[str]:
        """The names of all tables that there are."""
        return self._source.names

    @in_python()
    def table(self, name: str) -> "pd.DataFrame":
        """A table as a data frame of pandas.

        Args:
            name: one of `tables`.

        Raises:
            InputError: there is none, or its file is damaged.
        """
        if name not in self._frames:
            self._refuse_missing("table", name, self.tables)
            self._frames[name] = self._source.table(name).to_pandas()
        return self._frames[name]

    @property
    def accuracy(self) -> "pd.DataFrame":
        """Accuracies in percent: a row for each category, selection, model, aggregation and N."""
        return self.table("accuracy")

    @property
    def comparisons(self) -> "pd.DataFrame":
        """Paired differences in percentage points: a row for each category and pair of methods."""
        return self.table("comparisons")

    @property
    def headline(self) -> "pd.DataFrame":
        """Whether each model beats the majority vote: a row for each selection, model and aggregation."""
        return self.table("headline")

    @property
    def costs(self) -> "pd.DataFrame":
        """Tokens and operations per question beside accuracies: a row for each selection, model and N."""
        return self.table("costs")

    @property
    def ledger(self) -> "pd.DataFrame":
        """Counts of what was missing, cut off or tied: a row for each category, model and aggregation."""
        return self.table("ledger")

    @in_python()
    def summary(self) -> str:
        """Which reward models beat the majority vote, and overall accuracies at the largest N, as text."""
        self._refuse_missing("summary from the table", ACCURACY.name, self.tables)
        headline = self._source.table(HEADLINE.name) if HEADLINE.name in self.tables else None
        lines = summarise(self._source.table(ACCURACY.name), self._reward_models(), headline)
        return "\n".join(map(escaped, "\n".join(lines).split("\n")))

    @property
    def charts(self) -> list[str]:
        """The names of all charts that can be drawn from the tables that there are."""
        from multirm.api.charts import CHARTS

        known = set(self.tables)
        return [name for name, chart in CHARTS.items() if known.issuperset(chart.tables)]

    @in_python()
    def chart(self, name: str) -> "alt.VConcatChart":
        """A chart of Altair, as in the figures of a study: shown by a notebook, and saved by its method `save`.

        Args:
            name: one of `charts`, such as best_of_n: accuracy against N.

        Raises:
            InputError: there is no such chart, or the table for it is missing.
        """
        # Not before: Altair and its schema take longer to import than an evaluation takes.
        from multirm.api.charts import CHARTS, Tables

        self._refuse_missing("chart", name, self.charts)
        paths = {table: self._source.path(table) for table in CHARTS[name].tables}
        return CHARTS[name].drawn(Tables(paths, self._reward_models()))

    @in_python()
    def write(self, folder: AnyPath) -> None:
        """Write all tables into a folder, as `multirm evaluate` does; files of other names are kept.

        Raises:
            InputError: the folder cannot be written to, or a table would replace one that was evaluated.
        """
        place = path("folder", folder)
        check_folder(place)
        self._source.write(place)

    @in_python()
    def report(self, output: AnyPath, title: str | None = None) -> None:
        """Write the page that shows it, with questions, solutions and rewards: one file that needs no network.

        Args:
            output: the page, an .html file.
            title: what it is called.

        Raises:
            InputError: there are no accuracies, or the file cannot be written.
        """
        from multirm.report.page.page import report_page

        called = f"Reward models on {self.dataset}" if title is None else text("title", title)
        file = path("output", output)
        report_page([self._source.folder], file, self._source.others, title=called)

    def _reward_models(self) -> list[Path]:
        name = REWARD_MODELS.name
        return [self._source.path(name)] if name in self.tables else []

    @staticmethod
    def _refuse_missing(what: str, name: str, known: Sequence[str]) -> None:
        if name not in known:
            raise InputError(
                what,
                expected=f"one of {', '.join(known)}" if known else "tables",
                found=shown(name) if known else "none",
                remedy=did_you_mean(name, known),
            )

    def __str__(self) -> str:
        return self.summary() if ACCURACY.name in self.tables else repr(self)

    def __repr__(self) -> str:
        return escaped(f"<Evaluation of {self.dataset}: {', '.join(self.tables)}>")

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"
