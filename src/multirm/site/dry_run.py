"""What Snakemake would do for a study, job by job, as JSON: it is asked in a process of its own, and locks nothing.

`python -m multirm.site.dry_run STUDY [DATA]` in the folder with the Snakefile.
"""

import contextlib
import importlib
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from multirm.errors import InputError
from multirm.running.code import MARK
from multirm.site.failed_jobs import last_message

SNAKEFILE = Path("Snakefile")


@dataclass(frozen=True)
class PlannedJob:
    """A job of a study, whether it will run or not.

    Attributes:
        stage: the file in workflow/rules that has its rule.
        outputs: the files that it makes.
        is_due: whether it has to run.
        is_missing: whether it has to run because an output is missing.
        is_started: whether it was started and has not ended, as far as Snakemake knows.
        reasons: why it has to run although its outputs are there, in a few words each.
    """

    stage: str
    rule: str
    wildcards: dict[str, str]
    outputs: list[str]
    log: str | None
    benchmark: str | None
    is_due: bool
    is_missing: bool
    is_started: bool
    reasons: list[str]


def plan(study: Path, data: Path | None = None) -> list[PlannedJob]:
    """All jobs of a study, those of a stage together, in the order of the stages.

    Raises:
        InputError: the working directory has no Snakefile, or Snakemake finds a mistake in the study.
        ModuleNotFoundError: Snakemake is not installed.
    """
    if not SNAKEFILE.is_file():
        raise InputError(
            Path.cwd(),
            expected="the folder with the Snakefile",
            found="none here",
            remedy="run it where you run Snakemake",
        )
    # If Snakemake is not installed, the command line says how to install it.
    importlib.import_module("snakemake")
    command = [sys.executable, "-m", __name__, str(study), *([str(data)] if data else [])]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        raise InputError(
            study,
            expected="a study that Snakemake can plan",
            found=last_message(run.stderr) or f"exit status {run.returncode}",
        )
    return [PlannedJob(**job) for job in json.loads(run.stdout)]


def plan_here(study: Path, data: Path | None) -> list[PlannedJob]:
    """The jobs of a study in this process, to which Snakemake leaves threads, settings and imported modules."""
    from snakemake.api import SnakemakeApi
    from snakemake.cli import parse_args
    from snakemake.settings.types import (
        ConfigSettings,
        DAGSettings,
        OutputSettings,
        Quietness,
        ResourceSettings,
    )

    # The profile of every run says up to which size files are compared by content.
    _, arguments = parse_args(["all"])
    config = {"data": str(data)} if data else {}
    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
        opened = api.workflow(
            config_settings=ConfigSettings(configfiles=[study], config=config),
            resource_settings=ResourceSettings(cores=1),
            snakefile=SNAKEFILE,
        )
        checksums = arguments.max_checksum_file_size
        dag = opened.dag(DAGSettings(targets={"all"}, max_checksum_file_size=checksums))
        # It builds the graph of jobs, and warns of locks instead of respecting them.
        dag.summary()
        workflow = opened._workflow
        stages = [_stage(rule) for rule in workflow.rules]
        jobs = [
            _planned(job, workflow.dag.reason(job), workflow.persistence)
            for job in workflow.dag.jobs
            if job.output
        ]
    return sorted(jobs, key=lambda job: (stages.index(job.stage), job.rule, job.outputs))


def _stage(rule: Any) -> str:
    return Path(rule.snakefile).stem


def _planned(job: Any, reason: Any, persistence: Any) -> PlannedJob:
    is_due = bool(reason)
    return PlannedJob(
        stage=_stage(job.rule),
        rule=job.rule.name,
        wildcards=dict(job.wildcards_dict),
        outputs=[str(file) for file in job.output],
        log=next(map(str, job.log), None),
        benchmark=str(job.benchmark) if job.benchmark else None,
        is_due=is_due,
        is_missing=is_due and bool(reason.missing_output),
        is_started=_is_started(job, persistence),
        reasons=[*_reasons(reason)] if is_due else [],
    )


def _is_started(job: Any, persistence: Any) -> bool:
    # `persistence.incomplete` leaves out files that are not there yet.
    keys = [persistence._get_key(file) for file in job.output]
    return bool(persistence._filter_incomplete_keys(keys))


def _reasons(reason: Any) -> Iterator[str]:
    updated = sorted(map(str, set(reason.updated_input) - set(reason.updated_input_run)))
    if updated:
        yield f"changed {updated[0]}" + (f" and {len(updated) - 1} more" if updated[1:] else "")
    if reason.input_changed:
        yield "other inputs"
    if reason.params_changed:
        yield from _changed_params(reason.params_changed)
    if reason.code_changed:
        yield "the command of its rule"
    if reason.software_stack_changed:
        yield "its environment"
    if reason.incomplete_output:
        yield "incomplete"
    if reason.updated_input_run:
        yield "inputs that will be made anew"


def _changed_params(change: Any) -> Iterator[str]:
    old, new = (sorted(map(str, values)) for values in (change.only_old, change.only_new))
    # `'code of evaluation.exact: 3f1c09ab'`
    code = sorted({each.strip("'").rpartition(":")[0] for each in [*old, *new] if MARK in each})
    if code:
        yield code[0] + (f" and {len(code) - 1} more modules" if code[1:] else "")
    before, after = (
        ", ".join(each for each in values if MARK not in each) for values in (old, new)
    )
    if before or after:
        yield f"settings: {before or 'none'} → {after or 'none'}"


def main() -> None:
    study, *data = sys.argv[1:]
    # What the Snakefile and Snakemake print is not for the reader of the JSON.
    with contextlib.redirect_stdout(io.StringIO()):
        jobs = plan_here(Path(study), Path(data[0]) if data else None)
    json.dump([asdict(job) for job in jobs], sys.stdout)


if __name__ == "__main__":
    main()
