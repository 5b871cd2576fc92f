"""Searches of the same questions, read from their tables, and the solutions of those that are baselines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from multirm.errors import InputError, shown
from multirm.evaluation.search_baseline import Baseline, ChoiceOptions, by_question, solutions_of
from multirm.tables import parquet
from multirm.tables.accuracy import Aggregation
from multirm.tables.questions import QUESTIONS
from multirm.tables.rewards import Scale
from multirm.tables.schema import Row
from multirm.tables.search_accuracy import SearchMeasure
from multirm.tables.search_nodes import SEARCH_NODES
from multirm.tables.searches import SEARCHES, SearchMethod

Names = tuple[str, str]
"""A category and a question id."""


@dataclass(frozen=True)
class Run:
    """One search.

    Attributes:
        name: of the search.
        method: a SearchMethod.
        models: its policy and reward model, as its tables' footers say; searches with others are not compared.
        options: how it chooses.
        questions: its rows of the searches table whose reference answer is known, by category and question.
        n_unjudged: by category, the number of the other questions.
    """

    name: str
    method: str
    models: tuple[Any, ...]
    options: ChoiceOptions
    questions: Mapping[Names, Row]
    n_unjudged: Mapping[str, int]

    @property
    def categories(self) -> list[str]:
        return list(dict.fromkeys(category for category, _ in self.questions))

    def of(self, category: str) -> list[Row]:
        """The rows of a category."""
        return [row for (name, _), row in self.questions.items() if name == category]

    def right(self, category: str, measure: SearchMeasure) -> np.ndarray:
        """Whether each question of a category is answered correctly, float64 [questions]."""
        return np.array([row[_outcome(measure)] for row in self.of(category)], dtype=np.float64)

    def tokens(self, category: str) -> float:
        """The mean number of tokens that the policy draws for a question of a category."""
        return float(np.mean([row["policy_generated"] for row in self.of(category)]))


Baselines = Mapping[str, Baseline]
"""By category."""


def read_runs(paths: Sequence[Path]) -> tuple[list[Run], str]:
    """The searches in some tables, in their order, and their dataset.

    Raises:
        InputError: they are not searches of the same questions, or parts of one search have different settings.
    """
    rows: dict[str, list[Row]] = {}
    settings: dict[str, tuple[Any, ...]] = {}
    for path in paths:
        own = _settings(path)
        for row in parquet.read(path, SEARCHES).to_pylist():
            rows.setdefault(row["search"], []).append(row)
            if settings.setdefault(row["search"], own) != own:
                raise InputError(
                    path,
                    expected=f"the settings of the other tables of {shown(row['search'])}",
                    found="others",
                    remedy="give searches with other settings another name",
                )
    if not rows:
        raise InputError("--searches", expected="at least one search", found="none")
    datasets = sorted({row["dataset"] for own in rows.values() for row in own})
    if len(datasets) > 1:
        raise InputError("--searches", expected="searches of one dataset", found=shown(datasets))
    runs = [_run(name, own, *settings[name]) for name, own in rows.items()]
    for run in runs:
        if run.questions.keys() != runs[0].questions.keys():
            raise InputError(
                f"search {shown(run.name)}",
                expected=f"the {len(runs[0].questions)} questions of {shown(runs[0].name)}",
                found=f"{len(run.questions)}, of which "
                f"{len(run.questions.keys() & runs[0].questions.keys())} are the same",
            )
    # In one order, so that differences are paired.
    order = list(runs[0].questions)
    return [_ordered(run, order) for run in runs], datasets[0]


def _settings(path: Path) -> tuple[tuple[Any, ...], str | None, str | None]:
    """The models of a search, the aggregation of its final choice and the scale of its rewards."""
    known = parquet.read_footer(path).parameters
    models = tuple(repr(known.get(name)) for name in ("policy", "reward_model"))
    return models, known.get("final"), known.get("scale")


def _run(
    name: str, rows: Sequence[Row], models: tuple[Any, ...], final: str | None, scale: str | None
) -> Run:
    judged = [row for row in rows if row["best_outcome"] is not None]
    if not judged:
        raise InputError(
            f"search {shown(name)}", expected="questions with a reference answer", found="none"
        )
    methods = sorted({row["method"] for row in rows})
    if len(methods) > 1:
        raise InputError(f"search {shown(name)}", expected="one method", found=shown(methods))
    unjudged: dict[str, int] = {}
    for row in rows:
        category = row["category"]
        unjudged[category] = unjudged.get(category, 0) + (row["best_outcome"] is None)
    options = ChoiceOptions(
        Aggregation(final) if final else Aggregation.MIN, Scale(scale) if scale else None
    )
    questions = {(row["category"], row["question_id"]): row for row in judged}
    return Run(name, methods[0], models, options, questions, unjudged)


def _ordered(run: Run, order: Sequence[Names]) -> Run:
    return replace(run, questions={key: run.questions[key] for key in order})


def read_baselines(runs: Sequence[Run], paths: Sequence[Path]) -> dict[str, Baselines]:
    """The solutions of best-of-N searches by category, for each of those searches whose nodes are given.

    Raises:
        InputError: a search has nodes for some questions only, or there are nodes, but of no best-of-N search.
    """
    wanted = {run.name: run for run in runs if run.method == SearchMethod.BEST_OF_N}
    rows: dict[str, list[Row]] = {}
    others = set()
    for path in paths:
        for row in parquet.read(path, SEARCH_NODES).to_pylist():
            if row["search"] in wanted:
                rows.setdefault(row["search"], []).append(row)
            else:
                others.add(row["search"])
    if others and not rows:
        raise InputError(
            "--search-nodes",
            expected=f"nodes of a best-of-N search among {shown([run.name for run in runs])}",
            found=shown(sorted(others)),
        )
    found: dict[str, Baselines] = {}
    for name, own in rows.items():
        trees = {
            (key[1], key[2]): solutions_of(nodes)
            for key, nodes in by_question(own, QUESTIONS.key).items()
        }
        run = wanted[name]
        if missing := [key for key in run.questions if not trees.get(key)]:
            raise InputError(
                "--search-nodes",
                expected=f"solutions of {shown(name)} to all of its questions",
                found=f"none to {len(missing)}, such as {shown('/'.join(missing[0]))}",
            )
        found[name] = {
            category: Baseline(
                [trees[key] for key in run.questions if key[0] == category],
                ["/".join(key) for key in run.questions if key[0] == category],
                run.options,
            )
            for category in run.categories
        }
    return found


def _outcome(measure: SearchMeasure) -> str:
    return "covered" if measure is SearchMeasure.COVERED else f"{measure}_outcome"
