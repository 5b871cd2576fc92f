"""What planned jobs replace, load and are submitted as, with stand-ins for Snakemake's jobs."""

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


def reason(**said: Any) -> Any:
    return SimpleNamespace(**{"input_changed": False, "params_changed": None, **said})


def change(before: set[str], now: set[str]) -> Any:
    return SimpleNamespace(only_old=before, only_new=now)


def test_changed_settings_replace_files_and_changed_code_does_not(tmp_path: Path) -> None:
    (tmp_path / "there").touch()
    job = Job(output=[str(tmp_path / "there"), str(tmp_path / "new")])
    code = change({f"'{MARK}errors: 1'"}, {f"'{MARK}errors: 2'"})
    for why, expected in [
        (reason(), []),
        (reason(input_changed=True), [job.output[0]]),
        (reason(params_changed=code), []),
        (reason(params_changed=change({"5"}, set())), [job.output[0]]),
        (reason(params_changed=change({*code.only_old, "5"}, code.only_new)), [job.output[0]]),
    ]:
        assert list(planned_jobs.replaced_files([job], lambda _, why=why: why)) == expected


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
