"""What planned Snakemake jobs will do: the files they replace, the models they load, how they are submitted."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from multirm.running.code import MARK
from multirm.study.files import backbone_model, place_of, reference_of
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


class Records(Protocol):
    """What Snakemake has recorded of the files that it made."""

    def has_metadata(self, job: Any) -> bool: ...

    def input_changed(self, job: Any) -> Iterable[bool]: ...

    def params_changed(self, job: Any) -> Any: ...


AnyJob = TypeVar("AnyJob", bound=Job)
Group = TypeVar("Group")


def replaced_files(
    jobs: Iterable[AnyJob],
    records: Records,
    dependencies: Mapping[Any, Iterable[Any]],
) -> list[str]:
    """The existing files that jobs make differently, for whatever reason they run.

    These are the files of jobs whose settings or inputs are others than Snakemake has recorded, those of which it has
    no record, and those that are made from such files. Changed code does not count: the result is still the same
    study's.

    Args:
        jobs: those that are about to run.
        records: what Snakemake knows of the files that it has made.
        dependencies: the jobs that make the inputs of each job.
    """
    planned = list(jobs)
    differs: dict[Any, bool] = dict.fromkeys(planned, False)
    waiting = [job for job in planned if _made_otherwise(job, records)]
    depending: dict[Any, list[Any]] = {}
    for job in planned:
        for each in dependencies.get(job, ()):
            depending.setdefault(each, []).append(job)
    while waiting:
        job = waiting.pop()
        if not differs.get(job, True):
            differs[job] = True
            waiting += depending.get(job, [])
    return [
        str(file) for job in planned if differs[job] for file in job.output if Path(file).exists()
    ]


def _made_otherwise(job: Job, records: Records) -> bool:
    return (
        not records.has_metadata(job)
        or any(records.input_changed(job))
        or _settings_changed(records.params_changed(job))
    )


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
                loaded |= {place_of(study, run.settings), *reference_of(run.settings)}
            else:
                loaded.add(backbone_model(study, run.trained.backbone))
    return named & loaded
