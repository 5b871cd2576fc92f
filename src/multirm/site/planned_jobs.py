"""What planned Snakemake jobs will do: the files they replace, the models they load, how they are submitted."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from multirm.running.code import MARK
from multirm.study.files import backbone_model, models_of
from multirm.study.reward_models import ReadyModel
from multirm.study.study import Study
from multirm.study.targets import ready_models


class Rule(Protocol):
    """A rule of Snakemake."""

    name: str


class Job(Protocol):
    """A job of Snakemake, as far as it is used here."""

    rule: Rule
    output: Sequence[Any]
    params: Any
    wildcards: Any
    is_local: bool


class Reason(Protocol):
    """Why Snakemake runs a job."""

    input_changed: Any
    params_changed: Any


AnyJob = TypeVar("AnyJob", bound=Job)
Group = TypeVar("Group")


def replaced_files(jobs: Iterable[Job], reason_of: Callable[[Any], Reason]) -> Iterator[str]:
    """The existing files that jobs replace because their settings or inputs have changed.

    Changed code does not count: the result is still the same study's.
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
    """The submissions of some jobs: their groups, and the jobs without a group.

    Jobs without a command, such as `all`, are not submitted.
    """
    return list(dict.fromkeys(group_of(job) or job for job in jobs if not job.is_local))


def hub_models(study: Study, jobs: Iterable[Job]) -> set[str]:
    """The models named in the study that jobs load; not those that jobs make."""
    named = {backbone.model for backbone in study.backbones.values() if backbone.model}
    named.update(ready_models(study))
    loaded: set[str] = set()
    for job in jobs:
        loaded |= {job.params.get(name) for name in ("backbone", "teacher", "writer")} - {None}
        wildcards: Mapping[str, str] = job.wildcards
        model = wildcards["model"] if job.rule.name.startswith("score_") else None
        if job.rule.name == "search":
            model = study.searches[wildcards["search"]].model
        if model is not None:
            # An adapter brings its backbone.
            run = study.runs[model]
            if isinstance(run.settings, ReadyModel):
                loaded.update(models_of(run.settings))
            else:
                loaded.add(backbone_model(study, run.trained.backbone))
    return named & loaded
