"""What planned jobs replace, load and are submitted as, with stand-ins for Snakemake's jobs."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from multirm.running.code import MARK
from multirm.site import planned_jobs
from multirm.study.load import load_study, read_yaml

PAPER = Path(__file__).resolve().parents[2] / "config" / "paper.yaml"


@dataclass(eq=False)
class Job:
    name: str = "evaluate"
    output: list[str] = field(default_factory=list)
    params: dict[str, Any] = field(default_factory=dict)
    wildcards: dict[str, str] = field(default_factory=dict)
    is_local: bool = False

    @property
    def rule(self) -> Any:
        return SimpleNamespace(name=self.name)


@dataclass
class Records:
    """What Snakemake would have recorded of jobs: nothing has changed unless it is said."""

    unknown: list[Job] = field(default_factory=list)
    other_input: list[Job] = field(default_factory=list)
    changes: dict[str, Any] = field(default_factory=dict)

    def has_metadata(self, job: Job) -> bool:
        return job not in self.unknown

    def input_changed(self, job: Job) -> Iterator[bool]:
        yield from (job in self.other_input for _ in job.output)

    def params_changed(self, job: Job) -> Any:
        return self.changes.get(job.name, change(set(), set()))


def change(before: set[str], now: set[str]) -> Any:
    return SimpleNamespace(only_old=before, only_new=now)


def test_changed_settings_replace_files_and_changed_code_does_not(tmp_path: Path) -> None:
    (tmp_path / "there").touch()
    job = Job(output=[str(tmp_path / "there"), str(tmp_path / "new")])
    code = change({f"'{MARK}errors: 1'"}, {f"'{MARK}errors: 2'"})
    both = change({*code.only_old, "5"}, code.only_new)
    for records, expected in [
        (Records(), []),
        (Records(unknown=[job]), [job.output[0]]),
        (Records(other_input=[job]), [job.output[0]]),
        (Records(changes={job.name: code}), []),
        (Records(changes={job.name: change({"5"}, set())}), [job.output[0]]),
        (Records(changes={job.name: both}), [job.output[0]]),
    ]:
        assert planned_jobs.replaced_files([job], records, {}) == expected


def test_what_is_made_from_other_files_is_other_as_well(tmp_path: Path) -> None:
    """Also where the file in between is gone, so that its job replaces nothing."""
    first, second, third, apart = (
        Job(name, [str(tmp_path / name)]) for name in ("first", "second", "third", "apart")
    )
    for job in (second, third, apart):
        Path(job.output[0]).touch()
    jobs = [third, second, first, apart]
    dependencies = {second: {first: {"a"}}, third: {second: {"b"}, apart: {"c"}}}
    records = Records(changes={"first": change({"5"}, set())})
    assert planned_jobs.replaced_files(jobs, records, dependencies) == [
        third.output[0],
        second.output[0],
    ]
    assert planned_jobs.replaced_files(jobs, Records(), dependencies) == []
    # A job that does not run makes nothing.
    assert planned_jobs.replaced_files([third, apart], records, dependencies) == []


def test_a_group_is_submitted_once_and_all_is_not() -> None:
    jobs = [Job(), Job(), Job(), Job("all", is_local=True)]
    groups = {jobs[0]: "group", jobs[1]: "group"}
    assert planned_jobs.submissions(jobs, groups.get) == ["group", jobs[2]]


def test_hub_models_are_those_that_jobs_load() -> None:
    study = load_study(read_yaml(PAPER), [])
    backbones = {name: backbone.model for name, backbone in study.backbones.items()}
    run = next(iter(study.runs.values()))
    scored = Job("score_discriminative", wildcards={"model": run.name})
    own = Job(params={"backbone": "results/backbones/own/model"})
    named = Job(params={"teacher": backbones[run.trained.backbone], "engine": "vllm"})
    expected = {backbones[run.trained.backbone]}
    assert planned_jobs.hub_models(study, [own]) == set()
    assert planned_jobs.hub_models(study, [scored]) == expected
    assert planned_jobs.hub_models(study, [named]) == expected
    assert planned_jobs.used_engines([own, named]) == ["vllm"]
