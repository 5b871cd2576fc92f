"""What evaluation and figures know of reward models: rows of the reward_models table, or what names imply."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from multirm.errors import InputError, did_you_mean, shown
from multirm.running.numbers import Fraction, Seed
from multirm.tables import parquet
from multirm.tables.reward_models import REWARD_MODELS, FormatName, Kind, mean_name

RUN_OR_MEAN = re.compile(r"(.+)@(?:(\d{1,9})|mean)", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class RewardModel:
    """A training run of a reward model, or the mean over its runs; the columns of `REWARD_MODELS`."""

    model: str
    run_of: str
    is_mean: bool = False
    kind: Kind | None = None
    backbone: str | None = None
    seed: Seed | None = None
    learned_from: list[str] | None = None
    training_categories: list[str] | None = None
    noise_share: Fraction | None = None
    step_noise: Fraction | None = None
    noise_baseline: str | None = None
    critiques: str | None = None
    format: FormatName | None = None

    def columns(self, dataset: str) -> dict[str, Any]:
        return {"dataset": dataset, **asdict(self)}


def describe(names: Iterable[str], dataset: str, tables: Sequence[Path]) -> list[RewardModel]:
    """The known facts about the reward models evaluated on a dataset, in the order of `names`.

    Args:
        tables: reward_models tables; without any, training runs are recognised by name.

    Raises:
        InputError: a model is missing from the tables.
    """
    names = list(dict.fromkeys(names))
    if not tables:
        return from_names(names)
    known = {each.model: each for each in read_rows(dataset, tables)}
    for name in names:
        if name not in known:
            raise InputError(
                ", ".join(map(str, tables)),
                expected=f"{shown(name)} on {shown(dataset)}",
                found=", ".join(map(shown, known)) or f"nothing on {shown(dataset)}",
                remedy=did_you_mean(name, known) or "describe all reward models that are evaluated",
            )
    return [known[name] for name in names]


def read_rows(dataset: str, tables: Sequence[Path]) -> list[RewardModel]:
    """All reward models of a dataset in some reward_models tables, in their order."""
    rows = parquet.read_all(tables, REWARD_MODELS).to_pylist()
    return [_typed(row) for row in rows if row["dataset"] == dataset]


def from_names(names: Iterable[str]) -> list[RewardModel]:
    """What names imply: MODEL@SEED is a training run of MODEL, and MODEL@mean the mean over its runs.

    Only for evaluations without a reward_models table; nothing else interprets names.
    """
    return [_from_name(name) for name in names]


def _from_name(name: str) -> RewardModel:
    found = RUN_OR_MEAN.fullmatch(name)
    if found is None:
        return RewardModel(model=name, run_of=name)
    model, seed = found.groups()
    return RewardModel(
        model=name,
        run_of=model,
        is_mean=seed is None,
        seed=None if seed is None else int(seed),
    )


def _typed(row: Mapping[str, Any]) -> RewardModel:
    columns = {name: value for name, value in row.items() if name != "dataset"}
    columns["kind"] = row["kind"] and Kind(row["kind"])
    columns["format"] = row["format"] and FormatName(row["format"])
    return RewardModel(**columns)


def with_means(models: Sequence[RewardModel]) -> list[RewardModel]:
    """The training runs, with the mean over a model's runs before the first of them."""
    first = {runs[0]: mean for mean, runs in means_of(models).items()}
    result = []
    for each in models:
        if each.model in first:
            result.append(replace(each, model=first[each.model], is_mean=True, seed=None))
        result.append(each)
    return result


def means_of(models: Iterable[RewardModel]) -> dict[str, list[str]]:
    """For each reward model with several training runs, the name of their mean, and their names, in order."""
    return {mean_name(name): runs for name, runs in runs_of(models).items() if len(runs) > 1}


def runs_of(models: Iterable[RewardModel]) -> dict[str, list[str]]:
    """The names of each reward model's training runs, in order."""
    runs: dict[str, list[str]] = {}
    for each in models:
        if not each.is_mean:
            runs.setdefault(each.run_of, []).append(each.model)
    return runs


def labels_of_shown(models: Sequence[RewardModel]) -> dict[str, str]:
    """The models to show readers, each with its label: a mean replaces the runs of its model."""
    means = {each.run_of for each in models if each.is_mean}
    runs = runs_of(models)
    return {
        each.model: f"{each.run_of} ({len(runs[each.run_of])} seeds)"
        if each.is_mean and each.run_of in runs
        else each.model
        for each in models
        if each.is_mean or each.run_of not in means
    }


def labels_in(rows: Sequence[Mapping[str, Any]], tables: Sequence[Path]) -> dict[str, str]:
    """As `labels_of_shown`, of the models in the rows of a table about one dataset; rows without a model are ignored.

    Args:
        tables: reward_models tables, as for `describe`.

    Raises:
        InputError: a model is missing from the tables.
    """
    names = [str(row["model"]) for row in rows if row["model"]]
    return labels_of_shown(describe(names, rows[0]["dataset"], tables)) if names else {}
