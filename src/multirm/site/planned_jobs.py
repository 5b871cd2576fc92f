"""What the jobs that Snakemake has planned will do: what they replace, load and are submitted as."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from multirm.running.code import MARK
from multirm.study.files import backbone_model
from multirm.study.study import Study


class Rule(Protocol):
    """A rule of Snakemake."""

    name: str


class Job(Protocol):
    """A job of Snakemake, as far as it is looked at here."""

    rule: Rule
    output: Sequence[Any]
    params: Any
    wildcards: Any


class Reason(Protocol):
    """Why Snakemake runs a job."""

    input_changed: Any
    params_changed: Any


AnyJob = TypeVar("AnyJob", bound=Job)
Group = TypeVar("Group")


def replaced_files(jobs: Iterable[Job], reason_of: Callable[[Any], Reason]) -> Iterator[str]:
    """The files that jobs make anew because their settings or their inputs are others than they were.

    Other code is not a reason: it is the same study's result, computed anew.
    """
    for job in jobs:
        reason = reason_of(job)
        if reason.input_changed or _settings_changed(reason.params_changed):
            yield from (str(file) for file in job.output if Path(file).exists())


def _settings_changed(change: Any) -> bool:
    params = {*getattr(change, "only_old", ()), *getattr(change, "only_new", ())}
    return any(MARK not in str(each) for each in params)


def made_files(jobs: Iterable[Job]) -> list[str]:
    """The files that jobs make."""
    return [str(file) for job in jobs for file in job.output]


def used_engines(jobs: Iterable[Job]) -> list[str]:
    """The engines that jobs run."""
    return [engine for job in jobs if (engine := job.params.get("engine"))]


def submissions(
    jobs: Iterable[AnyJob], group_of: Callable[[AnyJob], Group | None]
) -> list[AnyJob | Group]:
    """What is submitted of some jobs: groups of them, and those that are in none."""
    return list(dict.fromkeys(group_of(job) or job for job in jobs))


def hub_models(study: Study, jobs: Iterable[Job]) -> set[str]:
    """The models that jobs load and that the study has a name for; those that jobs make are not among them."""
    named = {backbone.model for backbone in study.backbones.values() if backbone.model}
    loaded: set[str] = set()
    for job in jobs:
        loaded |= {job.params.get("backbone"), job.params.get("teacher")} - {None}
        if job.rule.name.startswith("score_"):
            # An adapter brings its backbone.
            wildcards: Mapping[str, str] = job.wildcards
            run = study.runs[wildcards["model"]]
            loaded.add(backbone_model(study, run.trained.backbone))
    return named & loaded
